// A step of fine-tuning in the browser on the CPU: all weights beside a LoRA adapter and one on a base in 4 bits, in
// the page as it is served, in turns. `node lora.mjs [--json] [--steps N] [--rounds N]`; the site is LAB_DIST's.
import { parseArgs } from "node:util";
import { open, start } from "../e2e/lib/playground.mjs";

const METHODS = ["full", "lora", "qlora"];
const { values: options } = parseArgs({ options: { json: { type: "boolean" }, steps: { type: "string", default: "5" }, rounds: { type: "string", default: "3" } } });

/** The base of `cargo xtask bench lora` with 6 million weights, and texts of the hamlet. */
function experiment(method, steps) {
  const training = { steps, batch_size: 8, warmup_steps: 0, evaluation_interval: 0, final_evaluation_windows: 1, evaluation_windows: 1, sample_interval: 0, checkpoint_interval: 0 };
  const model = { layers: 8, heads: 8, width: 256, context: 128 };
  return {
    name: "lora",
    seed: 1,
    data: { source: "village", name: "hamlet", village: { people: 8, new_people: 4, documents: 400, held_out_documents: 10, reading_pairs: 60, judged_reading: 8, preference_pairs: 24, judged_preferences: 8 } },
    strategies: [
      { name: "pretrain", strategy: "pretraining", config: { tokenizer: "bpe", vocabulary: 512, model, training: { ...training, steps: 1 } } },
      { name: "tuned", strategy: "fine_tuning", from: "pretrain", config: { method, training } },
    ],
  };
}

/** Tokens a second of the last steps together; all methods see the same batches. */
async function measure(lab, method) {
  const playground = await open(lab);
  const { page } = playground;
  await playground.load(experiment(method, Number(options.steps)));
  await page.waitForFunction(() => document.querySelectorAll(".strategy-row .step-card").length === 2);
  await playground.primary.click();
  await playground.until("finished");
  await page.getByRole("heading", { name: "Result of tuned" }).waitFor();
  const records = (await playground.records()).map(({ values }) => values).filter((values) => "loss" in values);
  await page.close();
  return records.at(-1).tokens_per_second;
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

const lab = await start();
try {
  const speeds = Object.fromEntries(METHODS.map((method) => [method, []]));
  // One after the other: side by side they would wait for each other.
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const method of METHODS) speeds[method].push(await measure(lab, method));
  }
  const measured = Object.fromEntries(METHODS.map((method) => [method, { tokens_per_second: median(speeds[method]) }]));
  const ratio = (method) => measured.full.tokens_per_second / measured[method].tokens_per_second;
  const document = { measured, lora_to_full_step: ratio("lora"), qlora_to_full_step: ratio("qlora") };
  process.stdout.write(options.json ? `${JSON.stringify(document)}\n` : table(document));
} finally {
  await lab.close();
}

function table({ measured, ...ratios }) {
  const rows = METHODS.map((method) => `${method.padEnd(8)}${measured[method].tokens_per_second.toFixed(1).padStart(12)} tokens/s`);
  return `${rows.join("\n")}\n${JSON.stringify(ratios)}\n`;
}
