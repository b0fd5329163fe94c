// Prints a JSON list of every file below the folder named first: path, raw, gzip and brotli bytes.
import fs from "node:fs";
import path from "node:path";
import zlib from "node:zlib";

const root = process.argv.at(-1);
const files = fs
  .readdirSync(root, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
  .sort();
const list = files.map((file) => {
  const content = fs.readFileSync(file);
  const gzip = zlib.gzipSync(content, { level: 9 });
  const brotli = zlib.brotliCompressSync(content, {
    params: {
      [zlib.constants.BROTLI_PARAM_QUALITY]: 11,
      [zlib.constants.BROTLI_PARAM_LGWIN]: 22,
      [zlib.constants.BROTLI_PARAM_SIZE_HINT]: content.length,
    },
  });
  return { path: path.relative(root, file).replaceAll(path.sep, "/"), raw: content.length, gzip: gzip.length, brotli: brotli.length };
});
process.stdout.write(JSON.stringify(list));
