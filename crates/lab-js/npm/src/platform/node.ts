// Node.js, and what runs its modules: Deno, Bun.

import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import type { Hears, Message, Thread } from "../worker.js";
import { files } from "./files.js";
import type { Platform } from "./platform.js";

/** Gives a thread of Node.js what a browser's worker has, then loads the worker. */
const THREAD = new URL("./node-worker.js", import.meta.url);

export const platform: Platform = {
  files,
  base: () => pathToFileURL(`${process.cwd()}/`).href,

  async read(address) {
    if (address.protocol === "file:") return readFile(address);
    const response = await fetch(address);
    if (!response.ok) throw new Error(`${address.href} answers with status ${response.status}`);
    return response;
  },

  start(script: URL, hears: Hears): Thread {
    const worker = new Worker(THREAD, { workerData: { script: script.href, base: this.base() } });
    let ended = false;
    worker.on("message", (data: Message) => ended || hears.message(data));
    worker.on("error", (error: Error) => ended || hears.broken(error.message));
    worker.on("exit", () => ended || hears.broken("its thread ended"));
    return {
      post: (message) => worker.postMessage(message),
      end() {
        ended = true;
        void worker.terminate();
      },
      hold: (waits) => (waits ? worker.ref() : worker.unref()),
    };
  },
};
