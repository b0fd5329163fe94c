// Both builds of the worker in Chromium, without the page: their results and their refusals.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { PATIENCE, start } from "../e2e/lib/playground.mjs";

const read = (path) => readFile(new URL(path, import.meta.url), "utf8");
const experiment = JSON.parse(await read("../../web/experiments/quickstart.json"));
const text = await read("../../crates/lab-village/data/first-names.txt");
const record = JSON.parse(await read("../golden/quickstart-losses.json"));

/** Starts a worker in the page, sends it commands once it is ready, and returns its events up to the wanted one. */
function events(page, backend, commands, wanted) {
  return page.evaluate(
    ({ backend, commands, wanted }) =>
      new Promise((resolve, reject) => {
        const worker = new Worker(`/worker/worker.js?backend=${backend}`, { type: "module" });
        const events = [];
        const losses = () => events.flatMap(({ records }) => records ?? []).filter(({ values }) => "loss" in values);
        worker.onerror = (error) => reject(new Error(error.message));
        worker.onmessage = ({ data }) => {
          events.push(data);
          if (data.event === "ready") for (const command of commands) worker.postMessage(command);
          const done = wanted.losses ? losses().length >= wanted.losses : data.event === wanted.event;
          if (done || data.event === "failed") {
            worker.terminate();
            resolve(events);
          }
        };
      }),
    { backend, commands, wanted },
  );
}

const startCommand = (changed = experiment) => ({ command: "start", run: "1", experiment: changed, strategy: "pretrain", text });

for (const backend of ["cpu", "wgpu"]) {
  describe(`the worker, ${backend}`, () => {
    let lab;
    let page;
    let missing = false;
    before(async () => {
      lab = await start({ gpu: backend === "wgpu" });
      page = await lab.browser.newPage();
      page.setDefaultTimeout(2 * PATIENCE);
      // Any file of the site will do, but the page itself would start a worker of its own.
      await page.goto(`${lab.site.url}experiments/quickstart.json`);
      if (backend === "wgpu") {
        const found = await page.evaluate(async () => Boolean((await navigator.gpu?.requestAdapter())?.features.has("timestamp-query")));
        missing = found ? false : "this Chromium has no software WebGPU adapter";
      }
    });
    after(() => lab.close());

    it("has the losses on record, step by step", async (context) => {
      if (missing) return context.skip(missing);
      const seen = await events(page, backend, [startCommand()], { losses: record.losses.length });
      assert.deepEqual(seen.filter(({ event }) => event === "failed"), []);
      assert.equal(seen.find(({ event }) => event === "ready").backend, backend);
      const losses = seen
        .flatMap(({ records }) => records ?? [])
        .flatMap(({ values }) => values.loss ?? [])
        .slice(0, record.losses.length);
      losses.forEach((loss, step) => {
        const expected = record.losses[step];
        assert.ok(Math.abs(loss - expected) <= record.tolerance, `step ${step + 1}: ${loss}, on record ${expected}`);
      });
    });

    it("refuses a window of 0 by name", async (context) => {
      if (missing) return context.skip(missing);
      const changed = structuredClone(experiment);
      changed.strategies[0].config.model.context = 0;
      const seen = await events(page, backend, [startCommand(changed)], { event: "finished" });
      const { error } = seen.at(-1);
      assert.ok(error?.code && error.message && error.hint, JSON.stringify(seen.at(-1)));
      assert.match(error.field, /context/);
    });

    it("refuses a command it does not know, and says so", async (context) => {
      if (missing) return context.skip(missing);
      const seen = await events(page, backend, [{ command: "dance", run: "1" }], { event: "finished" });
      assert.ok(seen.at(-1).error?.code, JSON.stringify(seen.at(-1)));
    });
  });
}
