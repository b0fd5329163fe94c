// Strategies, metrics and rewards from a module of the user's. Its default export is called with `lab`:
//
//   export default function (lab) {
//     lab.addStrategy("name", (config) => ({ validate(data) {…}, async train(run) {…}, answer(prompts, files) {…} }));
//     lab.addMetric("name_score", ({ result, text, answers }) => number, { direction: "more", label: "Names", unit: "", help: "…" });
//     lab.setReward(({ prompt, response, tokens }) => number);
//   }
//
// What a metric is may be left out, in whole or in part: without a direction ("more" or "less" is better) it is not
// ranked. `validate` and `answer` may be left out. `train` returns { metrics: { name: number }, files: [{ path, bytes }] }.
// What is wrong is thrown: an Error, or { code, message, hint, field } as the lab's own errors have it.

/** Loads the modules at these addresses, which must be of this site. */
export async function load(addresses) {
  const modules = [];
  for (const address of addresses) {
    const url = new URL(address, self.location.href);
    try {
      if (url.origin !== self.location.origin) throw new Error("it is not on this site");
      const { default: register } = await import(url.href);
      if (typeof register !== "function") throw new Error("its default export is no function");
      modules.push(register);
    } catch (error) {
      throw { code: "invalid_data", message: `the module ${address} cannot be loaded: ${error?.message ?? error}`, hint: "Check its address and what it says." };
    }
  }
  return modules;
}

/** Lets the modules register what they have. */
export async function register(modules, lab) {
  const registrar = {
    addStrategy: (name, create) => lab.addStrategy(name, (config) => adapt(create(config), name, config)),
    addMetric: (name, measure, info) => lab.addMetric(name, measure, info),
    setReward: (reward) => lab.setReward(reward),
  };
  for (const module of modules) await module(registrar);
}

/** A user's strategy as the core calls it. */
function adapt(strategy, name, config) {
  return {
    validate: (data) => strategy.validate?.(data),
    train: async (about, send) => strategy.train(run(about, send, name, config)),
    answer: async (files, prompts) => strategy.answer?.(prompts, files),
  };
}

/** A run as a strategy sees it: what it is about, and what can be asked of it. */
function run(about, send, name, config) {
  const ask = (request, values) => new Promise((resolve) => send({ request, ...values }, resolve));
  const unknown = { parameters: 0, vocabulary: 0, training_tokens: 0, validation_tokens: 0, tokens_per_step: 0 };
  return {
    ...about,
    /** Says that the run begins, and what is known of it: `steps` at least. */
    started: (info) => ask("started", { info: { strategy: name, config: config ?? {}, first_step: 0, ...unknown, ...info } }),
    /** Records values of a step: { name: number }. */
    recordMetrics: (step, values) => ask("metrics", { step, values }),
    sample: (step, prompt, text) => ask("sample", { step, prompt, text }),
    /** Reports a state to go on from, a Uint8Array; it comes back as `run.checkpoint`. */
    saveCheckpoint: (step, state) => ask("checkpoint", { step, state }),
    warn: (message) => ask("warn", { message }),
    stepBegins: () => ask("step_begins"),
    /** Says that a step of so many tokens ended; gives tokens a second. */
    stepDone: (step, steps, tokens) => ask("step_done", { step, steps, tokens }),
    /** Says that the values of the step are recorded. */
    stepMade: (step) => ask("step_made", { step }),
    /** To be awaited before each step, until it says "continue" or "stop"; else "checkpoint" or { generate: request }. */
    control: (step) => ask("control", { step }),
  };
}
