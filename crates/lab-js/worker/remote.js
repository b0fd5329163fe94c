// Strategies, metrics and rewards that live where the worker was started, as in the npm package: the worker calls them by
// messages. `{ command: "add_strategy", kind }`, `{ command: "add_metric", name, info }` and `{ command: "set_reward" }` add
// them. A call is `{ event: "call", call, kind, method, parts }`, its
// answer `{ command: "answer_call", call, value }`, or `error` in place of the value. `begin` answers with what is known
// of the run and a number, `learner`, by which the learner's methods are called.

import { addStrategy } from "./extension.js";

/** `post` sends a message to whoever started the worker. */
export function remote(post) {
  const waiting = new Map();
  let calls = 0;

  function call(kind, method, ...parts) {
    const number = ++calls;
    post({ event: "call", call: number, kind, method, parts });
    return new Promise((resolve, reject) => waiting.set(number, { resolve, reject }));
  }

  function learner(kind, { learner: number, ...about }) {
    const method = (name) => (...parts) => call(kind, name, number, ...parts);
    const methods = ["step", "report", "save", "restore", "generate", "finish"].map((name) => [name, method(name)]);
    return { ...about, ...Object.fromEntries(methods) };
  }

  return {
    take(lab, { command, kind, name, info }) {
      if (command === "add_metric") lab.addMetric(name, (run) => call("", "measure", name, run), info);
      else if (command === "set_reward") lab.setReward((answer) => call("", "reward", answer));
      else if (command === "add_strategy") this.addStrategy(lab, kind);
      else return false;
      return true;
    },

    addStrategy(lab, kind) {
      addStrategy(lab, kind, (config) => ({
        // A function cannot be sent; the learner hears of a stop by `finish`.
        begin: async ({ stopRequested: _, ...run }) => learner(kind, await call(kind, "begin", run, config)),
        answer: (prompts, files) => call(kind, "answer", prompts, files),
      }));
    },

    answered({ call: number, value, error }) {
      const { resolve, reject } = waiting.get(number) ?? {};
      waiting.delete(number);
      if (error) reject?.(error);
      else resolve?.(value);
    },
  };
}
