// A step of fine-tuning in the browser on the CPU: all weights beside a LoRA adapter and one on a base in 4 bits, in
// the page as it is served. `node lora.mjs [--json] [--steps N]`; the site is LAB_DIST's.
import { parseArgs } from "node:util";
import { open, start } from "../e2e/lib/playground.mjs";

const METHODS = ["full", "lora", "qlora"];
const { values: options } = parseArgs({ options: { json: { type: "boolean" }, steps: { type: "string", default: "12" } } });

/** The base of `cargo xtask bench lora` with 6 million weights, and texts of the hamlet. */
function experiment(steps) {
  const training = { steps, batch_size: 8, warmup_steps: 0, log_interval: 1, evaluation_interval: 0, final_evaluation_windows: 1, evaluation_windows: 1, sample_interval: 0, checkpoint_interval: 0 };
  const model = { layers: 8, heads: 8, width: 256, context: 128 };
  const pretrain = { name: "pretrain", strategy: "pretraining", config: { tokenizer: "bpe", vocabulary: 512, model, training: { ...training, steps: 1, batch_size: 1 } } };
  const tuned = METHODS.map((method) => ({ name: method, strategy: "fine_tuning", from: "pretrain", config: { method, training } }));
  return {
    name: "lora",
    seed: 1,
    data: { source: "village", name: "hamlet", village: { people: 8, new_people: 4, documents: 200, held_out_documents: 10, reading_pairs: 8, judged_reading: 8 } },
    strategies: [pretrain, ...tuned],
  };
}

const lab = await start();
try {
  const playground = await open(lab);
  await playground.load(experiment(Number(options.steps)));
  await playground.page.waitForFunction((count) => document.querySelectorAll(".strategy-row .step-card").length === count, METHODS.length + 1);
  await playground.primary.click();
  await playground.until("finished");
  const measured = {};
  for (const method of METHODS) {
    await playground.page.locator(".tabs label", { hasText: new RegExp(`^${method}`) }).click();
    await playground.page.getByRole("heading", { name: `Result of ${method}` }).waitFor();
    const records = (await playground.records()).map(({ values }) => values).filter((values) => "loss" in values);
    // Of the last steps together; all methods see the same batches.
    measured[method] = { tokens_per_second: records.at(-1).tokens_per_second, steps: records.length };
  }
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
