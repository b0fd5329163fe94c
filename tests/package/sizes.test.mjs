// Sizes of the package as it is built for tests: what is published is smaller, and grows with it.
// `LAB_WRITE=1 node --test sizes.test.mjs` writes them anew.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { built, clean, tarball } from "./lib/project.mjs";

const kept = new URL("sizes.json", import.meta.url);
/** By how much a size may differ from the one that is kept. */
const SHARE = 0.05;

describe("the package's sizes", () => {
  after(clean);

  it("are within 5% of those that are kept", async () => {
    const gzip = async (file) => gzipSync(await readFile(join(built, file))).length;
    const loaded = await Promise.all(["index.js", "engine.wasm", "worker.js", "cpu.wasm"].map(gzip));
    const sizes = {
      tarball: (await readFile(await tarball())).length,
      page_without_workers_gzip: loaded[0] + loaded[1],
      page_on_the_cpu_gzip: loaded.reduce((sum, size) => sum + size),
    };
    console.log(sizes);
    if (process.env.LAB_WRITE) return writeFile(kept, `${JSON.stringify(sizes, null, 2)}\n`);
    const before = JSON.parse(await readFile(kept, "utf8"));
    for (const [name, size] of Object.entries(sizes)) {
      const change = size / before[name] - 1;
      assert.ok(Math.abs(change) <= SHARE, `${name} is ${size}, ${(100 * change).toFixed(1)}% from ${before[name]}: if that is meant, write sizes.json anew`);
    }
  });
});
