// Two strategies that do not depend on each other in the page on the CPU, each alone and both side by side, as the page
// is served. `node parallel.mjs [--json] [--steps N]`; the site is LAB_DIST's.
import { parseArgs } from "node:util";
import { open, start } from "../e2e/lib/playground.mjs";

const { values: options } = parseArgs({ options: { json: { type: "boolean" }, steps: { type: "string", default: "300" } } });

/** GPT-2's and Llama's ways, on the village's text. */
const MODELS = { gpt2: {}, llama: { norm: "rms_norm", position: "rope", activation: "swiglu" } };

function experiment(names) {
  const strategies = names.map((name) => ({
    name,
    strategy: "pretraining",
    config: { model: MODELS[name], training: { steps: Number(options.steps) } },
  }));
  return { name: "parallel", seed: 1337, data: { source: "village", name: "hamlet" }, strategies };
}

/** Seconds from pressing Run to the last result. */
async function measure(lab, names) {
  const playground = await open(lab);
  await playground.load(experiment(names));
  const { page } = playground;
  await page.waitForFunction((count) => document.querySelectorAll(".strategy-row .step-card").length === count, names.length);
  const began = performance.now();
  await playground.primary.click();
  await playground.until("finished");
  const seconds = (performance.now() - began) / 1000;
  await page.close();
  return seconds;
}

const lab = await start();
try {
  const names = Object.keys(MODELS);
  const alone_s = {};
  // One after the other: side by side they would wait for each other.
  for (const name of names) alone_s[name] = await measure(lab, [name]);
  const both_s = await measure(lab, names);
  const both_to_longer = both_s / Math.max(...Object.values(alone_s));
  const document = { alone_s, both_s, both_to_longer };
  process.stdout.write(options.json ? `${JSON.stringify(document)}\n` : table(document));
} finally {
  await lab.close();
}

function table({ alone_s, both_s, both_to_longer }) {
  const line = (name, seconds) => `${name.padEnd(8)}${seconds.toFixed(2).padStart(8)} s`;
  const alone = Object.entries(alone_s).map(([name, seconds]) => line(name, seconds));
  return `${[...alone, line("both", both_s)].join("\n")}, ${both_to_longer.toFixed(2)} of the longer one\n`;
}
