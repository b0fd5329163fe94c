// One experiment as one download: a ZIP file, written by client-zip, which is loaded when it is needed.

/** Saves `files`, an array of `{ path, bytes }`, as `name`. */
export async function saveArchive(name, files) {
  const { downloadZip } = await import(new URL("client-zip.js", document.baseURI));
  // The first day of the format, so that equal contents give equal files.
  const lastModified = new Date(1980, 0, 1);
  const entries = files.map(({ path, bytes }) => ({ name: path, input: bytes, lastModified }));
  const address = URL.createObjectURL(await downloadZip(entries).blob());
  const link = Object.assign(document.createElement("a"), { href: address, download: name });
  link.click();
  URL.revokeObjectURL(address);
}
