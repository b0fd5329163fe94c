// Pages in headless Chromium, from servers of this machine.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { extname, join, normalize } from "node:path";

// Installed for the tests of the page.
const { chromium } = createRequire(new URL("../../e2e/lib/", import.meta.url))("playwright-core");

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".mjs": "text/javascript", ".json": "application/json", ".wasm": "application/wasm", ".css": "text/css" };
const ARGS = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update"];
const NO_GPU = ["--disable-features=WebGPU", "--disable-gpu"];
const SOFTWARE_GPU = ["--enable-unsafe-webgpu", "--enable-features=Vulkan", "--use-webgpu-adapter=swiftshader", "--ignore-gpu-blocklist"];

/** Serves a folder, with `headers` on every answer. */
export async function serve(folder, headers = {}) {
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://site").pathname));
    try {
      const file = join(folder, path.endsWith("/") ? `${path}index.html` : path);
      const body = await readFile(file);
      response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream", "content-length": body.length, ...headers });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

/** A browser, with a software adapter of WebGPU or without any. */
export const browser = ({ gpu = false } = {}) => chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: [...ARGS, ...(gpu ? SOFTWARE_GPU : NO_GPU)] });

/** What a page leaves in `globalThis.outcomes`; its complaints become an error. */
export async function outcomesOf(browser, address) {
  const page = await browser.newPage();
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  try {
    await page.goto(address);
    const outcomes = await page.waitForFunction(() => globalThis.outcomes, undefined, { timeout: 120_000 }).catch((error) => {
      throw new Error(`${error.message}\n${complaints.join("\n")}`);
    });
    const found = await outcomes.jsonValue();
    if (found.failed) throw new Error(`${found.failed}\n${complaints.join("\n")}`);
    return found;
  } finally {
    await page.close();
  }
}
