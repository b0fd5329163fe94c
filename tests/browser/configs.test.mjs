// JavaScript's builders of configurations: their defaults and their refusals are the Rust types' own.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import * as configs from "../../crates/lab-js/npm/configs.js";
import { declarations } from "../../crates/lab-js/npm/make-types.mjs";
import schema from "../../crates/lab-js/npm/schema.js";

const read = async (path) => JSON.parse(await readFile(new URL(path, import.meta.url), "utf8"));
const refusal = (code, field, hint) => (error) => {
  assert.deepEqual([error.code, error.field], [code, field], error.message);
  assert.ok(error.message && error.hint);
  if (hint) assert.equal(error.hint, hint);
  return true;
};

describe("builders of configurations", () => {
  it("fill in the defaults of the schema, at every depth", () => {
    const training = configs.createTrainingConfig({ steps: 7 });
    assert.deepEqual([training.steps, training.batch_size, training.schedule], [7, 8, "cosine"]);
    const tuning = configs.createFineTuningConfig({ method: "full", training: { steps: 3 } });
    assert.deepEqual([tuning.method, tuning.lora.rank, tuning.training.steps, tuning.training.beta2], ["full", 8, 3, 0.99]);
    const rlhf = configs.createRLHFConfig({ lora: { rank: 2 }, reward: { kind: "length", tokens: 5 } });
    assert.deepEqual([rlhf.lora.alpha, rlhf.reward, rlhf.ppo.clip], [16, { kind: "length", tokens: 5 }, 0.2]);
    assert.equal("lora" in configs.createDPOConfig(), false, "what is not there by default is left out");
    assert.equal(configs.createGRPOConfig().group, 8);
    assert.equal(configs.createRAGConfig("memory", { passages: 5 }).chunking.size, 200);
    assert.equal(configs.createPretrainingConfig({ model: { layers: 2 } }).model.width, 64);
  });

  it("fill a part from the default of what holds it, and leave a village to its preset", () => {
    assert.equal(configs.createFineTuningConfig({ training: { steps: 3 } }).training.learning_rate, 2e-4);
    assert.equal(configs.createRLHFConfig({ ppo: { optimizer: { warmup_steps: 2 } } }).ppo.optimizer.learning_rate, 3e-6);
    assert.equal(configs.createRLHFConfig({ reward_model: { optimizer: { warmup_steps: 2 } } }).reward_model.optimizer.learning_rate, 1e-4);
    const data = { source: "village", name: "town", village: { people: 30 } };
    assert.deepEqual(configs.createExperiment("x", { data, strategies: [configs.createStrategyConfig("a", "rag")] }).data.village, { people: 30 });
  });

  it("give each its own copy of a default", () => {
    configs.createFineTuningConfig().lora.targets.push("q_proj");
    assert.deepEqual(configs.createFineTuningConfig().lora.targets, []);
  });

  it("make models of an architecture, and name those from elsewhere without their keys", () => {
    const llama = configs.createModelConfig("scratch", "llama", { layers: 2 });
    assert.deepEqual([llama.layers, llama.norm, llama.position, llama.activation, llama.width], [2, "rms_norm", "rope", "swiglu", 64]);
    assert.deepEqual({ ...configs.createModelConfig("site", "models/tiny") }, { address: "models/tiny" });
    const before = process.env.HF_TOKEN;
    process.env.HF_TOKEN = "hf_of_the_environment";
    try {
      const model = configs.createModelConfig("huggingface", "owner/name", { revision: "v2" });
      assert.equal(model.address, "https://huggingface.co/owner/name/resolve/v2");
      assert.equal(model.apiKey, "hf_of_the_environment");
      assert.equal(configs.createModelConfig("huggingface", "owner/name", { apiKey: "mine" }).apiKey, "mine");
      for (const written of [JSON.stringify(model), JSON.stringify({ ...model }), JSON.stringify(structuredClone(model))]) {
        assert.doesNotMatch(written, /hf_of|apiKey/);
      }
    } finally {
      if (before === undefined) delete process.env.HF_TOKEN;
      else process.env.HF_TOKEN = before;
    }
  });

  it("refuse what the schema does not have, and name the field", () => {
    assert.throws(() => configs.createTrainingConfig({ stepps: 3 }), refusal("unknown_key", "stepps"));
    assert.throws(() => configs.createPretrainingConfig({ model: { layers: "four" } }), refusal("invalid_json", "model.layers"));
    assert.throws(() => configs.createPretrainingConfig({ model: { layers: -1 } }), refusal("invalid_json", "model.layers"));
    assert.throws(() => configs.createPretrainingConfig({ model: { norm: "none" } }), refusal("invalid_json", "model.norm"));
    assert.throws(() => configs.createRLHFConfig({ lora: { ranks: 2 } }), refusal("unknown_key", "lora.ranks"));
    assert.throws(() => configs.createTrainingConfig({ steps: 0 }), refusal("invalid_config", "steps", "Use a whole number from 1 to 10000000."));
    assert.throws(() => configs.createTrainingConfig({ epsilon: 0 }), refusal("invalid_config", "epsilon", "Use a number above 0 to 1."));
    assert.throws(() => configs.createTrainingConfig({ warmup_steps: 1.5 }), refusal("invalid_json", "warmup_steps"));
    assert.throws(() => configs.createFineTuningConfig({ lora: { targets: ["q_proj", 3] } }), refusal("invalid_json", "lora.targets[1]"));
    const reward = (reward) => () => configs.createRLHFConfig({ reward });
    assert.throws(reward({ kind: "pattern", pattern: 3 }), refusal("invalid_json", "reward.pattern"));
    assert.throws(reward({ kind: "pattern", pattern: "a", weight: 2e6 }), refusal("invalid_config", "reward.weight"));
    assert.throws(reward({ kind: "length" }), refusal("invalid_json", "reward.tokens", "Give it."));
    assert.throws(reward({ kind: "model", tokens: 2 }), refusal("unknown_key", "reward.tokens"));
    assert.throws(reward({ kind: "gold" }), refusal("invalid_json", "reward.kind", 'Use "model" or "pattern" or "length" or "function".'));
    assert.throws(() => configs.createModelConfig("nobody", "x"), refusal("invalid_config", "provider"));
    assert.throws(() => configs.createModelConfig("scratch", "mamba"), refusal("invalid_config", "modelId"));
    assert.throws(() => configs.createRAGConfig("chroma"), refusal("invalid_config", "vectorStoreType"));
  });

  it("make experiments that the lab reads, those of the site among them", async () => {
    const model = configs.createModelConfig("scratch", "gpt2", { layers: 2 });
    const experiment = configs.createExperiment("mine", {
      data: { source: "village", name: "hamlet", village: { people: 30 } },
      strategies: [
        configs.createStrategyConfig("pretrain", "pretraining", { model }),
        configs.createStrategyConfig("tune", "fine_tuning", undefined, "pretrain"),
        configs.createStrategyConfig("own", "bigrams", { parts: 2 }),
      ],
    });
    assert.deepEqual([experiment.seed, experiment.schema, experiment.backend], [1337, 1, "auto"]);
    assert.deepEqual(experiment.strategies.map(({ from, config }) => [from, Object.keys(config).length > 0]), [[undefined, true], ["pretrain", true], [undefined, true]]);
    assert.deepEqual(experiment.strategies[2].config, { parts: 2 });
    for (const name of ["quickstart", "nanogpt-cpu", "fine-tuning", "rlhf", "village"]) {
      const { name: title, ...rest } = await read(`../../web/experiments/${name}.json`);
      assert.equal(configs.createExperiment(title, rest).strategies.length, rest.strategies.length);
    }
    const of = (...strategies) => () => configs.createExperiment("x", { data: { source: "user" }, strategies });
    const named = configs.createStrategyConfig;
    assert.throws(of(named("a", "rag", {}, "b")), refusal("invalid_config", "strategies[0].from"));
    assert.throws(of(named("a", "rag"), named("a", "rag")), refusal("invalid_config", "strategies[1].name"));
    assert.throws(of(named("a", "rag", { passage: 2 })), refusal("unknown_key", "strategies[0].config.passage"));
    assert.throws(() => configs.createExperiment("x", { strategies: [] }), refusal("invalid_json", "data"));
  });

  it("have the types of the schema", async () => {
    const kept = await readFile(new URL("../../crates/lab-js/npm/schema.d.ts", import.meta.url), "utf8");
    assert.equal(kept, declarations(schema), "write it anew: node crates/lab-js/npm/make-types.mjs");
  });
});
