// Strategies, metrics and rewards of JavaScript, which stay where they are: a worker calls them by messages
// (`worker/remote.js`).

import { labError } from "../errors.js";
import type { GenerateRequest } from "../schema.js";
import type { MetricInfo, ModelFile, StrategyMetrics, TrainingResult } from "./protocol.js";

/** What a strategy of JavaScript is told about its run. */
export interface RunAbout {
  run: string;
  /** The strategy's name in the experiment. */
  strategy: string;
  seed: number;
  /** The text that was given; empty for a village. */
  text: string;
  validation_fraction: number;
  /** The village's data, without what is held out. */
  village?: { text: string; pairs: Array<[prompt: string, response: string]>; documents: Array<[id: string, text: string]> };
  /** The files of the run that it starts from. */
  base: ModelFile[];
}

/** What a step made. */
export interface StepMade {
  /** Tokens that were learned from. */
  tokens?: number;
  metrics?: StrategyMetrics;
}

/** What follows a step. */
export interface StepReport {
  metrics?: StrategyMetrics;
  samples?: Array<{ prompt: string; text: string }>;
  warnings?: string[];
  /** Further training is useless. */
  stop?: boolean;
}

/** What a whole run made. */
export interface RunMade {
  metrics?: StrategyMetrics;
  files?: ModelFile[];
}

/** A value, or a promise of it. */
export type Awaitable<T> = T | Promise<T>;

/** A run of a strategy of JavaScript: the lab's loop calls it, hears commands, measures time and keeps checkpoints. */
export interface Learner {
  /** Steps to make. */
  readonly steps: number;
  readonly parameters?: number;
  readonly vocabulary?: number;
  readonly training_tokens?: number;
  readonly validation_tokens?: number;
  readonly tokens_per_step?: number;
  /** Metrics of its own that are to be ranked. */
  readonly metrics?: Array<Pick<MetricInfo, "name"> & Partial<MetricInfo>>;
  /** Steps between checkpoints; 0 or none for those that are asked for. */
  readonly checkpointInterval?: number;
  /** Makes a step, the first of which is 1. */
  step(number: number): Awaitable<StepMade | void>;
  /** Follows a step, and comes with 0 before the first. */
  report?(number: number): Awaitable<StepReport | void>;
  /** The state, from which the run can be continued. */
  save(): Awaitable<Uint8Array>;
  /** Continues from a state. */
  restore(state: Uint8Array): Awaitable<void>;
  /** A text of the model as it is. */
  generate(request: Required<GenerateRequest>): Awaitable<string>;
  /** Ends the run: its final metrics, and the files that it leaves. */
  finish(reason: "completed" | "early_stopping" | "stopped"): Awaitable<RunMade | void>;
}

/** A strategy as workers call it. */
export interface RemoteStrategy {
  /** Gives the learner of a run. */
  begin(run: RunAbout): Awaitable<Learner>;
  /** Answers prompts from the files of a finished run; nothing if it cannot. */
  answer?(prompts: string[], files: ModelFile[]): Awaitable<string[] | void>;
}

/** A finished run, as a metric sees it. */
export interface MeasuredRun {
  /** With the run's files. */
  result: TrainingResult;
  /** The text that was given; empty for a village. */
  text: string;
  /** The answers to the held-out questions of a village. */
  answers: Array<{ set: string; prompt: string; reference: string; answer: string }>;
}

/** The value of a metric for a run; nothing where it has no meaning. */
export type Measure = (run: MeasuredRun) => Awaitable<number | void>;

/** An answer to score. */
export interface ScoredAnswer {
  prompt: string;
  response: string;
  tokens: number;
}

/** The reward of an answer, a finite number. */
export type Reward = (answer: ScoredAnswer) => Awaitable<number>;

/** The description of a metric; without a direction it is not ranked. */
export type MetricDescription = Partial<Omit<MetricInfo, "name">>;

const ABOUT = ["steps", "parameters", "vocabulary", "training_tokens", "validation_tokens", "tokens_per_step", "metrics", "checkpointInterval"] as const;
const METHODS = ["step", "report", "save", "restore", "generate", "finish"] as const;

/** The strategies, metrics and the reward of JavaScript that a lab knows, and the strategies' runs under way. */
export class Remote {
  readonly #strategies = new Map<string, RemoteStrategy>();
  readonly #metrics = new Map<string, { measure: Measure; info: MetricDescription }>();
  #reward: Reward | undefined;
  readonly #learners = new Map<number, Learner>();
  #numbers = 0;

  /** Has workers call `strategy` for this kind from now on. */
  set(kind: string, strategy: RemoteStrategy): void {
    this.#strategies.set(kind, strategy);
  }

  /** Has workers measure finished runs by `measure` from now on. */
  setMetric(name: string, measure: Measure, info: MetricDescription): void {
    this.#metrics.set(name, { measure, info });
  }

  /** Has workers score answers by `reward` from now on. */
  setReward(reward: Reward): void {
    this.#reward = reward;
  }

  /** The commands by which a worker learns what there is for strategies of these kinds. */
  commands(kinds: string[]): Array<{ command: string; name?: string; kind?: string; info?: MetricDescription }> {
    const strategies = kinds.filter((kind) => this.#strategies.has(kind));
    return [
      ...strategies.map((kind) => ({ command: "add_strategy", kind })),
      ...[...this.#metrics].map(([name, { info }]) => ({ command: "add_metric", name, info })),
      ...(this.#reward ? [{ command: "set_reward" }] : []),
    ];
  }

  /** Does what a worker asks: `measure` and `reward` are of no kind. */
  async call(kind: string, method: string, parts: unknown[]): Promise<unknown> {
    if (method === "measure") return this.#metrics.get(String(parts[0]))?.measure(parts[1] as MeasuredRun);
    if (method === "reward") return this.#reward?.(parts[0] as ScoredAnswer);
    const strategy = this.#strategies.get(kind);
    if (!strategy) throw labError({ code: "internal", message: `there is no strategy "${kind}"`, hint: "Create it again." });
    if (method === "begin") return this.#begin(await strategy.begin(parts[0] as RunAbout));
    if (method === "answer") return strategy.answer?.(parts[0] as string[], parts[1] as ModelFile[]);
    const [number, part] = parts as [number, never];
    const learner = this.#learners.get(number);
    const name = METHODS.find((known) => known === method);
    if (!learner || !name) throw labError({ code: "internal", message: `the run of "${kind}" is not there any more`, hint: "Start it again." });
    if (name === "finish") this.#learners.delete(number);
    return learner[name]?.(part);
  }

  /** Keeps a learner; what is known of its run goes to the worker. */
  #begin(learner: Learner): unknown {
    const number = ++this.#numbers;
    this.#learners.set(number, learner);
    const known = ABOUT.filter((key) => learner[key] !== undefined);
    return { learner: number, ...Object.fromEntries(known.map((key) => [key, learner[key]])) };
  }
}
