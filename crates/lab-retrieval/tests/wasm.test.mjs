// The graph of a seed is the same in wasm as natively: run with `node --test`. Builds the module with cargo, or
// takes the one that LAB_RETRIEVAL_WASM names.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));

function build() {
  const target = "wasm32-unknown-unknown";
  const args = ["build", "--release", "--package", "lab-retrieval", "--example", "same_graph", "--target", target];
  const cargo = spawnSync("cargo", [...args, "--message-format", "json"], {
    cwd: here,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    stdio: ["ignore", "pipe", "inherit"],
  });
  assert.equal(cargo.status, 0, "the module does not build");
  const files = cargo.stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line))
    .flatMap((message) => message.filenames ?? [])
    .filter((file) => file.endsWith("same_graph.wasm"));
  assert.equal(files.length, 1, "cargo names no module");
  return files[0];
}

// The random numbers that the library requests from the platform do not matter: any will do. So stubs take the place
// of wasm-bindgen's imports: there is an object called crypto, and it does nothing.
function imports(module) {
  const found = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    assert.equal(kind, "function");
    found[from] ??= {};
    found[from][name] = () => (name.includes("is_object") ? 1 : 0);
  }
  return found;
}

const file = process.env.LAB_RETRIEVAL_WASM || build();
const module = new WebAssembly.Module(readFileSync(file));
const instance = new WebAssembly.Instance(module, imports(module));

for (const [number, seed, fingerprint] of JSON.parse(readFileSync(join(here, "fingerprints.json"), "utf8"))) {
  test(`${number} vectors, seed ${seed}`, () => {
    assert.equal(instance.exports.fingerprint(number, BigInt(seed)) >>> 0, fingerprint);
  });
}
