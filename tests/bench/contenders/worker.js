// A dedicated worker per contender. All of them run in one, because that is where this project trains
// and where a page that wants to stay responsive has to put its training, whatever the library.
import { gpuCounts, gpuIdle, watchGpu } from "./gpu.js";

// Loaded on demand, so a worker holds no other contender's code.
const libraries = {
  labs: () => import("./labs.js"),
  jax: () => import("./jax.js"),
  tfjs: () => import("./tfjs.js"),
};
let contender;
let batches;
let taken = 0;

const commands = {
  async create({ library, backend, config, weights, batches: given }) {
    batches = given;
    const start = performance.now();
    const { create } = await libraries[library]();
    contender = await create(config, weights, backend);
    return { ms: performance.now() - start, threads: contender.threads };
  },

  /** Takes the next `steps` steps; the time is from the first call until the adapter is idle again. */
  async turn({ steps }) {
    const losses = [];
    const before = gpuCounts();
    const start = performance.now();
    for (let i = 0; i < steps; i++) {
      const { x, y } = batches[taken++];
      losses.push(await contender.step(x, y));
    }
    await gpuIdle();
    const ms = performance.now() - start;
    const after = gpuCounts();
    return {
      ms,
      losses,
      dispatches: after.dispatches - before.dispatches,
      submissions: after.submissions - before.submissions,
    };
  },
};

watchGpu();
self.onmessage = async ({ data: { command, ...options } }) => {
  try {
    self.postMessage({ result: await commands[command](options) });
  } catch (error) {
    self.postMessage({ error: String(error?.stack ?? error?.message ?? error) });
  }
};
