// The decoder on TensorFlow.js: core operations, gradients from `variableGrads`, AdamW written out,
// since the built-in Adam has neither decoupled weight decay nor clipping by the global norm.
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
import "@tensorflow/tfjs-backend-webgpu";
import { getThreadsCount, setThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { NORM_EPSILON, OPTIMIZER } from "../task/task.js";

export async function create(config, weights, backend) {
  setWasmPaths(new URL("/tfjs/", location.href).href);
  // Asked for all threads, 4.22 still reports one (tensorflow/tfjs issue 8513); the report repeats its answer.
  if (self.crossOriginIsolated) setThreadsCount(navigator.hardwareConcurrency);
  if (!(await tf.setBackend(backend))) throw new Error(`tfjs has no backend "${backend}" here`);
  await tf.ready();

  const slots = weights.map(({ name, shape, decays, values }) => ({
    decays,
    parameter: tf.variable(tf.tensor(values, shape), true, name),
    first: tf.variable(tf.zeros(shape), false),
    second: tf.variable(tf.zeros(shape), false),
  }));
  const parameters = Object.fromEntries(slots.map(({ parameter }) => [parameter.name, parameter]));
  const mask = causalMask(config.context);
  let count = 0;

  return {
    threads: backend === "wasm" ? getThreadsCount() : null,
    async step(x, y) {
      count += 1;
      const value = tf.tidy(() => {
        const inputs = tf.tensor1d(x, "int32");
        const targets = tf.tensor1d(y, "int32");
        const { value, grads } = tf.variableGrads(
          () => loss(config, parameters, mask, inputs, targets),
          slots.map((slot) => slot.parameter),
        );
        update(slots, grads, count);
        return value;
      });
      const [number] = await value.data();
      value.dispose();
      return number;
    },
  };
}

function causalMask(context) {
  return tf.tidy(() => tf.mul(tf.sub(tf.linalg.bandPart(tf.ones([context, context]), -1, 0), 1), 1e9));
}

function loss(config, p, mask, x, y) {
  const { layers, heads, width, context, vocabulary, batch } = config;
  const tokens = batch * context;
  const size = width / heads;
  const normalized = (h, weight) => {
    const centred = tf.sub(h, tf.mean(h, -1, true));
    const variance = tf.mean(tf.square(centred), -1, true);
    return tf.mul(tf.mul(centred, tf.rsqrt(tf.add(variance, NORM_EPSILON))), weight);
  };
  const oneHot = (ids) => tf.cast(tf.oneHot(ids, vocabulary), "float32");
  const splitHeads = (part) => tf.transpose(tf.reshape(part, [batch, context, heads, size]), [0, 2, 1, 3]);

  // A product with one-hot rows instead of `gather`: its gradient is missing on the wasm backend.
  let h = tf.matMul(oneHot(x), p.wte);
  h = tf.reshape(tf.add(tf.reshape(h, [batch, context, width]), p.wpe), [tokens, width]);
  for (let i = 0; i < layers; i++) {
    const weight = (name) => p[`blocks.${i}.${name}`];
    const qkv = tf.matMul(normalized(h, weight("norm1")), weight("qkv"));
    const [q, k, v] = tf.split(qkv, 3, 1).map(splitHeads);
    const scores = tf.add(tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(size)), mask);
    const attended = tf.transpose(tf.matMul(tf.softmax(scores), v), [0, 2, 1, 3]);
    h = tf.add(h, tf.matMul(tf.reshape(attended, [tokens, width]), weight("proj")));
    const up = gelu(tf.matMul(normalized(h, weight("norm2")), weight("up")));
    h = tf.add(h, tf.matMul(up, weight("down")));
  }
  const logits = tf.matMul(normalized(h, p.norm), p.wte, false, true);
  return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), oneHot(y)), -1)));
}

function gelu(x) {
  const inner = tf.mul(tf.mul(x, tf.add(tf.mul(tf.square(x), 0.044715), 1)), Math.sqrt(2 / Math.PI));
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
}

function update(slots, gradients, count) {
  const { learningRate, beta1, beta2, epsilon, weightDecay, clipNorm } = OPTIMIZER;
  const squares = slots.map(({ parameter }) => tf.sum(tf.square(gradients[parameter.name])));
  // Not `addN`: on WebGPU it binds all of them at once, more than a shader may have, and yields nonsense.
  const norm = tf.sqrt(squares.reduce((sum, square) => tf.add(sum, square)));
  const scale = tf.minimum(tf.div(clipNorm, tf.add(norm, 1e-6)), 1);
  const correction1 = 1 / (1 - beta1 ** count);
  const correction2 = 1 / (1 - beta2 ** count);
  for (const { parameter, first, second, decays } of slots) {
    const gradient = tf.mul(gradients[parameter.name], scale);
    first.assign(tf.add(tf.mul(first, beta1), tf.mul(gradient, 1 - beta1)));
    second.assign(tf.add(tf.mul(second, beta2), tf.mul(tf.square(gradient), 1 - beta2)));
    const root = tf.add(tf.sqrt(tf.mul(second, correction2)), epsilon);
    const direction = tf.div(first, root);
    const kept = decays ? tf.mul(parameter, 1 - learningRate * weightDecay) : parameter;
    parameter.assign(tf.sub(kept, tf.mul(direction, learningRate * correction1)));
  }
}
