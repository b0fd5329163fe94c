// Builders of configurations. Every default, type, range and key comes from the schema that `lab schema` writes from
// the settings' fields (schema.js); nothing is repeated here. Errors are thrown in the form of the lab's own: { code,
// message, hint, field }.

import { refuse, unknownKey } from "./errors.js";
import schema from "./schema.js";
import { checked } from "./validate.js";

/** The shape of a model; `modelId` names its architecture if it will be trained here. */
const ARCHITECTURES = {
  gpt2: {},
  llama: { norm: "rms_norm", position: "rope", activation: "swiglu" },
};

/** The providers of models, and the environment variables with their keys. */
const PROVIDERS = { scratch: [], site: [], huggingface: ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] };

/**
 * A model: `scratch` with an architecture (`gpt2`, `llama`), trained here, its `options` the model's shape; or the
 * files of one, from this `site` (an address) or from `huggingface` (`owner/name`; options `revision` and `apiKey`).
 */
export function createModelConfig(provider, modelId, options = {}) {
  const keys = PROVIDERS[provider];
  if (!keys) refuse("provider", `there is no provider "${provider}"`, `Use one of: ${Object.keys(PROVIDERS).join(", ")}.`);
  if (typeof modelId !== "string" || !modelId) refuse("modelId", "the model has no name", "Name an architecture, an address or a repository.");
  if (provider === "scratch") {
    const architecture = ARCHITECTURES[modelId];
    if (!architecture) refuse("modelId", `there is no architecture "${modelId}"`, `Use one of: ${Object.keys(ARCHITECTURES).join(", ")}.`);
    return build("ModelConfig", { ...architecture, ...options });
  }
  const known = provider === "huggingface" ? ["revision", "apiKey"] : [];
  for (const key of Object.keys(options)) if (!known.includes(key)) unknownKey(key, known);
  const { revision = "main", apiKey = environment(keys) } = options;
  const address = provider === "huggingface" ? `https://huggingface.co/${modelId}/resolve/${revision}` : modelId;
  // Not enumerable: a key is never written, exported or logged with the configuration.
  return Object.defineProperty({ address }, "apiKey", { value: apiKey, enumerable: false });
}

export const createTrainingConfig = (options) => build("TrainingConfig", options);
export const createPretrainingConfig = (options) => build("PretrainingConfig", options);
export const createFineTuningConfig = (options) => build("FineTuningConfig", options);
export const createRLHFConfig = (options) => build("RlhfConfig", options);
export const createGRPOConfig = (options) => build("GrpoConfig", options);
export const createDPOConfig = (options) => build("DpoConfig", options);

/** `memory` is the only store: passages and vectors in the run's own memory, kept as `index/`. */
export function createRAGConfig(vectorStoreType = "memory", options = {}) {
  if (vectorStoreType !== "memory") refuse("vectorStoreType", `there is no vector store "${vectorStoreType}"`, 'Use "memory".');
  return build("RagConfig", options);
}

/** One strategy of an experiment; it starts from the model of the strategy that `from` names. */
export function createStrategyConfig(name, strategy, config = {}, from) {
  return { name, strategy, ...(from === undefined ? {} : { from }), config };
}

/** An experiment: its data and strategies, and other settings that differ from the defaults. */
export function createExperiment(name, options) {
  const experiment = checked(schema, { name, ...options });
  const names = experiment.strategies.map((strategy) => strategy.name);
  experiment.strategies.forEach((strategy, index) => {
    const at = `strategies[${index}]`;
    if (names.indexOf(strategy.name) !== index) refuse(`${at}.name`, `two strategies are called "${strategy.name}"`, "Give each strategy a name of its own.");
    if (strategy.from !== undefined && !names.includes(strategy.from)) {
      refuse(`${at}.from`, `there is no strategy "${strategy.from}" to start from`, "Name another strategy of this experiment.");
    }
  });
  return experiment;
}

function build(definition, options = {}) {
  return checked({ $ref: `#/$defs/${definition}` }, options);
}

/** The first of these variables that the environment has, if any. */
function environment(names) {
  const variables = globalThis.process?.env ?? {};
  return names.map((name) => variables[name]).find(Boolean);
}
