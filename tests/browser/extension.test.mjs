// A strategy, a metric and a reward of JavaScript, which a module brings into the worker.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { PATIENCE, start, tiny } from "../e2e/lib/playground.mjs";
import { readFile } from "node:fs/promises";

const text = await readFile(new URL("../../crates/lab-village/data/first-names.txt", import.meta.url), "utf8");
const module = fileURLToPath(new URL("bigrams.js", import.meta.url));

/** Counting beside three steps of pretraining. */
function counting(config = {}) {
  const experiment = tiny({ training: { steps: 3, evaluation_interval: 0, sample_interval: 0, sample_tokens: 0 } });
  experiment.strategies.unshift({ name: "count", strategy: "bigrams", config });
  return experiment;
}

describe("a module of the user's in the worker", () => {
  let lab;
  let page;
  before(async () => {
    lab = await start({ more: { "/modules/bigrams.js": module } });
    page = await lab.browser.newPage();
    page.setDefaultTimeout(2 * PATIENCE);
    await page.goto(`${lab.site.url}experiments/quickstart.json`);
  });
  after(() => lab.close());

  /** Sends commands to a worker, each after the previous one has ended; returns the events up to the last end or a failure. */
  const events = (commands, search = "&module=/modules/bigrams.js") =>
    page.evaluate(
      ({ commands, search }) =>
        new Promise((resolve, reject) => {
          const worker = new Worker(`/worker/worker.js?backend=cpu${search}`, { type: "module" });
          const events = [];
          const ends = ["ready", "finished", "answer"];
          worker.onerror = (error) => reject(new Error(error.message));
          worker.onmessage = ({ data }) => {
            events.push(data);
            const next = ends.includes(data.event) && commands.shift();
            // The files of a run are there for the next command.
            if (next?.base === "these") next.base = events.findLast(({ event }) => event === "finished").result.files;
            if (next) worker.postMessage(next);
            if (data.event === "failed" || (data.event !== "ready" && ends.includes(data.event) && !next)) {
              worker.terminate();
              resolve(events);
            }
          };
        }),
      { commands, search },
    );
  const startOf = (experiment, strategy, more = {}) => ({ command: "start", run: `run ${strategy}`, experiment, strategy, text, ...more });
  const result = (seen) => seen.findLast(({ event }) => event === "finished").result;
  const records = (seen) => seen.flatMap((event) => event.records ?? []);

  it("runs its strategy, measures every run by its metric, and can be asked", async () => {
    const experiment = counting({ parts: 5 });
    const ask = { command: "ask", run: "q", experiment, strategy: "count", base: "these", prompt: "J" };
    const seen = await events([startOf(experiment, "count"), ask]);
    assert.deepEqual(seen.filter(({ event }) => event === "failed"), []);
    const info = seen.find(({ event }) => event === "started").info;
    assert.deepEqual([info.strategy, info.steps, info.config], ["bigrams", 5, { parts: 5 }]);
    const { metrics, files, stop_reason, steps } = result(seen);
    assert.deepEqual([stop_reason, steps, files[0].path], ["completed", 5, "counts/counts.json"]);
    assert.deepEqual(result(seen).declared.map(({ name, direction }) => [name, direction]), [["pairs_seen", "more"], ["sharpness_score", "more"]]);
    const losses = records(seen).flatMap(({ values }) => values.validation_loss ?? []);
    assert.equal(losses.length, 5);
    assert.equal(losses.at(-1), metrics.validation_loss);
    assert.ok(losses.at(-1) < losses[0] && losses.at(-1) > 1, losses.join());
    const sharpness = new Set(text).size / Math.exp(metrics.validation_loss);
    assert.ok(Math.abs(metrics.sharpness_score - sharpness) < 1e-9);
    assert.equal(records(seen).at(-1).values.sharpness_score, metrics.sharpness_score);
    const answer = seen.at(-1);
    assert.equal(answer.event, "answer");
    assert.match(answer.text, /^[a-z]+$/);

    const learned = result(await events([startOf(experiment, "pretrain")])).metrics;
    assert.ok(learned.sharpness_score > 1 && learned.sharpness_score < metrics.sharpness_score, JSON.stringify(learned));
  });

  it("pauses, makes a step, writes, and goes on from a checkpoint as if it had never stopped", async () => {
    const experiment = counting({ parts: 40 });
    const whole = result(await events([startOf(experiment, "count")])).metrics.validation_loss;
    const first = startOf(experiment, "count");
    // Paused first, so the checkpoint comes before the end.
    const seen = await page.evaluate(
      ({ start }) =>
        new Promise((resolve) => {
          const worker = new Worker("/worker/worker.js?backend=cpu&module=/modules/bigrams.js", { type: "module" });
          const events = [];
          const run = start.run;
          const request = { prompt: "J", max_tokens: 3 };
          worker.onmessage = ({ data }) => {
            events.push(data);
            if (data.event === "ready") worker.postMessage(start);
            if (data.event === "started") worker.postMessage({ command: "step", run });
            if (data.event === "paused" && !events.some(({ event }) => event === "sample")) worker.postMessage({ command: "generate", run, request });
            if (data.event === "sample") worker.postMessage({ command: "checkpoint", run });
            if (data.event === "checkpoint" && events.filter(({ event }) => event === "checkpoint").length === 1) worker.postMessage({ command: "stop", run });
            if (data.event === "finished" || data.event === "failed") {
              worker.terminate();
              resolve(events);
            }
          };
        }),
      { start: first },
    );
    const { step, state } = seen.find(({ event }) => event === "checkpoint");
    assert.equal(result(seen).stop_reason, "stopped");
    assert.equal(result(seen).steps, step, "it pauses after the step that was asked for");
    assert.ok(step > 0 && step < 40);
    const sample = seen.find(({ event }) => event === "sample");
    assert.deepEqual([sample.step, sample.prompt], [step, "J"]);
    assert.match(sample.text, /^[a-z]{1,3}$/);
    assert.ok(!("sharpness_score" in result(seen).metrics), "a run that was stopped is not judged");
    const resumed = await page.evaluate(
      ({ start, state }) =>
        new Promise((resolve) => {
          const worker = new Worker("/worker/worker.js?backend=cpu&module=/modules/bigrams.js", { type: "module" });
          worker.onmessage = ({ data }) => {
            if (data.event === "ready") worker.postMessage({ ...start, checkpoint: Uint8Array.from(state) });
            if (data.event === "finished" || data.event === "failed") {
              worker.terminate();
              resolve(data);
            }
          };
        }),
      { start: first, state: Object.values(state) },
    );
    assert.equal(resumed.result.metrics.validation_loss, whole);
  });

  it("supplies the reward of RLHF", async () => {
    const experiment = counting();
    experiment.strategies[1].config.training.steps = 20;
    experiment.strategies.push({
      name: "vowels",
      strategy: "grpo",
      from: "pretrain",
      config: { reward: { kind: "function" }, rollout: { response_tokens: 6, stop: "\n" }, steps: 2, prompts: 2, group: 4, minibatches: 1, report: { evaluation_prompts: 4, checkpoint_interval: 0 } },
    });
    const prompts = text.split("\n").slice(0, 40).map((prompt) => JSON.stringify({ prompt })).join("\n");
    const seen = await events([startOf(experiment, "pretrain"), startOf(experiment, "vowels", { text: prompts, base: "these" })]);
    assert.deepEqual(seen.filter(({ event }) => event === "failed"), []);
    const rewards = records(seen).flatMap(({ values }) => values.average_reward ?? []);
    assert.ok(rewards.length > 0 && rewards.every((reward) => reward >= 0 && reward <= 6), rewards.join());
    assert.ok(rewards.some((reward) => reward > 0));
  });

  it("is refused with what it says of its settings and of the data", async () => {
    const failure = async (config, more) => (await events([startOf(counting(config), "count", more)])).at(-1).error;
    const refused = await failure({ smoothing: -1 });
    assert.deepEqual([refused.code, refused.field], ["invalid_config", "strategies[0].config.smoothing"]);
    const unknown = await failure({ smooth: 1 });
    assert.deepEqual([unknown.code, unknown.field], ["unknown_key", "strategies[0].config.smooth"]);
    const short = await failure({}, { text: "abc" });
    assert.deepEqual([short.code, short.field], ["invalid_data", "data"]);
  });

  it("says what is wrong with a module, and knows no strategy of a module that was not loaded", async () => {
    const missing = (await events([], "&module=/modules/nothing.js")).at(-1).error;
    assert.equal(missing.code, "invalid_data");
    assert.match(missing.message, /nothing\.js/);
    const strange = (await events([], `&module=${encodeURIComponent("https://example.org/a.js")}`)).at(-1).error;
    assert.match(strange.message, /not on this site/);
    const twice = (await events([], "&module=/modules/bigrams.js&module=/modules/bigrams.js?again")).find(({ event }) => event === "failed").error;
    assert.match(twice.message, /bigrams/);
    const without = (await events([startOf(counting(), "count")], "")).at(-1).error;
    assert.equal(without.field, "strategies[0].strategy");
  });
});
