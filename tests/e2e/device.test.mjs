// Machines fail: the GPU goes away in mid-run, memory runs out. The page says so and goes on.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { open, start, tiny } from "./lib/playground.mjs";

describe("a GPU that goes away", () => {
  let lab;
  let missing;
  before(async () => {
    lab = await start({ gpu: true });
    const page = await lab.browser.newPage();
    await page.goto(lab.site.url);
    const usable = await page.evaluate(async () => Boolean((await navigator.gpu?.requestAdapter())?.features.has("timestamp-query")));
    missing = usable ? false : "this Chromium has no software WebGPU adapter";
    await page.close();
  });
  after(() => lab.close());

  it("ends the run with an error; the last checkpoint is continued by a new worker", async (context) => {
    if (missing) return context.skip(missing);
    const playground = await open(lab);
    const { page } = playground;
    await playground.loadGood(tiny({ training: { steps: 60, checkpoint_interval: 5, sample_interval: 0 } }));
    await playground.primary.click();
    await playground.untilStep(12);
    const [worker] = page.workers();
    await worker.evaluate(() => self.gpuDevice.destroy());
    const error = await playground.error();
    assert.equal(error.code, "device_lost");
    assert.ok(error.message && error.hint);
    await playground.button(/^Continue from step \d+$/).click();
    await playground.until("finished");
    const steps = (await playground.records()).filter(({ values }) => values.loss !== undefined).map(({ step }) => step);
    assert.deepEqual(steps, Array.from({ length: 60 }, (_, index) => index + 1));
    await page.close();
  });

  it("that reports it has no memory left says so by name", async (context) => {
    if (missing) return context.skip(missing);
    const playground = await open(lab);
    const { page } = playground;
    await playground.loadGood(tiny({ training: { steps: 500, sample_interval: 0 } }));
    await playground.primary.click();
    await playground.untilStep(2);
    // The browser's error for a failed allocation; a software adapter itself has all of the machine's memory.
    await page.workers()[0].evaluate(() => {
      const error = new GPUOutOfMemoryError("out of memory");
      self.gpuDevice.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error }));
    });
    assert.equal((await playground.error()).code, "out_of_memory");
    await page.close();
  });
});

describe("a model too large for the memory there is", () => {
  let lab;
  before(async () => {
    lab = await start();
  });
  after(() => lab.close());

  it("is refused with an error, and a smaller one runs", async () => {
    const playground = await open(lab);
    const { page } = playground;
    await playground.loadGood(tiny({ model: { layers: 16, heads: 8, width: 16384, context: 32 } }));
    await playground.primary.click();
    assert.equal((await playground.error()).code, "out_of_memory");
    await playground.loadGood(tiny());
    await playground.primary.click();
    await playground.until("finished");
    await page.close();
  });
});
