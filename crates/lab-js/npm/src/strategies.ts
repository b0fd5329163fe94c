// The strategies of the lab.

import * as configs from "../configs.js";
import type { Options } from "../configs.js";
import type { DpoConfig, FineTuningConfig, GrpoConfig, PreferenceExample, PretrainingConfig, RagConfig, RlhfConfig } from "../schema.js";
import type { PromptResponsePair, RAGDocument, RAGResult, UsedPassage } from "./protocol.js";
import { BaseStrategy, type StrategyOptions } from "./strategy.js";

/** Trains a decoder-only transformer from nothing. */
export class PretrainingStrategy extends BaseStrategy<PretrainingConfig> {
  readonly kind = "pretraining";

  constructor(config: Options<PretrainingConfig> = {}, options: StrategyOptions = {}) {
    super(configs.createPretrainingConfig(config), options);
  }
}

/** Learns responses to prompts, with all weights, LoRA or QLoRA. */
export class FineTuningStrategy extends BaseStrategy<FineTuningConfig> {
  readonly kind = "fine_tuning";

  constructor(config: Options<FineTuningConfig> = {}, options: StrategyOptions = {}) {
    super(configs.createFineTuningConfig(config), options);
  }

  /** Adds prompts with the responses to learn. */
  addExamples(examples: readonly PromptResponsePair[]): this {
    return this.addRows(examples);
  }
}

/** Strategies that learn which of two responses is better. */
abstract class PreferenceStrategy<Config extends object> extends BaseStrategy<Config> {
  /** Adds prompts with a better and a worse response. */
  addPreferences(preferences: readonly PreferenceExample[]): this {
    return this.addRows(preferences);
  }
}

/** A reward model and proximal policy optimisation (PPO). */
export class RLHFStrategy extends PreferenceStrategy<RlhfConfig> {
  readonly kind = "rlhf";

  constructor(config: Options<RlhfConfig> = {}, options: StrategyOptions = {}) {
    super(configs.createRLHFConfig(config), options);
  }
}

/** Direct preference optimisation, which needs neither a reward model nor samples. */
export class DPOStrategy extends PreferenceStrategy<DpoConfig> {
  readonly kind = "dpo";

  constructor(config: Options<DpoConfig> = {}, options: StrategyOptions = {}) {
    super(configs.createDPOConfig(config), options);
  }
}

/** Group relative policy optimisation, which compares answers to one prompt with each other. */
export class GRPOStrategy extends PreferenceStrategy<GrpoConfig> {
  readonly kind = "grpo";

  constructor(config: Options<GrpoConfig> = {}, options: StrategyOptions = {}) {
    super(configs.createGRPOConfig(config), options);
  }
}

/** Retrieval: documents are indexed, and the model that it starts from answers from the passages that are found. */
export class RAGStrategy extends BaseStrategy<RagConfig> {
  readonly kind = "rag";

  constructor(config: Options<RagConfig> = {}, options: StrategyOptions = {}) {
    super(configs.createRAGConfig("memory", config), options);
  }

  /** Adds documents to the index that `train` makes. */
  addDocuments(documents: readonly RAGDocument[]): this {
    return this.addRows(documents);
  }

  /** The best passages for a query, at most `count`. */
  async retrieve(query: string, options: { count?: number; signal?: AbortSignal } = {}): Promise<UsedPassage[]> {
    const run = this.finished();
    const lab = await this.lab();
    return lab.retrieve(run, query, options.count ?? this.config.passages ?? 3, options.signal);
  }

  /** An answer from the documents, with the passages that were found. */
  async query(question: string, options: { signal?: AbortSignal } = {}): Promise<RAGResult> {
    const passages = await this.retrieve(question, options);
    const answer = passages.length > 0 ? await this.ask(question, options) : undefined;
    return { question, answer: answer ?? "", passages };
  }
}
