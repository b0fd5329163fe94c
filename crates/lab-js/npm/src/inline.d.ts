// Names that build.mjs defines in the inline entry.

declare module "#inline/*.wasm" {
  const bytes: Uint8Array<ArrayBuffer>;
  export default bytes;
}

declare module "#inline/worker.js" {
  const source: string;
  export default source;
}
