// An experiment under way.

import { AbortedError, labError } from "../errors.js";
import type { Checkpoint, WrittenError } from "../errors.js";
import type { ExperimentConfig, GenerateRequest } from "../schema.js";
import { type Change, type Engine, type Phase, called } from "./engine.js";
import type { ExperimentResult, MetricRecord, ModelFile, Outcome, RunEvent, TrainingResult } from "./protocol.js";
import { EventStream } from "./stream.js";

/** What an experiment is run with. */
export interface RunOptions {
  /** The text to train on, or the rows of a data set; a village needs none. */
  text?: string;
  /** Files for strategies that start from no other one of the experiment, by their names. */
  base?: Record<string, ModelFile[]>;
  /** Checkpoints to continue from, as an aborted run leaves them. */
  resume?: Checkpoint[];
  /** For an endpoint that answers questions; it is kept nowhere. */
  endpointKey?: string;
  /** Ends the run; the error that follows has a checkpoint of what ran. */
  signal?: AbortSignal;
}

const ENDED: Phase[] = ["idle", "finished", "failed"];

/** An experiment under way: a stream of events, commands, and the result. */
export class ExperimentRun implements AsyncIterable<RunEvent> {
  /** The experiment, with its defaults filled in. */
  readonly experiment: ExperimentConfig;
  /** How it came out; a strategy that failed is an outcome. It is rejected where the run was aborted, or never began. */
  readonly result: Promise<ExperimentResult>;
  readonly #options: RunOptions;
  readonly #stream = new EventStream();
  readonly #records = new Map<string, MetricRecord[]>();
  readonly #checkpoints = new Map<string, Checkpoint>();
  readonly #outcomes: Array<Outcome | undefined> = [];
  readonly #phases: Phase[] = [];
  /** Each is told of every change and forgets itself. */
  readonly #watchers = new Set<(change: Change | undefined) => void>();
  #settle!: { resolve(result: ExperimentResult): void; reject(error: Error): void };
  #engine: Engine | undefined;
  #ended = false;

  /** @internal */
  constructor(experiment: ExperimentConfig, options: RunOptions) {
    this.experiment = experiment;
    this.#options = options;
    this.result = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    // A caller that only reads the stream gets the error from the stream.
    this.result.catch(() => {});
    options.signal?.addEventListener("abort", this.#abort, { once: true });
  }

  /** The events, each once. Without a reader the last of them wait. */
  [Symbol.asyncIterator](): AsyncIterator<RunEvent> {
    return this.#stream[Symbol.asyncIterator]();
  }

  /** Everything that a strategy recorded so far. */
  records(strategy: string): readonly MetricRecord[] {
    return this.#records.get(strategy) ?? [];
  }

  /** The last checkpoint of each strategy. */
  get checkpoints(): Checkpoint[] {
    return [...this.#checkpoints.values()];
  }

  /** Pauses what runs; kept when it has. */
  async pause(): Promise<void> {
    this.#underWay().pause();
    await this.#until((change) => change.change === "experiment" && change.phase === "paused");
  }

  /** Makes one step of everything that is paused; kept when it is made. */
  async step(): Promise<void> {
    const engine = this.#underWay();
    const paused = new Set(this.#keys(["paused"]));
    if (paused.size === 0) throw labError({ code: "invalid_command", message: "nothing is paused", hint: "Pause the run first." });
    engine.step();
    await this.#until((change) => {
      if (change.change === "run" && change.event.event === "paused") paused.delete(change.strategy);
      if (change.change === "strategy" && change.phase !== "paused") paused.delete(change.strategy);
      return paused.size === 0;
    });
  }

  /** Goes on after a pause. */
  resume(): void {
    this.#underWay().resume();
  }

  /** Ends the run; what ran keeps its results so far. */
  async stop(): Promise<ExperimentResult> {
    this.#underWay().stop();
    return this.result;
  }

  /** The state of a strategy's run after the step under way; the name may be left out where one strategy runs. */
  async checkpoint(strategy?: string): Promise<Checkpoint> {
    const key = this.#running(strategy);
    this.#underWay().checkpoint(key);
    await this.#until((change) => change.change === "checkpoint" && change.strategy === key);
    const checkpoint = this.#checkpoints.get(this.#name(key));
    if (!checkpoint) throw labError({ code: "invalid_command", message: "the run ended before its first checkpoint", hint: "Ask for it earlier." });
    return checkpoint;
  }

  /** Has the model of a strategy's run, as it is now, continue a prompt. */
  async generate(request: GenerateRequest, strategy?: string): Promise<string> {
    const key = this.#running(strategy);
    called(() => this.#underWay().generate(key, request));
    let text = "";
    await this.#until((change) => {
      const event = change.change === "run" && change.strategy === key ? (change.event as RunEvent) : undefined;
      const isIt = event?.event === "sample" && event.prompt === (request.prompt ?? "");
      if (isIt) text = event.text;
      return isIt;
    });
    return text;
  }

  /** @internal Starts it, when its turn has come. */
  begin(engine: Engine): void {
    const { text = "", base = {}, resume = [], endpointKey, signal } = this.#options;
    if (signal?.aborted) return this.fail(this.#aborted());
    this.#engine = engine;
    const { strategies } = this.experiment;
    const place = (name: string) => strategies.findIndex((other) => other.name === name);
    const keys = inOrder(strategies);
    const planned = keys.map((key) => {
      const { name, from } = strategies[key]!;
      const files = base[name];
      // Files from elsewhere are loaded under a key of their own, behind those of the strategies.
      if (files) engine.load(strategies.length + key, files);
      return { key, name, base: files ? strategies.length + key : from == null ? undefined : place(from), endpointKey };
    });
    const states = keys.map((key) => resume.find(({ strategy }) => strategy === this.#name(key))?.state);
    engine.run(this.experiment, text, planned, states);
  }

  /** @internal */
  changed(change: Change): void {
    switch (change.change) {
      case "strategy":
        this.#phases[change.strategy] = change.phase;
        break;
      case "run":
        this.#event({ ...change.event, strategy: this.#name(change.strategy) } as RunEvent);
        break;
      case "checkpoint":
        this.#checkpoint(change.strategy, change.step);
        break;
      case "finished":
        this.#finished(change.strategy, change.result);
        break;
      case "problem":
        if (change.strategy !== undefined) this.#failed(change.strategy, change.error);
        break;
      case "other":
        if (change.event.event === "log") this.#stream.push(change.event);
        break;
      case "experiment":
        // The problems that belong to an end are reported right after it.
        if (ENDED.includes(change.phase)) queueMicrotask(() => this.#end());
        break;
    }
    for (const watcher of this.#watchers) watcher(change);
  }

  /** @internal Ends it by an error that is no strategy's. */
  fail(error: Error): void {
    this.#close(() => this.#settle.reject(error));
  }

  /** @internal Whether it has ended. */
  get ended(): boolean {
    return this.#ended;
  }

  #event(event: RunEvent): void {
    if (event.event === "metrics") {
      const known = this.#records.get(event.strategy) ?? [];
      known.push(...event.records);
      this.#records.set(event.strategy, known);
    }
    this.#stream.push(event);
  }

  #checkpoint(key: number, step: number): void {
    const [strategy, state] = [this.#name(key), this.#engine?.checkpointOf(key)];
    if (state) this.#checkpoints.set(strategy, { strategy, step, state });
    this.#stream.push({ event: "checkpoint", strategy, step });
  }

  #finished(key: number, ended: Omit<TrainingResult, "files">): void {
    const result: TrainingResult = { ...ended, files: (this.#engine?.files(key) ?? []) as ModelFile[] };
    this.#outcomes[key] = { outcome: "finished", ...result };
    this.#stream.push({ event: "finished", strategy: result.strategy, result });
  }

  #failed(key: number, error: WrittenError): void {
    const strategy = this.#name(key);
    this.#outcomes[key] = { outcome: "failed", strategy, error };
    this.#stream.push({ event: "failed", strategy, error });
  }

  #end(): void {
    const { strategies, name } = this.experiment;
    const outcomes = strategies.map(({ name, from }, key): Outcome => {
      const because = from != null && this.#phases[key] === "skipped" ? `"${from}" has no model` : "the experiment was stopped";
      return this.#outcomes[key] ?? { outcome: "skipped", strategy: name, because };
    });
    this.#close(() => {
      if (this.#options.signal?.aborted) this.#settle.reject(this.#aborted());
      else this.#settle.resolve({ experiment: name, outcomes });
    });
  }

  #close(settle: () => void): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#options.signal?.removeEventListener("abort", this.#abort);
    settle();
    this.#stream.end();
    for (const watcher of this.#watchers) watcher(undefined);
    this.#engine = undefined;
  }

  readonly #abort = (): void => {
    if (this.#engine) this.#engine.stop();
    else this.fail(this.#aborted());
  };

  #aborted(): AbortedError {
    const error = { code: "aborted", message: "the run was aborted", hint: "Continue from one of its checkpoints, or start again." } as const;
    return new AbortedError(error, { cause: this.#options.signal?.reason, checkpoints: this.checkpoints });
  }

  #name(key: number): string {
    return this.experiment.strategies[key]?.name ?? "";
  }

  #underWay(): Engine {
    if (this.#engine) return this.#engine;
    const message = this.#ended ? "the run has ended" : "the run has not begun: another one is under way";
    throw labError({ code: "invalid_command", message, hint: "Give commands to a run that is under way." });
  }

  /** The key of the strategy of that name, or of the one that runs. */
  #running(strategy: string | undefined): number {
    const key = this.#keys(["running", "pausing", "paused"]).find((key) => strategy === undefined || this.#name(key) === strategy);
    if (key !== undefined) return key;
    throw labError({ code: "invalid_command", message: strategy === undefined ? "no strategy is running" : `"${strategy}" is not running`, hint: "Wait until it has started." });
  }

  /** The strategies in one of these phases. */
  #keys(phases: Phase[]): number[] {
    return this.experiment.strategies.map((_, key) => key).filter((key) => phases.includes(this.#phases[key] ?? "idle"));
  }

  /** Waits for a change; the end of the run ends the waiting too. */
  #until(isIt: (change: Change) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const watcher = (change: Change | undefined) => {
        if (change && !isIt(change)) return;
        this.#watchers.delete(watcher);
        resolve();
      };
      if (this.#ended) resolve();
      else this.#watchers.add(watcher);
    });
  }
}

/** Places of the strategies, each after the one that it starts from. A circle is left to the lab to refuse. */
function inOrder(strategies: ExperimentConfig["strategies"]): number[] {
  const order: number[] = [];
  const add = (key: number, above: number[]) => {
    const base = strategies.findIndex(({ name }) => name === strategies[key]?.from);
    if (base >= 0 && !above.includes(base)) add(base, [...above, key]);
    if (!order.includes(key)) order.push(key);
  };
  strategies.forEach((_, key) => add(key, []));
  return order;
}
