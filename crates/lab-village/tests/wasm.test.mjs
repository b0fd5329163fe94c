// The files of a village are the same in wasm as natively: run with `node --test`. Builds the module
// with cargo, or takes the one that LAB_VILLAGE_WASM names.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const presets = ["hamlet", "village", "town"];

function build() {
  const target = "wasm32-unknown-unknown";
  const args = ["build", "--release", "--package", "lab-village", "--example", "village_wasm", "--target", target];
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
    .filter((file) => file.endsWith("village_wasm.wasm"));
  assert.equal(files.length, 1, "cargo names no module");
  return files[0];
}

const file = process.env.LAB_VILLAGE_WASM || build();
const { instance } = await WebAssembly.instantiate(readFileSync(file), {});
const { digest, memory } = instance.exports;

function digestOf(preset, seed) {
  const address = digest(presets.indexOf(preset), BigInt(seed));
  assert.notEqual(address, 0);
  return Buffer.from(memory.buffer, address, 64).toString("latin1");
}

for (const { preset, seed, sha256 } of JSON.parse(readFileSync(join(here, "digests.json"), "utf8"))) {
  test(`${preset} of seed ${seed}`, () => assert.equal(digestOf(preset, seed), sha256));
}
