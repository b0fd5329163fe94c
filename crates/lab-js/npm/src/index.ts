/**
 * A laboratory for small language models: pretraining, fine-tuning, learning from preferences, and retrieval, in the
 * browser or in Node.js, computed by WebGPU or on the CPU.
 *
 * @packageDocumentation
 */

export * from "../configs.js";
export {
  AbortedError,
  CheckpointError,
  CommandError,
  ConfigError,
  DataError,
  DeviceError,
  InternalError,
  LabError,
  NetworkError,
  NonFiniteError,
} from "../errors.js";
export type { Checkpoint, ErrorCode } from "../errors.js";
export { type FinishedRun, Lab, type LabOptions, type WasmUrl, createLab } from "./lab.js";
export { LabOrchestrator } from "./orchestrator.js";
export type * from "./protocol.js";
export type {
  Awaitable,
  Learner,
  Measure,
  MeasuredRun,
  MetricDescription,
  RemoteStrategy,
  Reward,
  RunAbout,
  RunMade,
  ScoredAnswer,
  StepMade,
  StepReport,
} from "./remote.js";
export { ExperimentRun, type RunOptions } from "./run.js";
export { DPOStrategy, FineTuningStrategy, GRPOStrategy, PretrainingStrategy, RAGStrategy, RLHFStrategy } from "./strategies.js";
export { BaseStrategy, type StrategyOptions, type TrainOptions, type TrainingData, type VillageData } from "./strategy.js";
export type { LoadProgress } from "./worker.js";
