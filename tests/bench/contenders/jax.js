// The decoder on jax-js: the whole step is one jitted function, as its documentation advises.
// In jax-js an array is consumed by being used; `.ref` keeps it for another use.
import { defaultDevice, init, jit, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { OPTIMIZER } from "../task/task.js";

export async function create(config, weights, backend) {
  const available = await init(backend);
  if (!available.includes(backend)) throw new Error(`jax-js has no device "${backend}" here, only ${available}`);
  defaultDevice(backend);

  const names = weights.map((w) => w.name);
  const decays = Object.fromEntries(weights.map((w) => [w.name, w.decays]));
  const zeros = () => Object.fromEntries(weights.map((w) => [w.name, np.zeros(w.shape)]));
  let parameters = Object.fromEntries(weights.map((w) => [w.name, np.array(w.values).reshape(w.shape)]));
  let first = zeros();
  let second = zeros();
  let count = 0;

  const lossAndGradients = valueAndGrad((p, x, y) => loss(config, p, x, y));
  const update = jit((parameters, first, second, x, y, correction1, correction2) => {
    const [value, gradients] = lossAndGradients(tree.ref(parameters), x, y);
    const { learningRate, beta1, beta2, epsilon, weightDecay, clipNorm } = OPTIMIZER;
    const squares = names.map((name) => np.sum(np.square(gradients[name].ref)));
    const norm = np.sqrt(squares.reduce((a, b) => a.add(b)));
    const scale = np.minimum(np.array(clipNorm).div(norm.add(1e-6)), 1);
    const next = { parameters: {}, first: {}, second: {} };
    for (const name of names) {
      const gradient = gradients[name].mul(scale.ref);
      const mean = first[name].mul(beta1).add(gradient.ref.mul(1 - beta1));
      const square = second[name].mul(beta2).add(np.square(gradient).mul(1 - beta2));
      next.first[name] = mean.ref;
      next.second[name] = square.ref;
      const direction = mean.mul(correction1.ref).div(np.sqrt(square.mul(correction2.ref)).add(epsilon));
      const kept = decays[name] ? parameters[name].mul(1 - learningRate * weightDecay) : parameters[name];
      next.parameters[name] = kept.sub(direction.mul(learningRate));
    }
    for (const array of [scale, correction1, correction2]) array.dispose();
    return [value, next.parameters, next.first, next.second];
  });

  return {
    // Its pool has a worker for each core if memory can be shared, else everything runs in this one.
    threads: backend === "wasm" ? (self.crossOriginIsolated ? navigator.hardwareConcurrency : 1) : null,
    async step(x, y) {
      count += 1;
      let value;
      [value, parameters, first, second] = update(
        parameters,
        first,
        second,
        np.array(x, { dtype: np.int32 }),
        np.array(y, { dtype: np.int32 }),
        // Arrays, because a plain number would be a constant and compile the step anew each time.
        np.array(1 / (1 - OPTIMIZER.beta1 ** count)),
        np.array(1 / (1 - OPTIMIZER.beta2 ** count)),
      );
      return (await value.data())[0];
    },
  };
}

function loss(config, p, x, y) {
  const { layers, heads, width, context, vocabulary, batch } = config;
  const tokens = batch * context;
  const normalized = (h, weight) => nn.standardize(h, -1).mul(weight);

  // A product with one-hot rows, and one-hot targets below, since the gradient of `take` cannot be jitted in 0.1.25.
  let h = np.dot(nn.oneHot(x, vocabulary), p.wte.ref);
  h = h.reshape([batch, context, width]).add(p.wpe).reshape([tokens, width]);
  for (let i = 0; i < layers; i++) {
    const weight = (name) => p[`blocks.${i}.${name}`];
    const n = normalized(h.ref, weight("norm1"));
    // Splitting the weight is a tenth faster than splitting the product, whose gradient would be padded three times.
    const [q, k, v] = np
      .split(weight("qkv"), 3, 1)
      .map((part) => np.dot(n.ref, part).reshape([batch, context, heads, width / heads]));
    n.dispose();
    const attended = nn.dotProductAttention(q, k, v, { isCausal: true }).reshape([tokens, width]);
    h = h.add(np.dot(attended, weight("proj")));
    const up = nn.gelu(np.dot(normalized(h.ref, weight("norm2")), weight("up")));
    h = h.add(np.dot(up, weight("down")));
  }
  const logits = np.dot(normalized(h, p.norm), p.wte.transpose());
  const chosen = np.sum(nn.logSoftmax(logits, -1).mul(nn.oneHot(y, vocabulary)), -1);
  return np.mean(chosen).neg();
}
