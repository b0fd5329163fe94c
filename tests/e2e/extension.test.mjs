// A module of the user's with the page: its strategy and metric in runs, charts, comparison and export; and all
// models asked the same.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { open, start, tiny } from "./lib/playground.mjs";

const module = fileURLToPath(new URL("../browser/bigrams.js", import.meta.url));
const search = "?module=modules/bigrams.js";

function counting() {
  const experiment = tiny();
  experiment.strategies.push({ name: "count", strategy: "bigrams", config: { smoothing: 0.5, parts: 4 } });
  return experiment;
}

describe("a module of the user's with the page", () => {
  let lab;
  before(async () => {
    lab = await start({ more: { "/modules/bigrams.js": module } });
  });
  after(() => lab.close());

  const load = async (playground) => {
    await playground.load(counting());
    await playground.page.waitForFunction(() => document.querySelectorAll(".strategy-row .step-card").length === 2);
  };
  const ask = async (page, prompt) => {
    await page.getByLabel("One prompt for all of them").fill(prompt);
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelectorAll(".ask-replies li").length && !document.querySelector('.ask-replies li[data-state="waiting"]'));
    return page.locator(".ask-replies li");
  };

  it("runs, charts, compares, exports and asks what the module brings", async () => {
    const playground = await open(lab, { search });
    const { page } = playground;
    await load(playground);
    const field = page.getByLabel("smoothing", { exact: true });
    assert.equal(await field.inputValue(), "0.5");
    await field.fill("2");
    await playground.primary.click();
    await playground.until("finished");
    assert.deepEqual(await page.locator(".strategy-row .pill").allTextContents(), ["Trained", "Trained"]);

    await page.locator(".tabs label", { hasText: "count" }).click();
    await page.getByRole("heading", { name: "Result of count" }).waitFor();
    const records = await playground.records();
    assert.equal(records.filter(({ values }) => "validation_loss" in values).length, 4);
    assert.ok(records.at(-1).values.sharpness_score > 1);
    assert.equal(JSON.parse(await playground.download("run.json")).config.smoothing, 2);
    await page.locator(".topic select").selectOption("sharpness_score");
    await page.waitForFunction(() => document.querySelectorAll(".legend-button").length === 2);

    // The learner declares a metric of its own.
    assert.ok(records.findLast(({ values }) => "pairs_seen" in values).values.pairs_seen > 100);
    const topics = await page.locator(".topic select option").allTextContents();
    assert.ok(topics.includes("Pairs"), topics.join());

    await page.getByLabel("All metrics").check();
    const row = page.locator(".compare tbody tr", { hasText: "Sharpness score" });
    const cells = await row.locator("td").allTextContents();
    assert.equal(cells.length, 2);
    assert.ok(cells.every((cell) => /\d/.test(cell)) && cells.some((cell) => /Best/.test(cell)), cells.join());
    const archive = await playground.download(/The experiment, and of each strategy/);
    assert.match(archive, /sharpness_score/);

    const replies = await ask(page, "J");
    assert.equal(await replies.count(), 2);
    assert.deepEqual(await replies.locator("h3").allTextContents(), ["pretrain", "count"]);
    for (const text of await replies.locator(".ask-reply").allTextContents()) assert.ok(text.length > 0);
    assert.equal(await replies.nth(1).getAttribute("data-state"), "text");
    assert.deepEqual(playground.complaints, []);
    await page.close();
  });

  it("keeps asking apart: an unreadable prompt fails where it cannot be read, a cancel ends the waiting", async () => {
    const playground = await open(lab, { search });
    const { page } = playground;
    await load(playground);
    await playground.primary.click();
    await playground.until("finished");
    const replies = await ask(page, "✗");
    assert.deepEqual(await replies.evaluateAll((items) => items.map((item) => item.dataset.state)), ["failed", "nothing"]);
    assert.equal(await page.locator(".error").count(), 0);
    assert.equal(await playground.phase(), "finished");
    // Both at once: the answer cannot have arrived yet.
    await page.getByLabel("One prompt for all of them").fill("Ann");
    await page.evaluate(() => {
      const button = document.querySelector(".ask-row button");
      button.click();
      queueMicrotask(() => button.click());
    });
    await page.waitForFunction(() => !document.querySelector('.ask-replies li[data-state="waiting"]'));
    assert.equal(await playground.button("Ask").count(), 1);
    assert.equal(await (await ask(page, "Bob")).count(), 2);
    assert.deepEqual(playground.complaints, []);
    await page.close();
  });

  it("is refused without the module, by name", async () => {
    const playground = await open(lab);
    await playground.load(counting());
    assert.equal((await playground.error()).field, "strategies[1].strategy");
    await playground.page.close();
  });

  it("fits a window of 360 pixels", async () => {
    const playground = await open(lab, { search, viewport: { width: 360, height: 740 } });
    await load(playground);
    await playground.primary.click();
    await playground.until("finished");
    await ask(playground.page, "J");
    assert.equal(await playground.overflow(), 0);
    await playground.page.close();
  });
});
