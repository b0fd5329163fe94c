// Types of configs.js. The types of the configurations themselves are generated from the schema: schema.d.ts.

import type {
  DataConfig,
  DpoConfig,
  ExperimentConfig,
  FineTuningConfig,
  GrpoConfig,
  ModelConfig,
  PretrainingConfig,
  RagConfig,
  RlhfConfig,
  StrategyConfig,
  TrainingConfig,
} from "./schema.js";

export type * from "./schema.js";

/** Some of the settings, at every depth; what is left out takes its default. */
export type Options<T> = { [Key in keyof T]?: T[Key] extends object | undefined ? Options<T[Key]> : T[Key] };

/** The files of a model from elsewhere. The key is read from the environment where it is not given, and never written. */
export interface BaseModelConfig {
  address: string;
  readonly apiKey?: string;
}

/** A model of this architecture that is trained from nothing; the options are its shape. */
export function createModelConfig(provider: "scratch", modelId: "gpt2" | "llama", options?: Options<ModelConfig>): ModelConfig;
/** The files of a model at this address. */
export function createModelConfig(provider: "site", modelId: string): BaseModelConfig;
/** The files of a model on Hugging Face, `owner/name`. */
export function createModelConfig(provider: "huggingface", modelId: string, options?: { revision?: string; apiKey?: string }): BaseModelConfig;
/** How weights are trained. Every builder fills in the defaults of what is left out, and throws what is wrong. */
export function createTrainingConfig(options?: Options<TrainingConfig>): TrainingConfig;
/** Settings of `PretrainingStrategy`. */
export function createPretrainingConfig(options?: Options<PretrainingConfig>): PretrainingConfig;
/** Settings of `FineTuningStrategy`. */
export function createFineTuningConfig(options?: Options<FineTuningConfig>): FineTuningConfig;
/** Settings of `RLHFStrategy`. */
export function createRLHFConfig(options?: Options<RlhfConfig>): RlhfConfig;
/** Settings of `GRPOStrategy`. */
export function createGRPOConfig(options?: Options<GrpoConfig>): GrpoConfig;
/** Settings of `DPOStrategy`. */
export function createDPOConfig(options?: Options<DpoConfig>): DpoConfig;
/** Settings of `RAGStrategy`; `memory` keeps passages and vectors in the run's own memory. */
export function createRAGConfig(vectorStoreType?: "memory", options?: Options<RagConfig>): RagConfig;
/** One strategy of an experiment; `from` names the one whose model it starts from. */
export function createStrategyConfig(name: string, strategy: string, config?: object, from?: string): StrategyConfig;
/** An experiment: its data, its strategies, and what else differs from the defaults. */
export function createExperiment(
  name: string,
  options: { data: DataConfig; strategies: StrategyConfig[] } & Options<Omit<ExperimentConfig, "name" | "data" | "strategies">>,
): ExperimentConfig;
