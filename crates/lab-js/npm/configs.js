// Builders of configurations. Every default, type and key comes from the schema that `lab schema` writes from the
// Rust types (schema.js); nothing of it is said twice here. What is wrong is thrown as the lab's own errors are:
// { code, message, hint, field }.

import schema from "./schema.js";

/** The shape of a model; `modelId` names its architecture where it is to be trained here. */
const ARCHITECTURES = {
  gpt2: {},
  llama: { norm: "rms_norm", position: "rope", activation: "swiglu" },
};

/** Where models come from, and the variables of the environment that hold their keys. */
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

/** `memory` is the store there is: passages and vectors in the run's own memory, kept as `index/`. */
export function createRAGConfig(vectorStoreType = "memory", options = {}) {
  if (vectorStoreType !== "memory") refuse("vectorStoreType", `there is no vector store "${vectorStoreType}"`, 'Use "memory".');
  return build("RagConfig", options);
}

/** One strategy of an experiment; `from` names the one whose model it starts from. */
export function createStrategyConfig(name, strategy, config = {}, from) {
  return { name, strategy, ...(from === undefined ? {} : { from }), config };
}

/** An experiment: its data and strategies, and what else differs from the defaults. */
export function createExperiment(name, options) {
  const experiment = resolve(schema, { name, ...options }, "");
  const names = experiment.strategies.map((strategy) => strategy.name);
  experiment.strategies.forEach((strategy, index) => {
    const at = `strategies[${index}]`;
    if (names.indexOf(strategy.name) !== index) refuse(`${at}.name`, `two strategies are called "${strategy.name}"`, "Give each strategy a name of its own.");
    if (strategy.from !== undefined && !names.includes(strategy.from)) {
      refuse(`${at}.from`, `there is no strategy "${strategy.from}" to start from`, "Name another strategy of this experiment.");
    }
    // The strategies of the lab have settings that are known; those of a module may be anything.
    for (const { if: when, then } of schema.$defs.StrategyConfig.allOf) {
      if (when.properties.strategy.const === strategy.strategy) {
        strategy.config = resolve(then.properties.config.anyOf[0], strategy.config ?? {}, `${at}.config`);
      }
    }
  });
  return experiment;
}

function build(definition, options = {}) {
  return resolve(schema.$defs[definition], options, "");
}

/** `value` with every default that it leaves out; refused where the schema does not have it. */
function resolve(rule, value, path) {
  if (rule === true) return value;
  if (rule.$ref) return resolve(schema.$defs[rule.$ref.split("/").at(-1)], value, path);
  const choices = rule.anyOf ?? rule.oneOf;
  if (choices) return choose(choices, value, path);
  if ("const" in rule) return value === rule.const ? value : mismatch(path, value, JSON.stringify(rule.const));
  if (rule.enum) return rule.enum.includes(value) ? value : mismatch(path, value, rule.enum.map((one) => JSON.stringify(one)).join(" or "));
  const types = [rule.type ?? []].flat();
  const fits = types.length === 0 || types.some((type) => TYPES[type](value));
  if (!fits) mismatch(path, value, types.join(" or "));
  if (rule.minimum !== undefined && value < rule.minimum) mismatch(path, value, `at least ${rule.minimum}`);
  if (Array.isArray(value)) return value.map((item, index) => resolve(rule.items ?? true, item, `${path}[${index}]`));
  if (rule.properties && TYPES.object(value)) return fill(rule, value, path);
  return value;
}

function fill(rule, value, path) {
  const inner = (key) => (path ? `${path}.${key}` : key);
  const known = Object.keys(rule.properties);
  for (const key of Object.keys(value)) {
    if (!known.includes(key) && rule.additionalProperties === false) unknownKey(inner(key), known);
  }
  const filled = {};
  for (const [key, property] of Object.entries(rule.properties)) {
    if (value[key] !== undefined) filled[key] = resolve(property, value[key], inner(key));
    else if (rule.required?.includes(key)) refuse(inner(key), `${key} is missing`, "Give it.", "invalid_json");
    else if (property.default !== undefined && property.default !== null) filled[key] = structuredClone(property.default);
  }
  return filled;
}

/** The choice that fits; if none does, what is wrong with the one that comes nearest. */
function choose(choices, value, path) {
  const failures = [];
  for (const choice of choices) {
    try {
      return resolve(choice, value, path);
    } catch (error) {
      if (!error.code) throw error;
      failures.push(error);
    }
  }
  failures.sort((a, b) => b.field.length - a.field.length);
  const [nearest] = failures;
  if (nearest.field.length > path.length) throw nearest;
  const constants = choices.map((choice) => choice.const).filter((constant) => constant !== undefined);
  mismatch(path, value, constants.length ? constants.map((constant) => JSON.stringify(constant)).join(" or ") : "another value");
}

const TYPES = {
  object: (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  array: Array.isArray,
  string: (value) => typeof value === "string",
  boolean: (value) => typeof value === "boolean",
  number: (value) => typeof value === "number" && Number.isFinite(value),
  integer: Number.isInteger,
  null: (value) => value === null,
};

/** The first of these variables that the environment has, where there is one. */
function environment(names) {
  const variables = globalThis.process?.env ?? {};
  return names.map((name) => variables[name]).find(Boolean);
}

function mismatch(path, value, wanted) {
  refuse(path, `${JSON.stringify(value) ?? String(value)} is not ${wanted}`, `Use ${wanted}.`, "invalid_json");
}

function unknownKey(field, known) {
  refuse(field, `unknown field \`${field.split(".").at(-1)}\``, `Use one of: ${known.join(", ")}.`, "unknown_key");
}

function refuse(field, message, hint, code = "invalid_config") {
  throw Object.assign(new Error(message), { code, hint, field });
}
