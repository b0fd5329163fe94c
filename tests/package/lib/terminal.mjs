// The terminal program's numbers, to which those of the package are compared.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execute } from "./project.mjs";

const experiment = fileURLToPath(new URL("../experiment.json", import.meta.url));
/** How far the CPU in wasm may be from the CPU natively. */
const TOLERANCE = 1e-4;
/** Times and memory, which differ from run to run. */
const MEASURED = /_ms|per_second|_bytes$|^eps$|seconds/;

/** The final metrics of each strategy, by name, as `lab run` has them. */
export async function terminalMetrics() {
  const out = await mkdtemp(join(tmpdir(), "llm-labs-terminal-"));
  try {
    const lab = process.env.LAB_TERMINAL ?? fileURLToPath(new URL("../../../target/debug/lab", import.meta.url));
    await execute(lab, ["run", experiment, "--out", out, "--backend", "cpu"], out);
    const { strategies } = JSON.parse(await readFile(experiment, "utf8"));
    const read = async ({ name }) => [name, JSON.parse(await readFile(join(out, name, "results.json"), "utf8")).metrics];
    return Object.fromEntries(await Promise.all(strategies.map(read)));
  } finally {
    await rm(out, { recursive: true });
  }
}

/** Holds outcomes of the package, as programs print them, to the terminal's metrics. */
export function sameNumbers(outcomes, terminal) {
  assert.deepEqual(outcomes.map(({ strategy }) => strategy), Object.keys(terminal));
  for (const { strategy, outcome, metrics, error } of outcomes) {
    assert.equal(outcome, "finished", JSON.stringify(error));
    const names = Object.keys(terminal[strategy]).filter((name) => !MEASURED.test(name));
    assert.deepEqual(Object.keys(metrics).filter((name) => !MEASURED.test(name)).sort(), names.sort());
    for (const name of names) {
      const [here, there] = [metrics[name], terminal[strategy][name]];
      assert.ok(Math.abs(here - there) <= TOLERANCE * Math.max(1, Math.abs(there)), `${strategy} ${name}: ${here}, in the terminal ${there}`);
    }
  }
}
