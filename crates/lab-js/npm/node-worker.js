// A thread of Node.js as the worker's script expects it: `self` with messages, an address, and `fetch` of files.

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parentPort, workerData } from "node:worker_threads";

const { script, base } = workerData;
const events = new EventTarget();
const self = globalThis;
self.self = self;
for (const name of ["addEventListener", "removeEventListener", "dispatchEvent"]) self[name] = events[name].bind(events);
self.postMessage = (message) => parentPort.postMessage(message);
self.location ??= new URL(base);
if (!self.navigator) Object.defineProperty(self, "navigator", { value: {}, configurable: true });

// WebGPU, where the program has installed it. Bundlers are to leave these imports as they are.
if (!self.navigator.gpu) {
  const dawn = await import(/* webpackIgnore: true */ /* turbopackIgnore: true */ "webgpu").catch(() => undefined);
  if (dawn) {
    Object.assign(self, dawn.globals);
    Object.defineProperty(self.navigator, "gpu", { value: dawn.create([]), configurable: true });
  }
}

// The worker gives way to messages by a message of its own, a thousand of which Node.js would take before any other.
self.MessageChannel = class {
  port1 = {};
  port2 = { postMessage: () => setImmediate(() => this.port1.onmessage?.()) };
};

const fetchOfNode = self.fetch;
self.fetch = async (address, options) => {
  const url = new URL(address, base);
  if (url.protocol !== "file:") return fetchOfNode(address, options);
  const bytes = await readFile(fileURLToPath(url)).catch(() => undefined);
  const headers = { "content-type": url.pathname.endsWith(".wasm") ? "application/wasm" : "application/octet-stream", "content-length": String(bytes?.length ?? 0) };
  return new Response(bytes ?? null, { status: bytes ? 200 : 404, headers });
};

parentPort.on("message", (data) => {
  const message = new MessageEvent("message", { data });
  self.onmessage?.(message);
  events.dispatchEvent(message);
});

// The parameters stand in `labScript`: Deno imports no address with them.
self.labScript = script;
await import(/* webpackIgnore: true */ /* turbopackIgnore: true */ script.split("?")[0]);
