// The behaviour of a lab besides computing: commands, streams, errors, ends. In Node.js, with the package installed from its tarball.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { join } from "node:path";
import { clean, project } from "./lib/project.mjs";

const text = "the quick brown fox jumps over the lazy dog.\n".repeat(60);
const config = (steps, more = {}) => ({
  model: { layers: 1, heads: 2, width: 32, context: 32 },
  training: { steps, batch_size: 4, evaluation_interval: 0, sample_interval: 0, sample_tokens: 0, checkpoint_interval: 0, ...more },
});
const experiment = (steps, more) => ({ name: "one", seed: 3, data: { source: "user" }, strategies: [{ name: "pretrain", strategy: "pretraining", config: config(steps, more) }] });

describe("a lab", () => {
  let labs;
  let lab;
  before(async () => {
    const folder = await project("lab");
    labs = await import(pathToFileURL(join(folder, "node_modules/@bpm/llm-labs/node.js")).href);
    lab = await labs.createLab({ backend: "cpu" });
  });
  after(async () => {
    lab?.dispose();
    await clean();
  });

  it("streams events, pauses, makes steps, keeps checkpoints and stops", async () => {
    const run = lab.run(experiment(100_000), { text });
    const seen = [];
    for await (const event of run) {
      seen.push(event.event);
      if (event.event !== "started") continue;
      await run.pause();
      const records = run.records("pretrain").length;
      await run.step();
      await run.step();
      const { strategy, step, state } = await run.checkpoint();
      assert.ok(strategy === "pretrain" && step >= 2 && state.length > 1000, `${strategy} ${step}`);
      assert.match(await run.generate({ prompt: "the", max_tokens: 3 }), /^[\s\S]{1,3}$/);
      assert.ok(run.records("pretrain").length >= records);
      run.resume();
      const result = await run.stop();
      assert.equal(result.outcomes[0].stop_reason, "stopped");
    }
    for (const event of ["metrics", "paused", "checkpoint", "sample", "resumed", "finished"]) assert.ok(seen.includes(event), `${event} in ${new Set(seen)}`);
    await assert.rejects(async () => run.pause(), { name: "CommandError", code: "invalid_command" });
  });

  it("leaves a checkpoint of an aborted run, from which it goes on as if it had never stopped", async () => {
    const { PretrainingStrategy, AbortedError } = labs;
    const make = () => new PretrainingStrategy(config(600), { lab, seed: 3 }).addTrainingData(text);
    const whole = await make().train();
    const abort = new AbortController();
    const onMetrics = ({ step }) => step >= 2 && abort.abort(new Error("enough"));
    const error = await make().train({ signal: abort.signal, onMetrics }).then(() => assert.fail("it was not aborted"), (error) => error);
    assert.ok(error instanceof AbortedError && error.cause.message === "enough", String(error));
    const [checkpoint] = error.checkpoints;
    assert.ok(checkpoint.step >= 2 && checkpoint.step < 600, `step ${checkpoint.step}`);
    const rest = await make().train({ resume: checkpoint });
    assert.deepEqual([rest.metrics.loss, rest.metrics.validation_loss], [whole.metrics.loss, whole.metrics.validation_loss]);
    await assert.rejects(make().train({ signal: AbortSignal.abort() }), { name: "AbortedError" });
    await assert.rejects(new PretrainingStrategy(config(601), { lab, seed: 3 }).addTrainingData(text).train({ resume: checkpoint }), { name: "CheckpointError", code: "invalid_checkpoint" });
  });

  it("throws errors with a code, a hint and a field", async () => {
    const { PretrainingStrategy, FineTuningStrategy, createTrainingConfig, createLab, LabError } = labs;
    assert.throws(() => createTrainingConfig({ stepps: 3 }), { name: "ConfigError", code: "unknown_key", field: "stepps" });
    assert.throws(() => new PretrainingStrategy({ model: { layers: 0 } }), (error) => error instanceof LabError && error.field === "model.layers" && error.hint.length > 0);
    await assert.rejects(new PretrainingStrategy(config(1), { lab }).train(), { name: "DataError", code: "invalid_data", field: "data" });
    await assert.rejects(new FineTuningStrategy({}, { lab, from: new PretrainingStrategy() }).train(), { name: "CommandError" });
    await assert.rejects(new PretrainingStrategy({ model: { heads: 3, width: 32 } }, { lab }).addTrainingData(text).train(), { name: "ConfigError", field: "strategies[0].config.model.heads" });
    assert.throws(() => lab.run({ ...experiment(1), seed: -1 }, { text }), { name: "ConfigError", field: "seed" });
    await assert.rejects(createLab({ backend: "wgpu" }), { name: "DeviceError", code: "backend_unavailable" });
    await assert.rejects(createLab({ backend: "cpu", wasmUrl: { cpu: "no/such.wasm" } }), { name: "InternalError" });
    await assert.rejects(new PretrainingStrategy(config(1), { lab }).ask("x"), { code: "invalid_command" });
  });

  it("runs a queue of experiments, each in its turn", async () => {
    const { PretrainingStrategy } = labs;
    const train = (seed) => new PretrainingStrategy(config(5), { lab, seed }).addTrainingData(text).train();
    const results = await Promise.all([1, 2, 1].map(train));
    assert.equal(results[0].metrics.loss, results[2].metrics.loss);
    assert.notEqual(results[0].metrics.loss, results[1].metrics.loss);
  });

  it("rejects what was pending when its worker dies, and the next call works", async () => {
    const { createLab, PretrainingStrategy, InternalError } = labs;
    const dying = new URL("programs/dying.js", import.meta.url);
    const frail = await createLab({ backend: "cpu", modules: [dying] });
    const config = { name: "x", seed: 1, data: { source: "user" }, strategies: [{ name: "die", strategy: "dying", config: {} }] };
    const { outcomes } = await frail.run(config, { text }).result;
    assert.equal(outcomes[0].outcome, "failed");
    assert.equal(outcomes[0].error.code, "internal");
    const strategy = new PretrainingStrategy({ ...experiment(3).strategies[0].config }, { lab: frail }).addTrainingData(text);
    const [trained] = await Promise.all([strategy.train()]);
    assert.equal(trained.steps, 3);
    const killed = frail.ask({ experiment: config, strategy: "die", files: [{ path: "a", bytes: new Uint8Array(1) }] }, "die");
    await assert.rejects(killed, InternalError);
    assert.equal(typeof (await strategy.generate("the", { max_tokens: 2 })), "string");
    frail.dispose();
  });

  it("can be created and disposed a hundred times", async () => {
    const { createLab } = labs;
    const workers = () => process.getActiveResourcesInfo().filter((name) => /Worker|MessagePort/.test(name)).length;
    const one = async () => (await createLab({ backend: "cpu" })).dispose();
    const settle = async () => { for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 50)); };
    for (let count = 0; count < 10; count++) await one();
    await settle();
    const [before, memory] = [workers(), process.memoryUsage().rss];
    for (let count = 0; count < 100; count++) await one();
    await settle();
    assert.equal(workers(), before);
    const grown = (process.memoryUsage().rss - memory) / 2 ** 20;
    assert.ok(grown < 100, `${grown.toFixed(0)} MB more`);
  });

  it("keeps its memory flat over a thousand steps", async () => {
    const run = lab.run(experiment(1500), { text });
    let middle;
    for await (const event of run) {
      if (event.event === "metrics" && event.records.at(-1).step > 500) middle ??= process.memoryUsage();
    }
    const end = process.memoryUsage();
    const grown = (end.rss - middle.rss) / 2 ** 20;
    assert.ok(grown < 30, `${grown.toFixed(0)} MB more`);
  });

  it("cannot be used any more when it is disposed", async () => {
    const { createLab } = labs;
    const gone = await createLab({ backend: "cpu" });
    const run = gone.run(experiment(100_000), { text });
    gone.dispose();
    gone.dispose();
    await assert.rejects(run.result, { name: "CommandError" });
    assert.throws(() => gone.run(experiment(1), { text }), { message: "the lab is disposed" });
  });
});
