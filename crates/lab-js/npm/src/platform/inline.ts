// Browsers, with the worker and the wasm files of the CPU inside of the script: for bundlers that copy no files.

import engine from "#inline/engine.wasm";
import cpu from "#inline/cpu.wasm";
import worker from "#inline/worker.js";
import { browserThread } from "./browser.js";
import type { Platform } from "./platform.js";

/** The address of bytes that are here. */
const address = (bytes: Uint8Array<ArrayBuffer>, type: string) => new URL(URL.createObjectURL(new Blob([bytes], { type })));

let cpuAddress: URL | undefined;

export const platform: Platform = {
  // Made at the first use, so that importing the module does nothing.
  files: {
    worker: new URL("inline:worker.js"),
    engine: new URL("inline:engine.wasm"),
    get cpu() {
      return (cpuAddress ??= address(cpu, "application/wasm"));
    },
  },
  base: () => globalThis.location.href,

  async read(address) {
    return address.protocol === "inline:" ? engine : fetch(address);
  },

  start(script, hears) {
    if (script.protocol !== "inline:") return browserThread(script, hears);
    // The address of a blob takes no parameters.
    const source = `self.labScript = ${JSON.stringify(script.href)};\n${worker}`;
    return browserThread(new URL(URL.createObjectURL(new Blob([source], { type: "text/javascript" }))), hears);
  },
};
