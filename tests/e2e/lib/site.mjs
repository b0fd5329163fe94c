// Serves a folder on a free port of this machine, as any static server would.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const TYPES = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
};

/** The built site: `LAB_DIST`, or `dist` of this checkout. */
export const dist = process.env.LAB_DIST ?? fileURLToPath(new URL("../../../dist", import.meta.url));

/** `more` are files from elsewhere, by their path on the site. */
export async function serve(folder = dist, more = {}) {
  await readFile(join(folder, "index.html")).catch(() => {
    throw new Error(`there is no site in ${folder}: build it, or name its folder in LAB_DIST`);
  });
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://site").pathname));
    try {
      const body = await readFile(more[path] ?? join(folder, path.endsWith("/") ? `${path}index.html` : path));
      response.writeHead(200, { "content-type": TYPES[extname(path)] ?? (path.endsWith("/") ? TYPES[".html"] : "application/octet-stream") });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}
