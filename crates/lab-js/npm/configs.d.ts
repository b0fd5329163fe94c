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

export function createModelConfig(provider: "scratch", modelId: "gpt2" | "llama", options?: Options<ModelConfig>): ModelConfig;
export function createModelConfig(provider: "site", modelId: string): BaseModelConfig;
export function createModelConfig(provider: "huggingface", modelId: string, options?: { revision?: string; apiKey?: string }): BaseModelConfig;
export function createTrainingConfig(options?: Options<TrainingConfig>): TrainingConfig;
export function createPretrainingConfig(options?: Options<PretrainingConfig>): PretrainingConfig;
export function createFineTuningConfig(options?: Options<FineTuningConfig>): FineTuningConfig;
export function createRLHFConfig(options?: Options<RlhfConfig>): RlhfConfig;
export function createGRPOConfig(options?: Options<GrpoConfig>): GrpoConfig;
export function createDPOConfig(options?: Options<DpoConfig>): DpoConfig;
export function createRAGConfig(vectorStoreType?: "memory", options?: Options<RagConfig>): RagConfig;
export function createStrategyConfig(name: string, strategy: string, config?: object, from?: string): StrategyConfig;
export function createExperiment(
  name: string,
  options: { data: DataConfig; strategies: StrategyConfig[] } & Options<Omit<ExperimentConfig, "name" | "data" | "strategies">>,
): ExperimentConfig;
