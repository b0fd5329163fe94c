// Contenders take turns in one page: warm-up with equal losses first, then rounds, then medians.
import { CONTENDERS, GROUPS } from "./options.mjs";

const LIMIT_MS = 8 * 60 * 1000;
const LEAST_ROUNDS = 2;
// Rounding errors grow with training, so only the first steps can have a tight tolerance.
const COMPARED_STEPS = 10;

/** Measures one configuration in an open page; returns { [contender]: { median, … } }. Throws if losses differ. */
export async function measure(page, group, config, entries, log) {
  const { path, tolerance } = GROUPS[group];
  const runs = [];
  try {
    for (const entry of entries) {
      const { library, backends, title } = CONTENDERS[entry.contender];
      const name = `${entry.contender}-${config}`;
      const steps = entry.warmup + entry.rounds * entry.steps;
      const request = { name, library, backend: backends[path], config, steps };
      const run = { ...entry, name, title, losses: [], turns: [], spent: 0 };
      runs.push(run);
      const created = await within(page.evaluate((r) => window.bench.create(r), request), `${title} starts`);
      const first = await turn(page, run, 1);
      run.firstStep = created.ms + first.ms;
      run.threads = created.threads;
      if (run.warmup > 1) await turn(page, run, run.warmup - 1);
      log(`  ${title}: ready, first step after ${Math.round(run.firstStep)} ms, loss ${run.losses.at(-1).toFixed(4)}`);
    }
    compare(runs, tolerance);
    const rounds = Math.max(...runs.map((run) => run.rounds));
    for (let round = 0; round < rounds; round++) {
      for (const run of runs) {
        if (round >= run.rounds || (round >= LEAST_ROUNDS && run.spent >= run.budgetMs)) continue;
        const result = await turn(page, run, run.steps);
        run.turns.push(result);
        run.spent += result.ms;
      }
    }
    // Once more: some contenders reach the last of these steps only in their rounds.
    const difference = compare(runs, tolerance);
    const results = Object.fromEntries(runs.map((run) => [run.contender, summary(run)]));
    return { results, difference };
  } finally {
    // A page that is gone has no workers left, and must not hide why it went.
    for (const run of runs) await page.evaluate((name) => window.bench.remove(name), run.name).catch(() => {});
  }
}

async function turn(page, run, steps) {
  const args = [run.name, steps];
  const result = await within(page.evaluate(([name, count]) => window.bench.turn(name, count), args), `${run.title} takes ${steps} steps`);
  run.losses.push(...result.losses);
  return { ...result, steps };
}

function within(promise, what) {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no answer within ${LIMIT_MS / 60000} minutes`)), LIMIT_MS);
  });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}

/** The largest relative difference between losses of the same step, of the first ones; throws above the tolerance. */
function compare(runs, tolerance) {
  let worst = 0;
  const steps = Math.min(COMPARED_STEPS, Math.max(...runs.map((run) => run.losses.length)));
  for (let step = 0; step < steps; step++) {
    const losses = runs.filter((run) => step < run.losses.length).map((run) => run.losses[step]);
    const difference = (Math.max(...losses) - Math.min(...losses)) / Math.abs(losses[0]);
    // A NaN fails this comparison, too.
    if (!(difference <= tolerance)) {
      const table = runs.map((run) => `${run.title}: ${run.losses.map((loss) => loss.toFixed(5)).join(" ")}`);
      throw new Error(`losses differ at step ${step + 1}, so no time counts:\n${table.join("\n")}`);
    }
    worst = Math.max(worst, difference);
  }
  return worst;
}

function summary(run) {
  const perStep = (key) => run.turns.map((t) => t[key] / t.steps);
  const times = perStep("ms");
  return {
    median: median(times),
    min: Math.min(...times),
    max: Math.max(...times),
    rounds: run.turns.length,
    threads: run.threads,
    first_step_ms: run.firstStep,
    loss: run.losses.at(-1),
    dispatches: median(perStep("dispatches")),
    submissions: median(perStep("submissions")),
  };
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
