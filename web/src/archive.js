// A ZIP file of stored (uncompressed) entries, after PKWARE's APPNOTE 6.3: the results of one experiment, as one
// download.

const TABLE = new Uint32Array(256).map((_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 0xff];
  return (crc ^ 0xffffffff) >>> 0;
}

// The header before an entry's bytes and, with more after it, in the directory at the end. Names are UTF-8 (flag
// 0x800); the date is the format's first day, so equal contents give equal files.
function header(signature, made, { name, crc, size }, tail) {
  const view = new DataView(new ArrayBuffer(made.length * 2 + 26 + tail));
  let at = 0;
  const put16 = (value) => (view.setUint16(at, value, true), (at += 2));
  const put32 = (value) => (view.setUint32(at, value, true), (at += 4));
  put32(signature);
  made.forEach(put16);
  put16(20);
  put16(0x800);
  put16(0);
  put16(0);
  put16(0x21);
  put32(crc);
  put32(size);
  put32(size);
  put16(name.length);
  return { view, at };
}

/** Saves `files`, an array of `{ path, bytes }`, as `name`. */
export function saveArchive(name, files) {
  const encoder = new TextEncoder();
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const { path, bytes } of files) {
    const entry = { name: encoder.encode(path), crc: crc32(bytes), size: bytes.length };
    const local = header(0x04034b50, [], entry, 4);
    parts.push(local.view, entry.name, bytes);
    const central = header(0x02014b50, [20], entry, 18);
    central.view.setUint32(central.view.byteLength - 4, offset, true);
    directory.push(central.view, entry.name);
    offset += local.view.byteLength + entry.name.length + entry.size;
  }
  const length = directory.reduce((sum, part) => sum + part.byteLength, 0);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, files.length, true);
  end.setUint16(10, files.length, true);
  end.setUint32(12, length, true);
  end.setUint32(16, offset, true);
  const address = URL.createObjectURL(new Blob([...parts, ...directory, end], { type: "application/zip" }));
  const link = Object.assign(document.createElement("a"), { href: address, download: name });
  link.click();
  URL.revokeObjectURL(address);
}
