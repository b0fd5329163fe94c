// The measurements, their length, and the command line's options for them.
import { parseArgs } from "node:util";

export const CONTENDERS = {
  llm_labs: { title: "LLM Labs", library: "labs", backends: { cpu: "cpu", gpu: "gpu" } },
  jax_js: { title: "jax-js", library: "jax", backends: { cpu: "wasm", gpu: "webgpu" } },
  tfjs: { title: "tfjs", library: "tfjs", backends: { cpu: "wasm", gpu: "webgpu" } },
};

export const GROUPS = {
  cpu: { title: "CPU, page not isolated, one thread each", path: "cpu", isolated: false, tolerance: 1e-3 },
  cpu_isolated: { title: "CPU, page cross-origin isolated, threads where a library has them", path: "cpu", isolated: true, tolerance: 1e-3 },
  gpu: { title: "WebGPU on the software adapter", path: "gpu", isolated: false, tolerance: 1e-3 },
};

// A contender takes `rounds` turns of `steps` steps, fewer (two at least) once its turns have taken `budget` seconds:
// steps are dear on a software GPU, and tfjs needs several times longer than the others everywhere.
const PLANS = {
  cpu: {
    small: { rounds: 12, warmup: 10, steps: { llm_labs: 4, jax_js: 4, tfjs: 1 }, budget: 18 },
    larger: { rounds: 7, warmup: 10, steps: { llm_labs: 2, jax_js: 2, tfjs: 1 }, shortWarmup: { tfjs: 3 }, budget: 18 },
  },
  gpu: {
    small: { rounds: 5, warmup: 3, steps: { llm_labs: 1, jax_js: 1, tfjs: 1 }, shortWarmup: { tfjs: 1 }, budget: 12 },
    larger: { rounds: 3, warmup: 2, steps: { llm_labs: 1, jax_js: 1, tfjs: 1 }, shortWarmup: { tfjs: 1 }, budget: 24 },
  },
};

const SKIPPED_UNLESS_FULL = [
  { group: "gpu", config: "larger", contender: "tfjs", reason: "several times slower there than the others; --full measures it" },
];

const HELP = `Step times of LLM Labs beside jax-js and TensorFlow.js, interleaved in one headless Chromium.

  node run.mjs [options]          LAB_DIST names the folder of the built site

  --json                 one JSON document on standard output, the rest on standard error
  --groups LIST          of ${Object.keys(GROUPS).join(",")} (default: all)
  --configs LIST         of small,larger (default: both)
  --contenders LIST      of ${Object.keys(CONTENDERS).join(",")} (default: all)
  --rounds N             turns each contender takes after its warm-up
  --full                 also what is left out because it takes long (tfjs, larger, gpu)
  --no-first-load        leave out the size and time of the first load of the page
  --chromium PATH        the browser (default: $CHROMIUM, else one found on the search path)
`;

/** The resolved options, or a text to print if help was requested. Throws an Error on bad input. */
export function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: "boolean", default: false },
      full: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
      groups: { type: "string", default: Object.keys(GROUPS).join(",") },
      configs: { type: "string", default: "small,larger" },
      contenders: { type: "string", default: Object.keys(CONTENDERS).join(",") },
      rounds: { type: "string" },
      chromium: { type: "string" },
      "no-first-load": { type: "boolean", default: false },
    },
  });
  if (values.help) return { help: HELP };
  const rounds = values.rounds === undefined ? null : Number(values.rounds);
  if (rounds !== null && !(Number.isInteger(rounds) && rounds > 0)) throw new Error("--rounds takes a whole number above 0");
  return {
    json: values.json,
    groups: list("--groups", values.groups, Object.keys(GROUPS)),
    configs: list("--configs", values.configs, ["small", "larger"]),
    contenders: list("--contenders", values.contenders, Object.keys(CONTENDERS)),
    rounds,
    full: values.full,
    chromium: values.chromium,
    firstLoad: !values["no-first-load"],
  };
}

function list(option, text, allowed) {
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !allowed.includes(name));
  if (unknown !== undefined) throw new Error(`${option}: "${unknown}" is not one of ${allowed.join(", ")}`);
  return allowed.filter((name) => names.includes(name));
}

/** The contenders of one group and configuration, with their numbers of steps, and the ones left out, with reasons. */
export function plan(options, group, config) {
  const { rounds, warmup, steps, shortWarmup = {}, budget } = PLANS[GROUPS[group].path][config];
  const entries = [];
  const skipped = [];
  for (const contender of options.contenders) {
    const skip = SKIPPED_UNLESS_FULL.find((s) => s.group === group && s.config === config && s.contender === contender);
    if (skip && !options.full) {
      skipped.push({ group, config, contender, reason: skip.reason });
      continue;
    }
    entries.push({
      contender,
      rounds: options.rounds ?? rounds,
      warmup: shortWarmup[contender] ?? warmup,
      steps: steps[contender],
      // Rounds that were asked for are all taken.
      budgetMs: options.rounds === null ? budget * 1000 : Infinity,
    });
  }
  return { entries, skipped };
}
