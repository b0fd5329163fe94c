// A metric and a reward of one's own; both may wait for something.

import { GRPOStrategy, PretrainingStrategy, createLab } from "@bpm/llm-labs";

const lab = await createLab({ backend: "cpu" });
lab.addMetric("letters_score", ({ text }) => new Set(text).size, { direction: "more", help: "different letters of the text" });
lab.setReward(async ({ response }) => (response.match(/[aeiou]/g) ?? []).length);

const base = new PretrainingStrategy({ model: { layers: 1, heads: 2, width: 16, context: 32 }, training: { steps: 5 } }, { lab });
const { metrics } = await base.addTrainingData("the cat sat on the mat.\n".repeat(60)).train();

const config = { reward: { kind: "function" }, steps: 2, prompts: 2, group: 4, rollout: { response_tokens: 8 } } as const;
const policy = new GRPOStrategy(config, { lab, from: base });
const preferences = ["the c", "the m", "sat o", "on th"].map((prompt) => ({ prompt, chosen: "at", rejected: "s" }));
await policy.addPreferences(preferences).train();
console.log(JSON.stringify({ letters: metrics.letters_score, reward: policy.getMetrics().average_reward }));
lab.dispose();
