// The page itself: narrow and wide, light and dark, by keyboard, and when the worker is not there.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { open, start, tiny } from "./lib/playground.mjs";

describe("the page", () => {
  let lab;
  before(async () => {
    lab = await start();
  });
  after(() => lab.close());

  for (const width of [360, 1440]) {
    it(`fits a window of ${width} pixels in every state`, async () => {
      const playground = await open(lab, { viewport: { width, height: 740 } });
      const { page } = playground;
      const fits = async (state) => assert.equal(await playground.overflow(), 0, state);
      await fits("ready");
      await page.getByText("More settings").click();
      await fits("all settings");
      await playground.setting("Heads").fill("5");
      await playground.primary.click();
      await playground.error();
      await fits("an error");
      await playground.loadGood(tiny());
      await playground.primary.click();
      await playground.untilSample();
      await fits("running");
      await playground.until("finished");
      await page.getByLabel("Table", { exact: true }).check();
      await fits("finished, with the table");
      assert.equal(await page.locator(".table-place tbody tr").count(), 20);
      await page.close();
    });
  }

  it("works with the keyboard alone, and keys do not fire while one types", async () => {
    const playground = await open(lab);
    const { page } = playground;
    await playground.loadGood(tiny({ training: { steps: 100_000, evaluation_interval: 1000, sample_interval: 1000 } }));
    const focused = () => page.evaluate(() => document.activeElement?.id);
    await page.evaluate(() => document.activeElement?.blur());
    for (let presses = 0; presses < 8 && (await focused()) !== "primary"; presses += 1) await page.keyboard.press("Tab");
    assert.equal(await focused(), "primary");
    await page.keyboard.press("Enter");
    await playground.untilStep(2);
    assert.equal(await focused(), "primary", "the focus stays");

    await page.getByLabel("Prompt", { exact: true }).last().focus();
    await page.keyboard.type("psxr");
    assert.equal(await playground.phase(), "running");
    await page.evaluate(() => document.activeElement?.blur());
    await page.keyboard.press("p");
    await playground.until("paused");
    const step = await playground.step();
    await page.keyboard.press("s");
    await playground.untilStep(step + 1);
    await page.keyboard.press("p");
    await playground.until("running");
    await page.keyboard.press("x");
    await playground.until("finished");
    await page.close();
  });

  it("names everything that can be used, in every state", async () => {
    const playground = await open(lab);
    const { page } = playground;
    const client = await page.context().newCDPSession(page);
    const roles = new Set(["button", "textbox", "spinbutton", "slider", "checkbox", "radio", "combobox", "image", "progressbar"]);
    const named = async (state, atLeast) => {
      const { nodes } = await client.send("Accessibility.getFullAXTree");
      const used = nodes.filter((node) => !node.ignored && roles.has(node.role?.value));
      const nameless = used.filter((node) => !node.name?.value).map((node) => node.role.value);
      assert.deepEqual(nameless, [], state);
      const names = used.map((node) => `${node.role.value} ${node.name.value}`);
      for (const name of atLeast) assert.ok(names.some((one) => one.startsWith(name)), `${state}: ${name} is not among ${names.join(", ")}`);
    };
    await playground.loadGood(tiny({ training: { steps: 100_000, sample_interval: 1000, evaluation_interval: 5 } }));
    await page.getByText("More settings").click();
    await named("ready", ["button Run", "spinbutton Layers", "textbox Learning rate", "combobox Schedule", "checkbox Biases", "radio Built-in text"]);
    await playground.primary.click();
    await playground.untilStep(6);
    await playground.button(/^Pause/).click();
    await playground.until("paused");
    await named("paused", ["button Step", "textbox Prompt", "slider Temperature", "spinbutton Tokens", "slider Smoothing", "image Loss curve", "progressbar Steps done"]);
    await playground.button(/^Stop/).click();
    await playground.until("finished");
    await named("finished", ["button Run again", "button metrics.jsonl", "button run.json", "button model.safetensors"]);
    assert.equal(await page.getByRole("button", { name: /^Write$/ }).count(), 0, "no button that leads nowhere");
    await page.waitForFunction(() => /^Finished\. The training loss/.test(document.querySelector("#announcer").textContent));
    await page.close();
  });

  it("remembers its colours", async () => {
    const playground = await open(lab, { colorScheme: "light" });
    const { page } = playground;
    const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await paper();
    const colours = playground.button(/^Colours/);
    await colours.click();
    assert.equal(await paper(), light);
    await colours.click();
    const dark = await paper();
    assert.notEqual(dark, light);
    await page.reload();
    await page.locator(".badge.ready").waitFor();
    assert.equal(await paper(), dark);
    await page.close();
  });

  it("says so when the worker is missing, and starts it again", async () => {
    const playground = await open(lab, { ready: false });
    const { page } = playground;
    await page.route("**/worker/worker.js*", (route) => route.fulfill({ status: 404 }));
    // The experiment comes after the error, which must not go away with it.
    let release;
    const shown = new Promise((resolve) => (release = resolve));
    await page.route("**/experiments/quickstart.json", (route) => shown.then(() => route.continue()));
    await page.goto(lab.site.url);
    const error = await playground.error();
    release();
    await page.locator(".preview").waitFor();
    assert.equal(await page.locator(".badge-text").textContent(), "No device");
    assert.match(error.message, /could not be loaded/);
    assert.ok(error.hint);
    await page.unroute("**/worker/worker.js*");
    await playground.button("Start the worker again").click();
    await page.locator(".badge.ready").waitFor();
    await page.close();
  });
});
