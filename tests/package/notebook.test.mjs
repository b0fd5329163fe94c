// The widget for notebooks: alone with a model of the test's, and in JupyterLab and marimo with the notebooks of docs/.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { jupyter, marimo, noNotebooks } from "./lib/notebooks.mjs";
import { browser, serve } from "./lib/pages.mjs";
import { clean, project } from "./lib/project.mjs";

const TIMEOUT = { timeout: 120_000 };
const TOLERANCE = 1e-4;
const config = (steps) => ({
  model: { layers: 1, heads: 2, width: 32, context: 32 },
  training: { steps, batch_size: 4, evaluation_interval: 0, sample_interval: 0, sample_tokens: 0 },
});
const small = (steps) => ({ name: "one", seed: 3, backend: "cpu", data: { source: "user" }, strategies: [{ name: "pretrain", strategy: "pretraining", config: config(steps) }] });
const text = "the quick brown fox jumps over the lazy dog.\n".repeat(60);

let installed;
let site;
let chromium;
before(async () => {
  installed = join(await project("notebook"), "node_modules/@bpm/llm-labs");
  site = await serve(installed, { "access-control-allow-origin": "*" });
  chromium = await browser();
});
after(async () => {
  await chromium?.close();
  site?.close();
  await clean();
});

/** Waits until a page has so many workers. */
async function workers(page, count) {
  for (let tries = 0; tries < 100 && page.workers().length !== count; tries++) await page.waitForTimeout(100);
  assert.equal(page.workers().length, count);
}

describe("the widget", () => {
  let page;
  let notebook;
  before(async () => {
    notebook = await serve(import.meta.dirname);
    page = await chromium.newPage();
    await page.goto(`${notebook.url}experiment.json`);
    // A model as notebooks have it; its traits are in `traits`.
    await page.evaluate(async (address) => {
      const { default: widget } = await import(address);
      const listeners = [];
      globalThis.traits = {};
      globalThis.saved = [];
      const model = {
        get: (name) => traits[name],
        set(name, value) {
          if (traits[name] === value) return;
          traits[name] = structuredClone(value);
          for (const [event, hears] of listeners) if (event === `change:${name}`) hears();
        },
        save_changes: () => saved.push({ ...traits }),
        on: (event, hears) => listeners.push([event, hears]),
        off() {},
      };
      const made = widget();
      made.initialize({ model });
      globalThis.set = (values) => Object.entries(values).forEach(([name, value]) => model.set(name, value));
      globalThis.show = () => made.render({ model, el: document.body });
    }, `${site.url}widget.js`);
  });
  after(() => notebook?.close());
  const set = (values) => page.evaluate((values) => set(values), values);
  const ended = async () => {
    await page.waitForFunction(() => traits.running === false, undefined, TIMEOUT);
    return page.evaluate(() => traits);
  };

  it("runs an experiment for all its views in one lab, and tells the result without the bytes of files", async () => {
    await page.evaluate(() => (globalThis.removers = [show(), show()]));
    await set({ experiment: JSON.stringify(small(30)), text });
    let opened = 0;
    page.on("worker", () => opened++);
    await page.getByRole("button", { name: "Run" }).first().click();
    await page.getByText("Done").nth(1).waitFor(TIMEOUT);
    const { metrics, result, error } = await ended();
    assert.equal(opened, 1);
    assert.deepEqual(error, {});
    // The last step has a second record, of what was evaluated after it.
    const records = metrics.filter(({ loss }) => loss !== undefined);
    assert.deepEqual(records.map(({ strategy, step }) => `${strategy} ${step}`), Array.from({ length: 30 }, (_, step) => `pretrain ${step + 1}`));
    const [outcome] = result.outcomes;
    assert.equal(outcome.outcome, "finished");
    assert.ok(outcome.files.includes("model/config.json"), outcome.files);
    assert.equal(outcome.metrics.loss, records.at(-1).loss);
    assert.match(await page.getByRole("img").first().getAttribute("aria-label"), /loss of pretrain: .* at step 30/);
    await workers(page, 0);
  });

  it("stops with the results so far", async () => {
    await set({ experiment: small(100_000), running: true });
    await page.waitForFunction(() => traits.metrics.length > 5, undefined, TIMEOUT);
    await set({ running: false });
    await page.getByText("Stopped").first().waitFor(TIMEOUT);
    const { outcomes } = await page.evaluate(() => traits.result);
    assert.equal(outcomes[0].stop_reason, "stopped");
    assert.ok(outcomes[0].steps > 5 && outcomes[0].steps < 100_000, outcomes[0].steps);
  });

  it("says what is wrong, with the field", async () => {
    const wrong = small(30);
    wrong.strategies[0].config.model.heads = 0;
    await set({ experiment: wrong, running: true });
    const { error } = await ended();
    assert.equal(error.field, "strategies[0].config.model.heads", JSON.stringify(error));
    await page.getByRole("alert").first().filter({ hasText: error.hint }).waitFor(TIMEOUT);
    await set({ experiment: "{", running: true });
    assert.equal((await ended()).error.code, "invalid_json");
  });

  it("ends its workers with the last of its views", async () => {
    await set({ experiment: small(100_000), running: true });
    await page.getByText("Running on the CPU").first().waitFor(TIMEOUT);
    await page.evaluate(() => removers[0]());
    await page.waitForTimeout(300);
    assert.equal(page.workers().length, 1);
    await page.evaluate(() => removers[1]());
    await workers(page, 0);
    assert.deepEqual((await ended()).error, {});
    assert.equal(await page.getByRole("button").count(), 0);
  });
});

describe("a cell of Observable", () => {
  it("computes, and ends its workers when it is run again", async () => {
    const documented = await readFile(new URL("../../docs/notebooks.md", import.meta.url), "utf8");
    const cell = /```js\nlosses = \{\n(.*?)\n\}\n```/s.exec(documented)[1].replace("http://localhost:8321/", site.url);
    const page = await chromium.newPage();
    await page.goto(`${site.url}package.json`);
    const losses = await page.evaluate((cell) => {
      const invalidation = new Promise((resolve) => (globalThis.invalidate = resolve));
      const AsyncFunction = (async () => {}).constructor;
      return new AsyncFunction("invalidation", cell)(invalidation);
    }, cell);
    assert.equal(losses.filter(Number.isFinite).length, 20, losses);
    await page.evaluate(() => invalidate());
    await workers(page, 0);
    await page.close();
  });
});

describe("the widget in a notebook", () => {
  const options = { skip: noNotebooks() };
  const servers = [];
  after(async () => {
    for (const server of servers) await server.close();
  });

  /** Outcomes of the notebooks' experiment in Node.js. In Python it is written as it would be in JavaScript. */
  let inNode;
  async function outcomes() {
    const source = await readFile(new URL("../../docs/llm-labs-marimo.py", import.meta.url), "utf8");
    const experiment = new Function(`return ${/experiment = (\{.*?\n    \})\n/s.exec(source)[1]}`)();
    const { createLab } = await import(pathToFileURL(join(installed, "node.js")).href);
    const lab = await createLab({ backend: "cpu" });
    const result = await lab.run(experiment).result;
    lab.dispose();
    return result.outcomes;
  }

  /** Opens a notebook; the panel is what the widget shows. */
  async function open(server) {
    servers.push(server);
    const page = await chromium.newPage({ viewport: { width: 1280, height: 1600 } });
    await page.goto(server.url);
    return { page, panel: page.getByRole("region", { name: "LLM Labs" }) };
  }

  /** Holds what the notebook's program printed to the losses in Node.js. */
  async function sameLosses(printed) {
    for (const { strategy, metrics: { loss } } of await (inNode ??= outcomes())) {
      const found = Number(new RegExp(`'${strategy}': ([\\d.]+)`).exec(printed)?.[1]);
      assert.ok(Math.abs(found - loss) <= TOLERANCE, `${strategy}: ${loss}, in the notebook ${printed}`);
    }
  }

  it("has its numbers and its end in JupyterLab", options, async () => {
    const { page, panel } = await open(await jupyter(site.url));
    const command = (name) => page.evaluate((name) => jupyterapp.commands.execute(name), `notebook:${name}`);
    await page.waitForFunction(() => globalThis.jupyterapp?.shell.currentWidget?.content?.widgets?.length > 1, undefined, TIMEOUT);
    await page.evaluate(() => jupyterapp.shell.currentWidget.sessionContext.ready);
    // One of the cells starts the experiment.
    await command("run-all-cells");
    await panel.getByText("Done").waitFor(TIMEOUT);
    await workers(page, 0);
    const printed = await page.evaluate(async () => {
      const { content } = jupyterapp.shell.currentWidget;
      content.activeCellIndex = content.widgets.findIndex(({ model }) => model.sharedModel.source.includes("widget.result"));
      await jupyterapp.commands.execute("notebook:run-cell");
      return content.activeCell.model.outputs.toJSON().map(({ data }) => data["text/plain"]).join("");
    });
    await sameLosses(printed);

    await panel.getByRole("button", { name: "Run" }).click();
    await panel.getByText("Running on").waitFor(TIMEOUT);
    await command("clear-all-cell-outputs");
    await workers(page, 0);
    await page.close();
  });

  it("has its numbers and its end in marimo", options, async () => {
    const { page, panel } = await open(await marimo(site.url));
    await panel.getByRole("button", { name: "Run" }).click(TIMEOUT);
    await sameLosses(await page.getByText("Final losses").textContent(TIMEOUT));
    await workers(page, 0);

    await panel.getByRole("button", { name: "Run" }).click();
    await panel.getByText("Running on").waitFor(TIMEOUT);
    await page.evaluate(() => document.querySelector("marimo-anywidget").remove());
    await workers(page, 0);
    await page.close();
  });
});
