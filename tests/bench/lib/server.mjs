// A static file server on a free local port.
import fs from "node:fs";
import http from "node:http";
import path from "node:path";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/**
 * Serves `mounts` ({ "/prefix/": folder }), the longest prefix first. `requests` holds the file of every request.
 * `isolated` sends the headers that make a page cross-origin isolated.
 */
export async function serve(mounts, { isolated = false } = {}) {
  const prefixes = Object.keys(mounts).sort((a, b) => b.length - a.length);
  const requests = [];
  const server = http.createServer((request, response) => {
    const file = locate(mounts, prefixes, request.url);
    if (!file) {
      response.writeHead(404).end();
      return;
    }
    requests.push(file);
    const headers = { "content-type": TYPES[path.extname(file)] ?? "application/octet-stream", "cache-control": "no-store" };
    if (isolated) {
      headers["cross-origin-opener-policy"] = "same-origin";
      headers["cross-origin-embedder-policy"] = "require-corp";
    }
    response.writeHead(200, headers);
    fs.createReadStream(file).pipe(response);
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    requests,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function locate(mounts, prefixes, url) {
  const name = decodeURIComponent(new URL(url, "http://localhost").pathname);
  const prefix = prefixes.find((p) => name.startsWith(p));
  if (prefix === undefined) return null;
  const folder = path.resolve(mounts[prefix]);
  let file = path.join(folder, name.slice(prefix.length));
  if (file !== folder && !file.startsWith(folder + path.sep)) return null;
  if (fs.existsSync(file) && fs.statSync(file).isDirectory()) file = path.join(file, "index.html");
  return fs.existsSync(file) ? file : null;
}
