// The one task of every contender: sizes, optimiser, initial weights and batches. Runs in the page, so all contenders
// receive exactly the same numbers.

export const CONFIGS = {
  small: { layers: 4, heads: 4, width: 64, context: 64, vocabulary: 65, batch: 8 },
  larger: { layers: 4, heads: 4, width: 128, context: 128, vocabulary: 65, batch: 8 },
};

export const OPTIMIZER = {
  learningRate: 1e-3,
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-8,
  weightDecay: 0.1,
  clipNorm: 1,
};

export const NORM_EPSILON = 1e-5;

/** The weights of the decoder in order: name, shape, and initialisation. */
export function layout({ layers, width, context, vocabulary }) {
  const initial = 0.02;
  // The two matrices of a block that write into the residual stream start smaller, since 2·layers of them add up.
  const residual = initial / Math.sqrt(2 * layers);
  const matrix = (name, rows, columns, deviation = initial) => ({ name, shape: [rows, columns], deviation, decays: true });
  const norm = (name) => ({ name, shape: [width], deviation: null, decays: false });
  const weights = [matrix("wte", vocabulary, width), matrix("wpe", context, width)];
  for (let i = 0; i < layers; i++) {
    weights.push(
      norm(`blocks.${i}.norm1`),
      matrix(`blocks.${i}.qkv`, width, 3 * width),
      matrix(`blocks.${i}.proj`, width, width, residual),
      norm(`blocks.${i}.norm2`),
      matrix(`blocks.${i}.up`, width, 4 * width),
      matrix(`blocks.${i}.down`, 4 * width, width, residual),
    );
  }
  weights.push(norm("norm"));
  return weights;
}

/** A small seeded generator of numbers in [0, 1) (mulberry32). */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function normal(random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Initial weights as [{ name, shape, decays, values }]. */
export function initialWeights(config) {
  const random = generator(1337);
  return layout(config).map(({ name, shape, deviation, decays }) => {
    const values = new Float32Array(shape.reduce((a, b) => a * b));
    if (deviation === null) values.fill(1);
    else for (let i = 0; i < values.length; i++) values[i] = deviation * normal(random);
    return { name, shape, decays, values };
  });
}

/** Symbols, each mostly one of three successors of the last one: a pattern that a decoder can learn. */
function syntheticText({ vocabulary }, length) {
  const random = generator(7);
  const symbol = () => Math.floor(random() * vocabulary);
  const successors = Array.from({ length: vocabulary }, () => [symbol(), symbol(), symbol()]);
  const text = new Int32Array(length);
  for (let i = 1; i < length; i++) {
    const chance = random();
    const choice = chance < 0.6 ? 0 : chance < 0.85 ? 1 : 2;
    text[i] = chance < 0.95 ? successors[text[i - 1]][choice] : symbol();
  }
  return text;
}

/** The first `count` batches: windows at random places, targets shifted by one. */
export function batches(config, count) {
  const { batch, context } = config;
  const text = syntheticText(config, 20000);
  const random = generator(11);
  return Array.from({ length: count }, () => {
    const x = new Int32Array(batch * context);
    const y = new Int32Array(batch * context);
    for (let b = 0; b < batch; b++) {
      const start = Math.floor(random() * (text.length - context - 1));
      x.set(text.subarray(start, start + context), b * context);
      y.set(text.subarray(start + 1, start + context + 1), b * context);
    }
    return { x, y };
  });
}
