// Results that outlive a run: the comparison, the archive, the address, the browser's storage; and a model from
// outside.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { open, start, tiny } from "./lib/playground.mjs";

/** A model whose weights are spread over three files, and an index that names none of them, as files of the site. */
function models() {
  const variant = (name) => fileURLToPath(new URL(`../golden/llama-variant/${name}`, import.meta.url));
  const shards = [1, 2, 3].map((shard) => `model-0000${shard}-of-00003.safetensors`);
  const files = ["config.json", "model.safetensors.index.json", ...shards].map((name) => [`/models/variant/${name}`, variant(name)]);
  return Object.fromEntries([...files, ["/models/wrong/config.json", variant("config.json")], ["/models/wrong/model.safetensors.index.json", variant("config.json")]]);
}

function pair() {
  const experiment = tiny();
  const [{ config, strategy }] = experiment.strategies;
  experiment.strategies = [["fast", 1e-2], ["slow", 2e-3]].map(([name, learning_rate]) => ({
    name,
    strategy,
    config: { ...config, training: { ...config.training, learning_rate } },
  }));
  return experiment;
}

describe("after the run", () => {
  let lab;
  let playground;
  let page;
  before(async () => {
    lab = await start({ more: models() });
    playground = await open(lab);
    page = playground.page;
    await playground.load(pair());
    await page.waitForFunction(() => document.querySelectorAll(".strategy-row .step-card").length === 2);
    await playground.primary.click();
    await playground.until("finished");
  });
  after(() => lab.close());

  const cards = () => page.locator(".strategy-row .step-card").count();
  const states = () => page.locator(".strategy-row .pill").allTextContents();

  it("compares the strategies, the best of each row marked", async () => {
    const row = page.locator(".compare tbody tr", { hasText: "Validation loss" }).first();
    const values = (await row.locator("td").allTextContents()).map((text) => Number(text.match(/\d+\.\d+/)[0]));
    assert.ok(values[0] < values[1], values);
    assert.deepEqual(await row.locator("td").evaluateAll((cells) => cells.map((cell) => cell.classList.contains("best"))), [true, false]);
    await page.getByText("What differs in their settings").click();
    assert.deepEqual(await page.locator('[aria-label="Settings that differ"] tbody th').allTextContents(), ["training.learning_rate"]);
  });

  it("saves all of it as one archive", async () => {
    const archive = await playground.download(/^tiny\.zip/);
    for (const name of ["experiment.json", "comparison.json", "fast/run.json", "slow/metrics.jsonl", "slow/results.json", "fast/model/model.safetensors"]) {
      assert.ok(archive.includes(name), name);
    }
    // Equal contents give equal files.
    assert.equal(await playground.download(/^tiny\.zip/), archive);
  });

  it("keeps the runs through a reload, and the address carries the experiment", async () => {
    await page.locator(".experiment > summary").click();
    await playground.button("Share").click();
    await page.locator(".share-said", { hasText: /address/ }).waitFor();
    assert.match(page.url(), /#experiment=[\w-]+$/);
    await page.locator(".history li").waitFor();
    await page.reload();
    await page.locator(".badge.ready").waitFor();
    await page.waitForFunction(() => document.querySelectorAll(".strategy-row .step-card").length === 2);
    assert.deepEqual(await states(), ["Not run yet", "Not run yet"]);
    await playground.button(/^Open/).click();
    await page.locator(".result").waitFor();
    assert.deepEqual(await states(), ["Trained", "Trained"]);
    assert.match(await playground.primary.textContent(), /Run again/);
    assert.equal((await playground.records()).filter(({ values }) => "loss" in values).length, 20);
    assert.ok((await playground.download("model.safetensors")).length > 10_000);
  });

  it("says so when an address carries nothing that can be read", async () => {
    await page.evaluate(() => (location.hash = "#experiment=nonsense"));
    const error = await playground.error();
    assert.equal(error.code, "invalid_json");
    await playground.button("Dismiss this error").click();
    assert.equal(await cards(), 2, "the experiment that was there stays");
  });

  it("takes a model's files as a base, tells what it needs, and refuses what is none", async () => {
    await playground.button("Base model").click();
    const give = (files) => page.getByLabel("Choose the model's files").setInputFiles(files.map(([name, bytes]) => ({ name, mimeType: "application/octet-stream", buffer: Buffer.from(bytes) })));
    await give([["config.json", "{}"], ["model.safetensors", [1, 2, 3]]]);
    assert.equal((await playground.error()).code, "invalid_data");
    await playground.button("Dismiss this error").click();
    const header = Buffer.from(JSON.stringify({ weight: { dtype: "F32", shape: [3, 4], data_offsets: [0, 48] } }));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    await give([["config.json", "{}"], ["model.safetensors", Buffer.concat([length, header, Buffer.alloc(48)])]]);
    await page.locator(".base-said", { hasText: "12 parameters" }).waitFor();
    assert.equal((await states()).at(-1), "Ready");
    await playground.button("Fine-tune").click();
    const from = page.getByLabel("Starts from");
    assert.equal(await from.locator("option:checked").textContent(), "base");
    assert.equal(await playground.overflow(), 0);
    assert.deepEqual(playground.complaints, []);
  });

  it("takes a base from an address of the site, its weights in one file or in several", async () => {
    await playground.button("Base model").click();
    const card = page.locator(".strategy-row .step-card").last();
    const from = async (address) => {
      await page.getByLabel("Address").last().fill(address);
      await playground.button("Load from the address").last().click();
    };
    await from("models/none/");
    assert.equal((await playground.error()).code, "io");
    await playground.button("Dismiss this error").click();
    await from("models/wrong");
    assert.equal((await playground.error()).code, "invalid_data");
    await playground.button("Dismiss this error").click();
    await from("models/variant/");
    await page.locator(".base-said", { hasText: "11,656 parameters" }).waitFor();
    assert.match(await card.textContent(), /Ready/);
  });

  it("forgets what is deleted", async () => {
    await playground.button(/^Delete/).click();
    await page.locator(".history").waitFor({ state: "detached" });
  });
});
