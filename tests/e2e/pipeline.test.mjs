// Experiments of several strategies: each runs after the one it starts from, and at the same time as independent
// ones; a failure stops only the strategies that start from it; all of it can be paused, stopped and run again.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { open, start, tiny } from "./lib/playground.mjs";
import { assertResponsive, tasksDuring } from "./lib/tasks.mjs";

/** An experiment of pretraining strategies: name, changes of the training, base. */
function several(...strategies) {
  const experiment = tiny();
  const [{ config }] = experiment.strategies;
  experiment.strategies = strategies.map(([name, training = {}, from]) => ({
    name,
    strategy: "pretraining",
    ...(from ? { from } : {}),
    config: { ...config, training: { ...config.training, ...training } },
  }));
  return experiment;
}

describe("an experiment of several strategies", () => {
  let lab;
  before(async () => {
    lab = await start();
  });
  after(() => lab.close());

  /** The strategies' states, from their cards. */
  const states = (page) => page.locator(".strategy-row .pill").allTextContents();
  const load = async (playground, experiment) => {
    await playground.load(experiment);
    await playground.page.waitForFunction((count) => document.querySelectorAll(".strategy-row .step-card").length === count, experiment.strategies.length);
  };

  it("runs them all, keeps what each recorded, and the page stays responsive", async () => {
    const playground = await open(lab);
    const { page } = playground;
    await load(playground, several(["slow", { learning_rate: 2e-3 }], ["fast"]));
    const tasks = await tasksDuring(lab.browser, page, async () => {
      await playground.primary.click();
      await playground.until("finished");
    });
    assertResponsive(tasks);
    assert.deepEqual(await states(page), ["Trained", "Trained"]);
    assert.match(await page.locator(".status").textContent(), /2 strategies: 2 done/);
    const last = {};
    for (const name of ["slow", "fast"]) {
      await page.locator(".tabs label", { hasText: name }).click();
      await page.getByRole("heading", { name: `Result of ${name}` }).waitFor();
      const records = await playground.records();
      assert.ok(records.every(({ strategy }) => strategy === name));
      const losses = records.flatMap(({ values }) => values.loss ?? []);
      assert.equal(losses.length, 20);
      last[name] = losses.at(-1);
      assert.equal(await playground.samples().count(), 3);
    }
    assert.ok(last.fast < last.slow, JSON.stringify(last));
    assert.match(await page.locator("figcaption").textContent(), /slow: The training loss fell.*fast: The training loss fell/);
    assert.deepEqual(await page.locator(".legend-button").allTextContents(), ["slow", "fast"]);
    assert.deepEqual(playground.complaints, []);
    await page.close();
  });

  it("goes on where it stands: only what is new or was changed runs", async () => {
    const playground = await open(lab);
    const { page } = playground;
    await load(playground, several(["one"], ["two"]));
    await playground.primary.click();
    await playground.until("finished");
    // However often it was drawn anew, the chart fills its place.
    await page.waitForFunction(() => {
      const plot = document.querySelector(".plot");
      const parts = [...plot.querySelectorAll(".u-wrap, .u-legend")];
      return Math.abs(plot.clientHeight - parts.reduce((sum, { offsetHeight }) => sum + offsetHeight, 0)) <= 2;
    });
    assert.match(await playground.primary.textContent(), /Run again/);
    await page.locator(".strategy-row .step-card > summary").nth(1).click();
    await page.getByLabel("Steps", { exact: true }).nth(1).fill("12");
    assert.deepEqual(await states(page), ["Trained", "Changed since"]);
    assert.equal(await page.locator(".strategy-row .outcome").nth(1).textContent(), "Trained with other settings.");
    assert.match(await playground.primary.textContent(), /Run the rest/);
    await playground.primary.click();
    await page.waitForFunction(() => /Run again/.test(document.querySelector("#primary").textContent));
    const ran = async () => [JSON.parse(await playground.download("run.json")).run, (await playground.records()).filter(({ values }) => "loss" in values).length];
    assert.deepEqual(await ran(), ["run-3", 12]);
    await page.locator(".tabs label", { hasText: "one" }).click();
    await page.getByRole("heading", { name: "Result of one" }).waitFor();
    assert.deepEqual(await ran(), ["run-1", 20], "the first is left alone");
    await playground.button("Pretrain").click();
    assert.deepEqual(await states(page), ["Trained", "Trained", "Not run yet"]);
    await playground.button("Remove pretrain").click();
    assert.deepEqual(await states(page), ["Trained", "Trained"]);
    await page.close();
  });

  it("stops what starts from a failure, and nothing else", async () => {
    const playground = await open(lab);
    const { page } = playground;
    const experiment = several(["broken"], ["after", {}, "broken"], ["apart"]);
    // No text is long enough for this window.
    experiment.strategies[0].config = { ...experiment.strategies[0].config, model: { layers: 1, heads: 2, width: 32, context: 30_000 } };
    await load(playground, experiment);
    await playground.primary.click();
    await page.locator('#run[data-phase="failed"]').waitFor();
    assert.deepEqual(await states(page), ["Failed", "Skipped", "Trained"]);
    assert.match(await page.locator(".status").textContent(), /1 done, 1 failed, 1 skipped/);
    assert.equal((await playground.error()).field, "data");
    await page.locator(".tabs label", { hasText: "apart" }).click();
    assert.equal((await playground.records()).filter(({ values }) => "loss" in values).length, 20);
    await page.close();
  });

  it("pauses at any point, and a stop lets those that wait go", async () => {
    const playground = await open(lab);
    const { page } = playground;
    await load(playground, several(["one", { steps: 12 }], ["two", { steps: 100_000, checkpoint_interval: 0 }, "one"], ["three", {}, "two"]));
    await playground.primary.click();
    await page.waitForFunction(() => /^two/.test(document.querySelector(".status").textContent) && document.querySelector("progress").value >= 2);
    await playground.button(/^Pause/).click();
    await playground.until("paused");
    assert.deepEqual(await states(page), ["Trained", "Paused", "Waiting"]);
    await playground.button(/^Resume/).click();
    await playground.until("running");
    await playground.button(/^Stop/).click();
    await playground.until("finished");
    assert.deepEqual(await states(page), ["Trained", "Trained", "Not run yet"]);
    await page.close();
  });

  it("runs side by side what does not depend on each other, and pauses and stops all of it", async () => {
    const playground = await open(lab);
    const { page } = playground;
    const processors = await page.evaluate(() => navigator.hardwareConcurrency);
    const endless = { steps: 100_000, checkpoint_interval: 0 };
    await load(playground, several(["one", endless], ["two", endless], ["three", {}, "one"]));
    await playground.primary.click();
    if (processors < 2) await page.waitForFunction(() => document.querySelector("progress").value >= 2);
    else await page.locator(".status", { hasText: "1 more beside it" }).waitFor();
    const both = processors < 2 ? ["Paused", "Waiting", "Waiting"] : ["Paused", "Paused", "Waiting"];
    await playground.button(/^Pause/).click();
    await playground.until("paused");
    assert.deepEqual(await states(page), both);
    await playground.button(/^Step/).click();
    await page.waitForTimeout(300);
    assert.deepEqual(await states(page), both);
    await playground.button(/^Resume/).click();
    await playground.until("running");
    await playground.button(/^Stop/).click();
    await playground.until("finished");
    assert.deepEqual(await states(page), processors < 2 ? ["Trained", "Not run yet", "Not run yet"] : ["Trained", "Trained", "Not run yet"]);
    assert.deepEqual(playground.complaints, []);
    await page.close();
  });

  it("refuses what cannot be put in an order, before anything runs", async () => {
    const playground = await open(lab);
    for (const [strategies, field] of [
      [[["a", {}, "b"], ["b", {}, "a"]], "strategies[0].from"],
      [[["a", {}, "nobody"]], "strategies[0].from"],
    ]) {
      await playground.load(several(...strategies));
      assert.equal((await playground.error()).field, field);
      await playground.button("Dismiss this error").click();
    }
    await load(playground, several(["same"], ["same"]));
    await playground.primary.click();
    assert.equal((await playground.error()).field, "strategies[1].name");
    assert.equal(await playground.phase(), "idle");
    await playground.page.close();
  });

  for (const width of [360, 1440]) {
    it(`fits a window of ${width} pixels`, async () => {
      const playground = await open(lab, { viewport: { width, height: 740 } });
      await load(playground, several(["one"], ["two-with-a-name-that-is-quite-long"], ["three"], ["four", { steps: 100_000, checkpoint_interval: 0 }, "one"]));
      assert.equal(await playground.overflow(), 0, "ready");
      await playground.primary.click();
      await playground.page.locator(".legend-button").first().waitFor();
      assert.equal(await playground.overflow(), 0, "running");
      await playground.page.getByLabel("Table", { exact: true }).check();
      assert.equal(await playground.overflow(), 0, "with the table");
      await playground.button(/^Stop/).click();
      await playground.until("finished");
      assert.equal(await playground.overflow(), 0, "finished");
      await playground.page.close();
    });
  }
});
