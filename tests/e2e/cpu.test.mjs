import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { open, start } from "./lib/playground.mjs";
import { assertResponsive, tasksDuring } from "./lib/tasks.mjs";
import { trains } from "./lib/training.mjs";

trains("without WebGPU", { gpu: false, badge: /^CPU · SIMD/ });

describe("the quick start", () => {
  let lab;
  before(async () => {
    lab = await start();
  });
  after(() => lab.close());

  it("is there when the page opens, and Run is all it takes", async () => {
    const playground = await open(lab);
    const tasks = await tasksDuring(lab.browser, playground.page, async () => {
      await playground.primary.click();
      await playground.untilStep(60);
      assert.ok((await playground.samples().count()) >= 1);
      await playground.button(/^Stop/).click();
      await playground.until("finished");
    });
    assertResponsive(tasks);
    const losses = (await playground.records()).flatMap(({ values }) => values.loss ?? []);
    assert.ok(losses.at(-1) < losses[0] - 0.5, `the loss went from ${losses[0]} to ${losses.at(-1)}`);
    assert.deepEqual(playground.complaints, []);
    await playground.page.close();
  });

  it("says why it runs on the CPU, and that WebGPU cannot be had", async () => {
    const playground = await open(lab);
    const { page } = playground;
    await page.locator(".badge").focus();
    await page.keyboard.press("Enter");
    assert.match(await page.locator("#device-reason").textContent(), /Why: .*WebGPU/);
    await page.getByLabel("Compute on").selectOption("wgpu");
    const error = await playground.error();
    assert.equal(error.code, "backend_unavailable");
    await playground.button("Use the CPU").click();
    await page.locator(".badge.ready").waitFor();
    assert.match(await page.locator(".badge-text").textContent(), /^CPU/);
    await page.close();
  });
});
