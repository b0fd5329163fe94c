// The village with every strategy, small, from the page: on the CPU, and smaller still on software WebGPU.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { open, start } from "./lib/playground.mjs";

/** The village experiment, small in every respect. */
function small(steps) {
  const training = {
    steps,
    batch_size: 8,
    learning_rate: 4e-3,
    minimum_learning_rate: 1e-3,
    warmup_steps: 2,
    weight_decay: 0.1,
    evaluation_interval: steps,
    evaluation_windows: 4,
    final_evaluation_windows: 8,
    sample_interval: 0,
    checkpoint_interval: 0,
  };
  const optimizer = { learning_rate: 1e-4, minimum_learning_rate: 1e-5, warmup_steps: 1 };
  return {
    name: "small-village",
    seed: 7,
    data: {
      source: "village",
      name: "hamlet",
      village: { people: 8, new_people: 4, documents: 400, held_out_documents: 10, reading_pairs: 60, judged_reading: 8, preference_pairs: 24, judged_preferences: 8 },
    },
    strategies: [
      {
        name: "pretrain",
        strategy: "pretraining",
        config: {
          tokenizer: "bpe",
          vocabulary: 512,
          model: { layers: 1, heads: 2, width: 32, context: 128, norm: "rms_norm", position: "rope", activation: "swiglu" },
          training,
        },
      },
      { name: "full", strategy: "fine_tuning", from: "pretrain", config: { method: "full", training } },
      { name: "qlora", strategy: "fine_tuning", from: "pretrain", config: { method: "qlora", training } },
      {
        name: "rlhf",
        strategy: "rlhf",
        from: "full",
        config: {
          reward: { kind: "model" },
          reward_model: { steps: 4, batch_size: 4, normalisation_samples: 8, evaluation_interval: 4, optimizer },
          rollout: { response_tokens: 12 },
          ppo: { steps: 2, batch_size: 8, minibatches: 2, epochs: 2, optimizer },
          report: { evaluation_interval: 2, evaluation_prompts: 8, sample_interval: 1, samples: 1 },
        },
      },
      { name: "rag", strategy: "rag", from: "full", config: { method: "hybrid", passages: 2, answer_tokens: 12 } },
    ],
  };
}

for (const { name, gpu, steps, badge } of [
  { name: "the CPU", gpu: false, steps: 40, badge: /^CPU/ },
  { name: "software WebGPU", gpu: true, steps: 4, badge: /^WebGPU/ },
]) {
  describe(`a small village on ${name}`, () => {
    let lab;
    before(async () => {
      lab = await start({ gpu });
    });
    after(() => lab.close());

    it("goes through every strategy and compares them", async () => {
      const playground = await open(lab);
      const { page } = playground;
      assert.match(await page.locator(".badge-text").textContent(), badge);
      const experiment = small(steps);
      await playground.load(experiment);
      await page.waitForFunction((count) => document.querySelectorAll(".strategy-row .step-card").length === count, experiment.strategies.length);
      await playground.primary.click();
      await playground.until("finished");
      assert.deepEqual(
        await page.locator(".strategy-row .pill").allTextContents(),
        experiment.strategies.map(() => "Trained"),
      );
      const last = {};
      for (const { name } of experiment.strategies) {
        await page.locator(".tabs label", { hasText: name }).click();
        await page.getByRole("heading", { name: `Result of ${name}` }).waitFor();
        last[name] = Object.assign({}, ...(await playground.records()).map(({ values }) => values));
      }
      // The last strategy, RAG, measures its charted metrics once: they are drawn all the same.
      await page.waitForFunction(() => {
        const canvas = document.querySelector("figure canvas");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const coloured = (pixel) => data[pixel + 3] > 0 && Math.max(...data.slice(pixel, pixel + 3)) - Math.min(...data.slice(pixel, pixel + 3)) > 60;
        return Array.from({ length: data.length / 4 }, (_, pixel) => 4 * pixel).some(coloured);
      });
      for (const name of ["full", "qlora"]) assert.ok(Number.isFinite(last[name].validation_loss), name);
      for (const metric of ["objective/kl", "objective/rlhf_reward", "policy/approxkl_avg", "average_reward", "reward_accuracy"]) assert.ok(Number.isFinite(last.rlhf[metric]), metric);
      assert.ok(last.rag["recall@10"] > 0.5, JSON.stringify(last.rag));
      const table = page.locator(".compare table").first();
      assert.match(await table.textContent(), /Unseen questions/);
      const columns = await table.locator("tbody tr").evaluateAll((rows) => rows.map((row) => row.children.length));
      assert.ok(columns.every((count) => count === experiment.strategies.length + 1), columns.join());

      // Two answers to compare; RLHF would learn from the pair that is picked.
      const collect = page.locator(".collect");
      await collect.getByLabel("Model").selectOption({ label: "full" });
      await collect.getByLabel("Prompt").fill("Where does somebody live?");
      await collect.getByRole("button", { name: "Two answers" }).click();
      await collect.locator("li").nth(1).waitFor();
      const [first, second] = await collect.locator(".ask-reply").allTextContents();
      assert.notEqual(first, second);
      await collect.getByRole("button", { name: /^Second is better/ }).click();
      await collect.locator(".kept", { hasText: "rlhf: 1 kept" }).waitFor();
      const pairs = await page.getByLabel("Collected pairs").inputValue();
      const said = (text) => (text === "It says nothing." ? "" : text);
      assert.deepEqual(JSON.parse(pairs), { prompt: "Where does somebody live?\n", chosen: said(second), rejected: said(first) });
      assert.deepEqual((await page.locator(".strategy-row .pill").allTextContents())[3], "Changed since");
      await collect.locator("li").nth(1).waitFor();

      assert.deepEqual(playground.complaints, []);
      if (process.env.LAB_SHOTS) {
        for (const width of [1440, 360]) {
          await page.setViewportSize({ width, height: 900 });
          await page.screenshot({ path: `${process.env.LAB_SHOTS}/village-${gpu ? "gpu" : "cpu"}-${width}.png`, fullPage: true });
        }
      }
      await page.close();
    });
  });
}
