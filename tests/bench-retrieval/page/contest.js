// Code that `wasm.mjs` runs in the page: the store in wasm beside hnswlib-wasm, in one JavaScript engine, on one
// thread and at the same recall. src/main.rs does the same natively.

import { loadHnswlib } from "/hnswlib/hnswlib.js";

const dimensions = 384;
const k = 10;
const queryCount = 500;
const recalls = [0.95, 0.99];
const efforts = [10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 256, 384, 512, 768];
const rounds = 9;

const load = async (address) => (await fetch(address)).arrayBuffer();
let all;
let queries;
let module;
let library;
const row = (index) => all.subarray(index * dimensions, (index + 1) * dimensions);

/** Fetches the vectors (the last ones are the queries) and both libraries. */
export async function prepare(moduleAddress, vectorAddress) {
  all = new Float32Array(await load(vectorAddress));
  const count = all.length / dimensions;
  queries = Array.from({ length: queryCount }, (_, index) => row(count - queryCount + index));
  module = await WebAssembly.compile(await load(moduleAddress));
  library = await loadHnswlib();
}

/** Both on the first `size` vectors: seconds of building, and microseconds a query at each recall. */
export function compare(size) {
  return measure([new Labs(module), new HnswlibWasm(library)], size);
}

class Labs {
  name = "LLM Labs";
  constructor(module) {
    // The random numbers that a library requests do not matter: stubs take the place of wasm-bindgen's imports.
    const imports = {};
    for (const { module: from, name } of WebAssembly.Module.imports(module)) {
      imports[from] ??= {};
      imports[from][name] = () => (name.includes("is_object") ? 1 : 0);
    }
    this.wasm = new WebAssembly.Instance(module, imports).exports;
    this.query = this.wasm.room(dimensions);
  }
  build(size) {
    const place = this.wasm.room(size * dimensions);
    new Float32Array(this.wasm.memory.buffer, place, size * dimensions).set(all.subarray(0, size * dimensions));
    this.bytes = this.wasm.build(place, size, dimensions);
    if (!this.bytes) throw new Error("the store could not be built");
  }
  search(query, effort) {
    new Float32Array(this.wasm.memory.buffer, this.query, dimensions).set(query);
    const place = this.wasm.search(this.query, k, effort);
    return new Uint32Array(this.wasm.memory.buffer, place, k);
  }
}

class HnswlibWasm {
  name = "hnswlib-wasm";
  constructor(library) {
    this.library = library;
  }
  build(size) {
    this.index = new this.library.HierarchicalNSW("ip", dimensions, "");
    this.index.initIndex(size, 16, 200, 100);
    for (let id = 0; id < size; id++) this.index.addPoint(row(id), id, false);
  }
  search(query, effort) {
    if (effort !== this.effort) this.index.setEfSearch((this.effort = effort));
    return this.index.searchKnn(query, k, undefined).neighbors;
  }
}

function exact(query, size) {
  const scored = [];
  for (let id = 0; id < size; id++) {
    const vector = row(id);
    let sum = 0;
    for (let i = 0; i < dimensions; i++) sum += vector[i] * query[i];
    scored.push([sum, id]);
  }
  scored.sort((a, b) => b[0] - a[0]);
  return new Set(scored.slice(0, k).map(([, id]) => id));
}

function recallOf(engine, truth, effort) {
  let found = 0;
  queries.forEach((query, index) => {
    for (const id of engine.search(query, effort)) found += truth[index].has(id) ? 1 : 0;
  });
  return found / (k * queries.length);
}

function measure(engines, size) {
  const truth = queries.map((query) => exact(query, size));
  const contests = [];
  const report = {};
  for (const engine of engines) {
    const started = performance.now();
    engine.build(size);
    report[engine.name] = { build_seconds: (performance.now() - started) / 1000 };
    if (engine.bytes) report[engine.name].bytes_per_vector = Math.round(engine.bytes / size);
    for (const wanted of recalls) {
      for (const effort of efforts) {
        const recall = recallOf(engine, truth, effort);
        if (recall < wanted) continue;
        contests.push({ engine, wanted, effort, recall, times: [] });
        break;
      }
    }
  }
  for (let round = 0; round < rounds; round++) {
    for (const contest of contests) {
      const started = performance.now();
      for (const query of queries) contest.engine.search(query, contest.effort);
      contest.times.push(((performance.now() - started) * 1000) / queries.length);
    }
  }
  for (const { engine, wanted, effort, recall, times } of contests) {
    times.sort((a, b) => a - b);
    report[engine.name][`recall_${wanted}`] = { microseconds: times[times.length >> 1], recall, effort };
  }
  return report;
}
