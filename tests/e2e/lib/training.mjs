// Requirements on every device: the page trains, obeys and stays responsive.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { open, start, tiny } from "./playground.mjs";
import { assertResponsive, tasksDuring } from "./tasks.mjs";

const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

/** Whether a worker of this browser could train on WebGPU. */
async function hasAdapter({ browser, site }) {
  const page = await browser.newPage();
  await page.goto(site.url);
  const found = await page.evaluate(async () => Boolean((await navigator.gpu?.requestAdapter())?.features.has("timestamp-query")));
  await page.close();
  return found;
}

export function trains(name, { gpu, badge }) {
  describe(name, () => {
    let lab;
    let missing = false;
    before(async () => {
      lab = await start({ gpu });
      missing = gpu && !(await hasAdapter(lab)) ? "this Chromium has no software WebGPU adapter" : false;
    });
    after(() => lab.close());

    const test = (title, body) =>
      it(title, async (context) => {
        if (missing) return context.skip(missing);
        await body();
      });

    test("the loss falls, samples appear, the page stays responsive and asks nobody else", async () => {
      const playground = await open(lab);
      const { page } = playground;
      assert.match(await page.locator(".badge-text").textContent(), badge);
      await playground.loadGood(tiny());
      const tasks = await tasksDuring(lab.browser, page, async () => {
        await playground.primary.click();
        await playground.untilSample();
        await playground.until("finished");
      });
      assertResponsive(tasks);
      const losses = (await playground.records()).flatMap(({ values }) => values.loss ?? []);
      assert.equal(losses.length, 20);
      const [first, last] = [mean(losses.slice(0, 5)), mean(losses.slice(-5))];
      assert.ok(last < first - 0.3, `the loss went from ${first} to ${last}`);
      assert.equal(await playground.samples().count(), 3, "after 10 and 20 steps, and of the weights that are kept");
      for (const metric of ["loss", "perplexity", "validation_loss", "bits_per_byte", "learning_rate", "gradient_norm"]) {
        assert.match(await page.locator(`[data-metric="${metric}"]`).textContent(), /^\d/, metric);
      }
      assert.match(await page.locator("figcaption").textContent(), /fell from .* to .*Lowest validation loss/);
      assert.deepEqual(playground.complaints, []);
      assert.deepEqual(playground.strangers, []);
      await page.close();
    });

    test("a run pauses, makes single steps, goes on, writes and stops", async () => {
      const playground = await open(lab);
      const { page } = playground;
      await playground.loadGood(tiny({ training: { steps: 100_000, sample_interval: 1000, evaluation_interval: 1000, checkpoint_interval: 0 } }));
      await playground.primary.click();
      await playground.untilStep(3);
      await playground.button(/^Pause/).click();
      await playground.until("paused");
      const paused = await playground.step();

      await page.getByLabel("Prompt", { exact: true }).last().fill("Mar");
      await page.getByLabel("Tokens", { exact: true }).last().fill("5");
      await playground.button(/^Write$/).click();
      await page.locator(".answer pre").waitFor();
      assert.ok((await page.locator(".answer pre").textContent()).startsWith("Mar"));
      assert.equal(await playground.step(), paused, "a paused run makes no steps");

      await playground.button(/^Step/).click();
      await playground.untilStep(paused + 1);
      await page.locator(".status", { hasText: "Paused at step" }).waitFor();
      assert.equal(await playground.step(), paused + 1);

      await playground.button(/^Resume/).click();
      await playground.untilStep(paused + 4);
      await playground.button(/^Stop/).click();
      await playground.until("finished");
      assert.match(await page.locator(".result").textContent(), /Stopped: \d+ steps/);

      const record = JSON.parse(await playground.download("run.json"));
      assert.equal(record.seed, 7);
      assert.equal(record.backend, gpu ? "wgpu" : "cpu");
      assert.match(record.data_hash, /^[0-9a-f]{64}$/);
      assert.equal(record.config.model.width, 32);
      const steps = (await playground.records()).filter(({ values }) => "loss" in values).map(({ step }) => step);
      assert.deepEqual(steps, steps.map((_, index) => index + 1), "every step once, in order");
      assert.ok((await playground.download("model.safetensors")).length > 10_000);
      assert.deepEqual(playground.complaints, []);
      await page.close();
    });

    test("after a crash the run goes on from its last checkpoint, and nothing is lost", async () => {
      const playground = await open(lab);
      const { page } = playground;
      await playground.loadGood(tiny({ training: { steps: 100_000, sample_interval: 5 } }));
      await playground.primary.click();
      await playground.untilStep(7);
      const [worker] = page.workers();
      await worker.evaluate((gpu) => {
        if (gpu) self.gpuDevice.destroy();
        else setTimeout(() => { throw new Error("as if it had crashed"); });
      }, gpu);
      const error = await playground.error();
      assert.equal(error.code, gpu ? "device_lost" : "internal");
      assert.ok(error.message && error.hint);
      assert.ok((await playground.samples().count()) >= 1, "samples stay");
      assert.match(await page.locator("figcaption").textContent(), /training loss/, "metrics stay");

      const offer = playground.button(/^Continue from step \d+$/);
      const from = Number((await offer.textContent()).match(/\d+/)[0]);
      assert.ok(from >= 5 && from % 5 === 0, `a checkpoint of step ${from}`);
      assert.equal(await playground.button(/on the CPU$/).count(), gpu ? 1 : 0);
      await offer.click();
      await playground.until("running");
      await playground.untilStep(from + 3);
      await playground.button(/^Stop/).click();
      await playground.until("finished");
      const steps = (await playground.records()).filter(({ values }) => "loss" in values).map(({ step }) => step);
      assert.deepEqual(steps, steps.map((_, index) => index + 1), "every step once, in order");
      await page.close();
    });
  });
}
