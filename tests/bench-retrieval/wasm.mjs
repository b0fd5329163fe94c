// The store in wasm beside hnswlib-wasm, in one JavaScript engine, on one thread and at the same recall:
// node wasm.mjs MODULE VECTORS [SIZE…] [--json]. What is done is what src/main.rs does natively.

import { readFileSync } from "node:fs";
import { loadHnswlib } from "./node_modules/hnswlib-wasm/dist/hnswlib.js";

const dimensions = 384;
const k = 10;
const queryCount = 500;
const recalls = [0.95, 0.99];
const efforts = [10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 256, 384, 512, 768];
const rounds = 9;

const given = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const asJson = process.argv.includes("--json");
const [moduleFile, vectorFile, ...sizes] = given;
if (!vectorFile) throw new Error("usage: node wasm.mjs MODULE VECTORS [SIZE…] [--json]");
const bytes = readFileSync(vectorFile);
const all = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
const row = (index) => all.subarray(index * dimensions, (index + 1) * dimensions);
const count = all.length / dimensions;
const queries = Array.from({ length: queryCount }, (_, index) => row(count - queryCount + index));

class Labs {
  name = "LLM Labs";
  constructor() {
    // The random numbers that a library asks for decide nothing: stubs stand for what wasm-bindgen would put in.
    const module = new WebAssembly.Module(readFileSync(moduleFile));
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

const report = {};
const library = await loadHnswlib();
for (const size of sizes.length ? sizes.map(Number) : [1000, 10000, 30000]) {
  const found = measure([new Labs(), new HnswlibWasm(library)], size);
  report[size] = found;
  if (asJson) continue;
  console.log(`\n${size} vectors of ${dimensions} numbers in wasm, one thread, ${k} nearest`);
  for (const [name, entry] of Object.entries(found)) {
    const at = (recall) => {
      const it = entry[`recall_${recall}`];
      return it ? `${it.microseconds.toFixed(0)} µs (${it.recall.toFixed(3)}, ${it.effort})` : "-";
    };
    console.log(`${name.padEnd(14)} ${entry.build_seconds.toFixed(2).padStart(8)} s   ${at(0.95)}   ${at(0.99)}`);
  }
}
if (asJson) console.log(JSON.stringify(report));
