// The golden models and the kernels in Chromium, on both backends: the same cases as natively, built as
// lab-js's example `browser_cases`.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { PATIENCE, start } from "../e2e/lib/playground.mjs";

const golden = process.env.LAB_GOLDEN_DIR ?? fileURLToPath(new URL("../golden", import.meta.url));
const models = ["gpt2-tiny", "llama-tiny"];
// On the CPU the kernels run natively, by the same code.
const kernels = [
  "matmul",
  "large_matmul",
  "linear",
  "norms",
  "activations",
  "softmax",
  "attention",
  "self_attention",
  "attention_dropout",
  "cached_attention",
  "rope",
  "embedding",
  "cross_entropy",
  "entropy",
  "optimizer",
  "nf4",
];

for (const backend of ["cpu", "gpu"]) {
  describe(`cases, ${backend}`, () => {
    let lab;
    let page;
    let missing = false;
    before(async () => {
      lab = await start({ gpu: backend === "gpu", folder: join(process.env.LAB_CASES, backend) });
      page = await lab.browser.newPage();
      page.setDefaultTimeout(2 * PATIENCE);
      await page.goto(lab.site.url);
      if (backend === "gpu") {
        const found = await page.evaluate(async () => Boolean(await navigator.gpu?.requestAdapter()));
        missing = found ? false : "this Chromium has no software WebGPU adapter";
      }
      await page.evaluate(async () => {
        globalThis.cases = await import("/browser_cases.js");
        await cases.default();
      });
    });
    after(() => lab?.close());

    for (const name of models) {
      it(`golden ${name}`, async (context) => {
        if (missing) return context.skip(missing);
        const files = ["config.json", "model.safetensors", "reference.json"].map((file) => readFile(join(golden, name, file), "base64"));
        const result = page.evaluate(
          async ([name, ...files]) => {
            const bytes = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
            await cases.golden_case(name, ...files.map(bytes));
          },
          [name, ...(await Promise.all(files))],
        );
        await assert.doesNotReject(result);
      });
    }

    for (const name of backend === "gpu" ? kernels : []) {
      it(`kernels: ${name}`, async (context) => {
        if (missing) return context.skip(missing);
        await assert.doesNotReject(page.evaluate((name) => cases.kernel_case(name), name));
      });
    }
  });
}
