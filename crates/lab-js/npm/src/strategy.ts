// `BaseStrategy`: what all strategies have, and what a strategy of one's own extends.

import { labError } from "../errors.js";
import type { Checkpoint } from "../errors.js";
import type { DataConfig, ExperimentConfig, GenerateRequest, VillageSettings } from "../schema.js";
import { createStrategyConfig } from "../configs.js";
import { type FinishedRun, type Lab, createLab } from "./lab.js";
import type { GenerateOptions, MetricRecord, ModelFile, RunEvent, StrategyMetrics, TrainingResult } from "./protocol.js";
import type { Awaitable, Learner, RunAbout } from "./remote.js";

/** Text to train on, or a village: a small world made from a seed, with questions, preferences and documents of known truth. */
export type TrainingData = string | VillageData;

/** A village by its preset and settings. */
export interface VillageData {
  source: "village";
  /** The preset. */
  name?: "hamlet" | "village" | "town";
  /** Settings that differ from the preset's. */
  village?: VillageSettings;
}

/** Options of a strategy, besides its configuration. */
export interface StrategyOptions {
  /** The lab that it runs in; by default one that all strategies share, made at the first use. */
  lab?: Lab;
  /** A trained strategy whose model this one starts from, or the files of a model from elsewhere (`model/config.json`, …). */
  from?: BaseStrategy | ModelFile[];
  /** Its name in metrics, results and comparisons; by default its kind. */
  name?: string;
  /** Decides initial weights, batches, dropout and samples. */
  seed?: number;
  /** Share of the data that is never trained on. */
  validation_fraction?: number;
}

/** Options of a training. */
export interface TrainOptions {
  /** Ends the training; the error has a checkpoint. */
  signal?: AbortSignal;
  /** Called with each record of metrics. */
  onMetrics?: (record: MetricRecord) => void;
  /** Called with every event. */
  onEvent?: (event: RunEvent) => void;
  /** Continues from a checkpoint, as an aborted training leaves it. */
  resume?: Checkpoint;
  /** For an endpoint that answers questions; it is kept nowhere. */
  endpointKey?: string;
}

let shared: Promise<Lab> | undefined;

/** The lab of strategies that are given none. */
export function sharedLab(): Promise<Lab> {
  shared ??= createLab().catch((error: unknown) => {
    shared = undefined;
    throw error;
  });
  return shared;
}

/** A way of making a model better. To write one of your own, extend it with a `kind` and `begin`. */
export abstract class BaseStrategy<Config extends object = object> {
  /** The kind that experiments name it by, e.g. `pretraining`. */
  abstract readonly kind: string;
  /** The settings; where they come from a builder, every default is filled in. */
  readonly config: Config;
  protected readonly options: StrategyOptions;
  #village: VillageData | undefined;
  #text: string[] = [];
  #result: TrainingResult | undefined;
  #metrics: StrategyMetrics = {};
  #experiment: ExperimentConfig | undefined;

  constructor(config: Config, options: StrategyOptions = {}) {
    this.config = config;
    this.options = options;
  }

  /** Gives the learner of a run. A strategy of one's own has it, those of the lab do not. */
  begin?(run: RunAbout): Awaitable<Learner>;
  /** Answers prompts from the files of a finished run; a strategy without it is asked through its model. */
  answer?(prompts: string[], files: ModelFile[]): Awaitable<string[] | void>;
  /** Throws what is wrong with the configuration or the data, before a run. */
  validate?(): void;

  /** The strategy's name in metrics and comparisons. */
  getStrategyName(): string {
    return this.options.name ?? this.kind;
  }

  /** The last value of each metric: of the run under way, or its final ones. */
  getMetrics(): StrategyMetrics {
    return { ...this.#metrics };
  }

  /** How the training ended; undefined before. */
  get result(): TrainingResult | undefined {
    return this.#result;
  }

  /** Adds a text, or chooses a village in place of texts. */
  addTrainingData(data: TrainingData): this {
    if (typeof data === "string") this.#text.push(data);
    else this.#village = data;
    return this;
  }

  /** Adds rows of a data set, which are written an object a line. */
  protected addRows(rows: readonly object[]): this {
    this.#text.push(rows.map((row) => JSON.stringify(row)).join("\n"));
    return this;
  }

  /** Trains. What goes wrong is thrown as a `LabError`. */
  async train(options: TrainOptions = {}): Promise<TrainingResult> {
    const { signal, onMetrics, onEvent, resume, endpointKey } = options;
    this.validate?.();
    const files = this.#base();
    const lab = await this.#lab();
    const [experiment, name] = [this.#describe(), this.getStrategyName()];
    const run = lab.run(experiment, {
      text: this.#village ? "" : this.#text.join("\n"),
      ...(files && { base: { [name]: files } }),
      ...(resume && { resume: [{ ...resume, strategy: name }] }),
      ...(endpointKey !== undefined && { endpointKey }),
      ...(signal && { signal }),
    });
    for await (const event of run) {
      if (event.event === "metrics") {
        for (const record of event.records) {
          Object.assign(this.#metrics, record.values);
          onMetrics?.(record);
        }
      }
      onEvent?.(event);
    }
    const [outcome] = (await run.result).outcomes;
    if (outcome?.outcome === "failed") throw labError(outcome.error, { checkpoints: run.checkpoints });
    if (outcome?.outcome !== "finished") throw labError({ code: "invalid_command", message: "the training was stopped before it began", hint: "Start it again." });
    const { outcome: _, ...result } = outcome;
    [this.#result, this.#experiment, this.#metrics] = [result, run.experiment, { ...this.#metrics, ...result.metrics }];
    return result;
  }

  /** The likeliest answer to a prompt; undefined where the strategy cannot be asked. */
  async ask(prompt: string, options: { signal?: AbortSignal } = {}): Promise<string | undefined> {
    const run = this.finished();
    return (await this.#lab()).ask(run, prompt, options.signal);
  }

  /** Has the model continue a prompt. */
  async generate(prompt: string, options: GenerateOptions & { signal?: AbortSignal } = {}): Promise<string> {
    const { signal, ...settings } = options;
    const request: GenerateRequest = { prompt, ...settings };
    const run = this.finished();
    return (await this.#lab()).generate(run, request, signal);
  }

  /** The finished run, as `lab.ask` takes it. */
  protected finished(): FinishedRun {
    const [result, experiment] = [this.#result, this.#experiment];
    if (result && experiment) return { experiment, strategy: result.strategy, files: result.files };
    throw labError({ code: "invalid_command", message: `"${this.getStrategyName()}" is not trained`, hint: "Await train() first." });
  }

  /** The lab that it runs in. */
  protected lab(): Promise<Lab> {
    return this.#lab();
  }

  async #lab(): Promise<Lab> {
    const lab = this.options.lab ?? (await sharedLab());
    if (this.begin) lab.addStrategy(this.kind, this as BaseStrategy & { begin: NonNullable<BaseStrategy["begin"]> });
    return lab;
  }

  #base(): ModelFile[] | undefined {
    const { from } = this.options;
    return from instanceof BaseStrategy ? from.finished().files : from;
  }

  #describe(): ExperimentConfig {
    const { validation_fraction, seed } = this.options;
    const data: DataConfig = { ...(this.#village ?? { source: "user" }), ...(validation_fraction !== undefined && { validation_fraction }) };
    const name = this.getStrategyName();
    return { name, ...(seed !== undefined && { seed }), data, strategies: [createStrategyConfig(name, this.kind, this.config)] };
  }
}
