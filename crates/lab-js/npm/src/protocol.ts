// The reports of workers, as lab-protocol's `message.rs`, `result.rs` and `comparison.rs` write it.

import type { WrittenError } from "../errors.js";
import type { BackendChoice, GenerateRequest } from "../schema.js";

/** The device that computes, and why it was chosen. */
export interface DeviceInfo {
  /** `cpu` or `wgpu`, never `auto`. */
  backend: Exclude<BackendChoice, "auto">;
  /** The adapter's own description, or the CPU's abilities. */
  name: string;
  /** Why this one, in a sentence. */
  reason: string;
  /** Version of LLM Labs. */
  version: string;
}

/** A metric that the lab does not know by itself. */
export interface MetricInfo {
  name: string;
  label: string;
  unit: string;
  /** Which way is better. */
  direction: "more" | "less" | "neither";
  help: string;
}

/** What is known of a run when it starts. */
export interface RunInfo {
  /** The strategy's kind. */
  strategy: string;
  /** The strategy's configuration with every default filled in. */
  config: unknown;
  steps: number;
  /** Step the run continues after; 0 for a new one. */
  first_step: number;
  parameters: number;
  vocabulary: number;
  training_tokens: number;
  validation_tokens: number;
  tokens_per_step: number;
  /** Rows of the data that were left out. */
  skipped_rows?: { count: number; first: string };
  metrics?: MetricInfo[];
}

/** The values of one step. A step may have a second record with what was evaluated after it. */
export interface MetricRecord {
  run: string;
  /** The strategy's name in the experiment. */
  strategy: string;
  step: number;
  /** Milliseconds since 1970-01-01 UTC. */
  timestamp: number;
  values: StrategyMetrics;
}

/** Values by metric name, e.g. `loss`, `validation_loss`, `reward_accuracy`, `held_out/true_reward`. */
export type StrategyMetrics = Record<string, number>;

/** A file that a run made; its path is relative to the run's folder, e.g. `model/config.json`. */
export interface ModelFile {
  path: string;
  bytes: Uint8Array;
}

/** How a run ended, and what it made. */
export interface TrainingResult {
  /** The strategy's name in the experiment. */
  strategy: string;
  stop_reason: "completed" | "early_stopping" | "stopped";
  /** Steps made. */
  steps: number;
  /** Step of the weights that are kept: that of the best validation loss, or the last. */
  best_step: number;
  /** Computing time in seconds, pauses left out. */
  seconds: number;
  /** Final values, of the weights that are kept. */
  metrics: StrategyMetrics;
  /** Declarations of those metrics that come from outside the lab. */
  declared?: MetricInfo[];
  /** A model's folder `model/` (Hugging Face), an adapter's `adapter/` (PEFT), an index `index/`. */
  files: ModelFile[];
}

/** A passage that a search found, or that an answer was written from. */
export interface UsedPassage {
  /** Id of the document. */
  document: string;
  /** Its first character in the document and the one after its last, in Unicode scalar values. */
  start: number;
  end: number;
  text: string;
  /** By the scale of the method. */
  score: number;
  /** Whether an answer refers to it. */
  cited: boolean;
}

/** How an answer from documents came about. */
export interface Grounds {
  outcome: "answered" | "no_passage";
  passages: UsedPassage[];
}

/** What a run reports while it is under way; `strategy` is its name in the experiment. */
export type RunEvent =
  | { event: "started"; strategy: string; info: RunInfo }
  | { event: "metrics"; strategy: string; records: MetricRecord[] }
  | { event: "sample"; strategy: string; step: number; prompt: string; text: string; reward?: number; grounds?: Grounds }
  | { event: "writing"; strategy: string; prompt: string; text: string }
  | { event: "map"; strategy: string; map: VectorMap }
  | { event: "progress"; strategy: string; progress: Progress }
  | { event: "checkpoint"; strategy: string; step: number }
  | { event: "paused"; strategy: string; step: number }
  | { event: "resumed"; strategy: string; step: number }
  | { event: "finished"; strategy: string; result: TrainingResult }
  | { event: "failed"; strategy: string; error: WrittenError }
  | { event: "log"; level: "info" | "warning"; message: string };

/** The vectors of an index in two dimensions. */
export interface VectorMap {
  points: Array<{ document: string; place: [number, number] }>;
}

/** How far a run is. */
export interface Progress {
  step: number;
  steps: number;
  /** Over the last steps, pauses left out. */
  tokens_per_second: number;
  /** An estimate from the last steps. */
  seconds_left: number;
}

/** How a strategy of an experiment came out. */
export type Outcome =
  | ({ outcome: "finished" } & TrainingResult)
  | { outcome: "failed"; strategy: string; error: WrittenError }
  | { outcome: "skipped"; strategy: string; because: string };

/** An experiment that was run: an outcome for each strategy, in the experiment's order. */
export interface ExperimentResult {
  experiment: string;
  outcomes: Outcome[];
}

/** A metric of a strategy; `standard_error` is null where nothing is known of it. */
export interface Measured {
  mean: number;
  standard_error: number | null;
}

/** Strategies beside each other: a row for each, with its metrics by name beside `strategy`. */
export interface Comparison {
  rows: Array<{ strategy: string } & Record<string, Measured | string>>;
  declared?: MetricInfo[];
}

/** What to write, and how freely; `prompt` is given apart. */
export type GenerateOptions = Omit<GenerateRequest, "prompt">;

/** Another program's format: a table, an object a line, event files, or Markdown with plots. */
export type ExportFormat = "csv" | "jsonl" | "tensorboard" | "report";

/** A prompt and the response to learn from it. */
export interface PromptResponsePair {
  prompt: string;
  response: string;
  /** What stands before the conversation. */
  system?: string;
  metadata?: unknown;
}

/** A text to retrieve from. */
export interface RAGDocument {
  /** Unique within an index. */
  id: string;
  content: string;
  /** Facts that a filter can ask for: title, source, date. */
  metadata?: Record<string, unknown>;
}

/** An answer from documents. */
export interface RAGResult {
  question: string;
  /** Empty where no passage is close enough. */
  answer: string;
  /** What was found, the best first. */
  passages: UsedPassage[];
}
