// The page of the benchmark: makes the task, starts a worker per contender, passes turns on.
import { batches, CONFIGS, initialWeights } from "../task/task.js";

const workers = new Map();

function ask(worker, message) {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data.result));
    worker.onerror = (event) => reject(new Error(event.message || "the worker could not be started"));
    worker.postMessage(message);
  });
}

window.bench = {
  create({ name, library, backend, config, steps }) {
    const worker = new Worker("/worker.js", { type: "module", name });
    workers.set(name, worker);
    const size = CONFIGS[config];
    const task = { config: size, weights: initialWeights(size), batches: batches(size, steps) };
    return ask(worker, { command: "create", library, backend, ...task });
  },

  turn(name, steps) {
    return ask(workers.get(name), { command: "turn", steps });
  },

  remove(name) {
    workers.get(name)?.terminate();
    workers.delete(name);
  },

  async environment() {
    const adapter = await navigator.gpu?.requestAdapter();
    const { vendor, architecture, description } = adapter?.info ?? {};
    return {
      isolated: self.crossOriginIsolated,
      threads: navigator.hardwareConcurrency,
      adapter: adapter ? [vendor, architecture, description].filter(Boolean).join(" ") : null,
    };
  },
};
