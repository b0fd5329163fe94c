// The worker: chooses between the two builds of the core, loads one and passes messages on. Commands
// come in and events go out as lab-protocol has them. `worker.js?backend=auto|cpu|wgpu`; each `module=ADDRESS` is
// a module of strategies, metrics or rewards, see extension.js. `cpu=ADDRESS` and `gpu=ADDRESS` are the wasm files where
// they are not beside their scripts; `progress=1` asks for `loading` events.

import { load, register } from "./extension.js";
import { remote } from "./remote.js";

// Of this module, not of the worker: a worker for another site's scripts is started from a blob that imports this file.
// A thread outside of browsers says itself what it imports, as some of them leave the parameters out here.
const parameters = new URL(self.labScript ?? import.meta.url).searchParams;
const wanted = parameters.get("backend") ?? "auto";
const post = (event) => self.postMessage(event);

// Commands that arrive before the core is ready wait here.
const early = [];
let lab;
let memory;
const caller = remote(post);
self.onmessage = ({ data }) => {
  if (data.command === "answer_call") caller.answered(data);
  else if (lab) take(data);
  else early.push(data);
};

function take(command) {
  if (!caller.take(lab, command)) lab.command(command);
}

let failed = false;
function fail(code, message, hint) {
  // The first failure is the cause; later ones in a dying worker are noise.
  if (failed) return;
  failed = true;
  post({ event: "failed", error: { code, message, hint } });
}

// Any end of the core ends the worker; the page starts another one.
function crashed(error) {
  const text = String(error?.message ?? error);
  // A failed allocation is a bare trap: then the memory, of at most 4 GiB, is nearly used up.
  const full = memory?.buffer.byteLength > 3 * 2 ** 30;
  if (full || /memory|allocation|capacity overflow|RangeError/i.test(text)) {
    fail("out_of_memory", `memory ran out: ${text}`, "Use a smaller batch, width or context.");
  } else {
    fail("internal", `the worker failed: ${text}`, "Continue from the last checkpoint. If it happens again, please report it.");
  }
}
self.addEventListener("error", (event) => crashed(event.error ?? event.message));
self.addEventListener("unhandledrejection", (event) => crashed(event.reason));

// The core's panics arrive through the console just before the trap that they cause.
const consoleError = console.error;
console.error = (...parts) => {
  const text = parts.map(String).join(" ");
  if (text.includes("panicked at")) {
    const summary = text.split("\n\nStack:")[0];
    if (/out of memory/i.test(text)) {
      fail("out_of_memory", `the GPU's memory ran out: ${summary}`, "Use a smaller batch, width or context, or the CPU.");
    } else {
      crashed(new Error(summary));
    }
  }
  consoleError.apply(console, parts);
};

// A promise that resolves after messages had their turn: at once, or when the next message arrives.
const channel = new MessageChannel();
const waiting = [];
channel.port1.onmessage = () => waiting.shift()?.();
function pause(untilMessage) {
  if (untilMessage) {
    return new Promise((resolve) => self.addEventListener("message", () => queueMicrotask(resolve), { once: true }));
  }
  return new Promise((resolve) => {
    waiting.push(resolve);
    channel.port2.postMessage(null);
  });
}

// Requests to endpoints that the user names. No redirection is followed: the key is for that address.
const network = {
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  // A file's bytes; nothing if there is no such file.
  async read(url) {
    try {
      const response = await fetch(url, { credentials: "omit" });
      if (response.status === 404) return undefined;
      if (!response.ok) throw new Error(`status ${response.status}`);
      return new Uint8Array(await response.arrayBuffer());
    } catch (error) {
      throw String(error?.message ?? error);
    }
  },
  async request(url, key, body, timeout) {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), timeout);
    const why = (error) => (abort.signal.aborted ? "timeout" : String(error?.message ?? error));
    try {
      const headers = { "Content-Type": "application/json" };
      if (key) headers.Authorization = `Bearer ${key}`;
      const rules = { redirect: "error", credentials: "omit", referrerPolicy: "no-referrer", cache: "no-store" };
      const response = await fetch(url, { method: "POST", headers, body, signal: abort.signal, ...rules });
      const reader = response.body.getReader();
      const end = () => clearTimeout(timer);
      return {
        status: response.status,
        retryAfter: response.headers.get("Retry-After") ?? undefined,
        async next() {
          try {
            const { value } = await reader.read();
            if (!value) end();
            return value;
          } catch (error) {
            end();
            throw why(error);
          }
        },
        cancel() {
          end();
          reader.cancel().catch(() => {});
        },
      };
    } catch (error) {
      clearTimeout(timer);
      throw why(error);
    }
  },
};

/** The adapter for training, or the reason why there is none. */
async function findAdapter() {
  if (!navigator.gpu) return { reason: "this browser has no WebGPU" };
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" }).catch(() => null);
  if (!adapter) return { reason: "there is no usable WebGPU adapter" };
  // Without timestamps the GPU runtime fails in its first stream.
  if (!adapter.features.has("timestamp-query")) {
    return { reason: "the WebGPU adapter lacks the feature timestamp-query" };
  }
  return { adapter };
}

// The core requests its device from the browser itself. The request is observed here to report the device's loss.
function watchDevices() {
  const request = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = async function (...parameters) {
    const device = await request.apply(this, parameters);
    self.gpuDevice = device;
    device.lost.then(({ reason, message }) =>
      fail("device_lost", `the GPU was lost (${reason || "unknown"}): ${message}`, "Continue from the last checkpoint, or use the CPU."));
    device.addEventListener("uncapturederror", ({ error }) =>
      error instanceof GPUOutOfMemoryError
        ? fail("out_of_memory", `the GPU's memory ran out: ${error.message}`, "Use a smaller batch, width or context, or the CPU.")
        : fail("device_lost", `the GPU reported an error: ${error.message}`, "Continue from the last checkpoint, or use the CPU."));
    return device;
  };
}

/** The response with the wasm file; tells how much of it has come, where that is asked for. */
async function read(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address} answers with status ${response.status}`);
  if (!parameters.has("progress") || !response.body) return response;
  const total = Number(response.headers.get("content-length")) || undefined;
  let loaded = 0;
  const counted = new TransformStream({
    transform(chunk, controller) {
      loaded += chunk.byteLength;
      post({ event: "loading", loaded, total });
      controller.enqueue(chunk);
    },
  });
  return new Response(response.body.pipeThrough(counted), { headers: { "content-type": "application/wasm" } });
}

async function open() {
  const { adapter, reason: missing } = wanted === "cpu" ? { reason: "you chose it" } : await findAdapter();
  if (wanted === "wgpu" && !adapter) {
    return fail("backend_unavailable", `WebGPU cannot be used: ${missing}`, "Choose the CPU, or a browser with WebGPU.");
  }
  const modules = await load(parameters.getAll("module"));
  // Each import with its own literal, so that bundlers see both.
  const { default: init, Lab } = await (adapter ? import("./gpu/lab_js.js") : import("./cpu/lab_js.js"));
  if (adapter) watchDevices();
  const address = parameters.get(adapter ? "gpu" : "cpu");
  ({ memory } = await init(address ? { module_or_path: read(address) } : undefined));
  const info = adapter?.info;
  const name = adapter
    ? [info?.vendor, info?.architecture, info?.description].filter(Boolean).join(" ") || "unnamed adapter"
    : "SIMD";
  const reason = wanted !== "auto" ? "you chose it" : adapter ? "the fastest device here" : missing;
  const opened = await Lab.open(name, reason, post, pause, network);
  await register(modules, opened);
  lab = opened;
  early.forEach(take);
}

open().catch((error) => {
  if (error?.code && error?.hint) return fail(error.code, error.message, error.hint);
  crashed(error);
});
