// The differences between a browser and Node.js.

import type { Hears, Thread } from "../worker.js";

/** A platform's ways to read the package's files and to start its worker. */
export interface Platform {
  /** The engine's wasm file, as wasm-bindgen takes it. */
  read(address: URL): Promise<Response | Uint8Array>;
  /** Starts the worker's script, whose parameters stand in its address. */
  start(script: URL, hears: Hears): Thread;
  /** Addresses of the package's files; without that for the GPU, the CPU computes. */
  files: { worker: URL; engine: URL; cpu: URL; gpu?: URL };
  /** What relative addresses of modules are relative to. */
  base(): string;
}
