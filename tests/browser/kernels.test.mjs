// The kernels of the GPU against their plain forms, over random shapes and transposes, forwards and backwards.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { PATIENCE, start } from "../e2e/lib/playground.mjs";

const CASES = [
  "matmul",
  "large_matmul",
  "linear",
  "norms",
  "activations",
  "softmax",
  "attention",
  "self_attention",
  "rope",
  "embedding",
  "cross_entropy",
  "optimizer",
];

describe("the GPU's kernels are their plain forms", () => {
  let lab;
  let page;
  let missing = false;
  before(async () => {
    lab = await start({ gpu: true, folder: process.env.LAB_KERNELS });
    page = await lab.browser.newPage();
    page.setDefaultTimeout(PATIENCE);
    await page.goto(lab.site.url);
    const found = await page.evaluate(async () => Boolean((await navigator.gpu?.requestAdapter())?.features.has("timestamp-query")));
    missing = found ? false : "this Chromium has no software WebGPU adapter";
    if (found) {
      await page.evaluate(async () => {
        const module = await import("/kernel_cases.js");
        await module.default();
        window.runCase = module.run_case;
      });
    }
  });
  after(() => lab.close());

  for (const name of CASES) {
    it(name, async (context) => {
      if (missing) return context.skip(missing);
      const errors = [];
      page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
      await page.evaluate((name) => window.runCase(name), name).catch((error) => errors.push(String(error)));
      page.removeAllListeners("console");
      assert.deepEqual(errors, []);
    });
  }
});
