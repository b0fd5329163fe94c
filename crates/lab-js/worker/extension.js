// Strategies, metrics and rewards from a module of the user's. Its default export is called with `lab`:
//
//   export default function (lab) {
//     lab.addStrategy("kind", (config) => ({ validate(data) {…}, begin(run) {…}, answer(prompts, files) {…} }));
//     lab.addMetric("name_score", ({ result, text, answers }) => number, { direction: "more", label: "Names", unit: "", help: "…" });
//     lab.setReward(({ prompt, response, tokens }) => number);
//   }
//
// `begin` returns a learner. The lab's loop around it hears commands, measures time and keeps checkpoints:
//
//   { steps, parameters, vocabulary, …,        // the run's description, `steps` at least
//     metrics,                                 // declarations of metrics of its own: [{ name, direction, label, unit, help }]
//     checkpointInterval,                      // steps between checkpoints; 0 or none: only when the user asks for one
//     step(number) {…},                        // makes a step (from 1): { tokens, metrics: { name: value } }
//     report(number) {…},                      // is called after a step, and with 0 before the first: { metrics, samples:
//                                              //   [{ prompt, text }], warnings: [text], stop: whether further training is useless }
//     save() {…},                              // the state as a Uint8Array, from which the run can be continued
//     restore(state) {…},                      // continues from it
//     generate({ prompt, max_tokens, … }) {…}, // a text of the current model
//     finish(reason) {…} }                     // { metrics: { name: value }, files: [{ path, bytes }] }
//
// The declaration of a metric may be left out, in whole or in part: without a direction ("more" or "less" is better) it is not ranked.
// `validate`, `answer`, `metrics`, `checkpointInterval` and `report` may be left out; each function may be async, metrics and rewards too. Long work asks
// `await run.stopRequested()` whether to end early. Errors are thrown: an Error, or { code, message, hint, field } like the
// lab's own errors.

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

/** Lets the modules register their strategies, metrics and reward. */
export async function register(modules, lab) {
  const registrar = {
    addStrategy: (name, create) => addStrategy(lab, name, create),
    addMetric: (name, measure, info) => lab.addMetric(name, measure, info),
    setReward: (reward) => lab.setReward(reward),
  };
  for (const module of modules) await module(registrar);
}

/** Adds a strategy of a module's, or one that remote.js calls. */
export function addStrategy(lab, name, create) {
  lab.addStrategy(name, (config) => adapt(create(config), name, config));
}

/** A user's strategy as the core calls it. */
function adapt(strategy, kind, config) {
  return {
    validate: (data) => strategy.validate?.(data),
    begin: async (run) => learner(await strategy.begin(run), kind, config ?? {}),
    answer: async (files, prompts) => strategy.answer?.(prompts, files),
  };
}

/** A user's learner as the core calls it. */
function learner(own, kind, config) {
  const needed = ["step", "save", "restore", "generate", "finish"];
  const missing = needed.filter((name) => typeof own?.[name] !== "function");
  if (missing.length > 0 || !Number.isInteger(own.steps)) {
    const what = missing.length > 0 ? `no ${missing.join("(), no ")}()` : "no whole number of steps";
    throw { code: "invalid_data", message: `the learner of "${kind}" has ${what}`, hint: "See worker/extension.js for what a learner has." };
  }
  const known = (name) => own[name] ?? 0;
  return {
    info: {
      strategy: kind,
      config,
      steps: own.steps,
      first_step: 0,
      parameters: known("parameters"),
      vocabulary: known("vocabulary"),
      training_tokens: known("training_tokens"),
      validation_tokens: known("validation_tokens"),
      tokens_per_step: known("tokens_per_step"),
      metrics: own.metrics ?? [],
    },
    checkpointInterval: known("checkpointInterval"),
    step: async (number) => own.step(number),
    report: async (number) => own.report?.(number),
    save: async () => own.save(),
    restore: async (state) => own.restore(state),
    generate: async (request) => own.generate(request),
    finish: async (reason) => own.finish(reason),
  };
}
