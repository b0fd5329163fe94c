// The package's files. Each is one literal, as bundlers look for them: they copy the files and put the new addresses in.

export const files = {
  worker: new URL("./worker.js", import.meta.url),
  engine: new URL("./engine.wasm", import.meta.url),
  cpu: new URL("./cpu.wasm", import.meta.url),
  gpu: new URL("./gpu.wasm", import.meta.url),
};
