// The runs of a notebook's widget. Traits of its model are all that the notebook's program and this page tell each other.

import { labError } from "../errors.js";
import type { WrittenError } from "../errors.js";
import type { ExperimentConfig } from "../schema.js";
import type { ExperimentResult, Outcome, RunEvent, StrategyMetrics } from "./protocol.js";
import type { ExperimentRun } from "./run.js";
import type { LoadProgress } from "./worker.js";

/** What the widget uses of a model of `anywidget`. */
export interface WidgetModel {
  /** The value of a trait. */
  get(name: string): unknown;
  /** Changes a trait in this page. */
  set(name: string, value: unknown): void;
  /** Tells the program of every trait that was set. */
  save_changes(): void;
  /** Has `callback` called at every `change:NAME`. */
  on(event: string, callback: () => void): void;
  /** Ends that. */
  off(event: string, callback: () => void): void;
}

/** The values of one step, in one row with the strategy's name. */
export type WidgetRecord = StrategyMetrics & { strategy: string; step: number };

/** The traits that the widget reads and writes. A program may leave out any but `experiment`. */
export interface WidgetTraits {
  /** Read: the experiment, or its JSON. */
  experiment: ExperimentConfig | string;
  /** Read: the text to train on, where the experiment's data are the user's. */
  text: string;
  /** Read and written: true starts the experiment, false stops it. False when it has ended. */
  running: boolean;
  /** Written, at most three times a second: all records so far. */
  metrics: WidgetRecord[];
  /** Written at the end: an outcome for each strategy, with paths instead of files. Empty before. */
  result: { experiment?: string; outcomes?: Array<Omit<Outcome, "files"> & { files?: string[] }> };
  /** Written at the end: what failed, and in which strategy. Empty where nothing did. */
  error: Partial<WrittenError> & { strategy?: string };
}

/** What is being done: `stopping` is a run that ends with the step under way. */
export type Stage = "idle" | "loading" | "running" | "stopping";

const SHOWN = ["experiment", "metrics", "result", "error"] as const;
const DRAW_MS = 100;
/** Every update has all records, so the more there are, the rarer it is: at most one record a millisecond. */
const SHARE_MS = 300;

/** The runs of one widget, one at a time, each with a lab of its own. */
export class WidgetSession {
  stage: Stage = "idle";
  /** How much of the worker's wasm file has come. */
  loaded: LoadProgress | undefined;
  /** Computes the run: `cpu` or `wgpu`. */
  backend: string | undefined;
  /** Steps of each strategy that has started, by name. */
  readonly steps = new Map<string, number>();
  readonly #model: WidgetModel;
  readonly #views = new Set<() => void>();
  #records: WidgetRecord[] | undefined;
  #run: ExperimentRun | undefined;
  #end: AbortController | undefined;
  #drawing: ReturnType<typeof setTimeout> | undefined;
  #sharing: ReturnType<typeof setTimeout> | undefined;

  constructor(model: WidgetModel) {
    this.#model = model;
    model.on("change:running", this.#follow);
    for (const name of SHOWN) model.on(`change:${name}`, this.#draw);
  }

  /** Has `draw` called after every change; returns what ends that. The run ends with the last view. */
  view(draw: () => void): () => void {
    this.#views.add(draw);
    this.#follow();
    draw();
    return () => {
      this.#views.delete(draw);
      if (this.#views.size === 0) this.#end?.abort();
    };
  }

  /** Ends the run. The session listens no more. */
  close(): void {
    this.#end?.abort();
    this.#model.off("change:running", this.#follow);
    for (const name of SHOWN) this.#model.off(`change:${name}`, this.#draw);
  }

  /** Starts the experiment, or stops it. */
  toggle(): void {
    this.#save({ running: this.stage === "idle" });
    this.#follow();
  }

  /** A trait as it is now; undefined where the program has none of that name. */
  trait<Name extends keyof WidgetTraits>(name: Name): WidgetTraits[Name] | undefined {
    return (this.#model.get(name) ?? undefined) as WidgetTraits[Name] | undefined;
  }

  /** All records: of the run in this page, else those that the program has. */
  get records(): readonly WidgetRecord[] {
    return this.#records ?? this.trait("metrics") ?? [];
  }

  /** The experiment; undefined where it cannot be read. */
  get experiment(): ExperimentConfig | undefined {
    try {
      return this.#read();
    } catch {
      return undefined;
    }
  }

  #read(): ExperimentConfig {
    const experiment = this.trait("experiment");
    if (typeof experiment !== "string") return experiment ?? ({} as ExperimentConfig);
    try {
      return JSON.parse(experiment) as ExperimentConfig;
    } catch (error) {
      throw labError({ code: "invalid_json", message: `the experiment is not JSON: ${(error as Error).message}`, hint: "Use a dictionary, or the JSON of one.", field: "experiment" });
    }
  }

  /** Does what the trait `running` says. */
  readonly #follow = (): void => {
    const wanted = Boolean(this.trait("running"));
    if (wanted && this.stage === "idle" && this.#views.size > 0) void this.#runAll();
    if (!wanted) this.#stop();
    this.#draw();
  };

  #stop(): void {
    if (this.stage === "idle" || this.stage === "stopping") return;
    this.stage = "stopping";
    if (this.#run) this.#run.stop().catch(() => {});
    else this.#end?.abort();
  }

  async #runAll(): Promise<void> {
    const { signal } = (this.#end = new AbortController());
    this.stage = "loading";
    this.steps.clear();
    this.#records = [];
    this.#save({ metrics: [], result: {}, error: {} });
    const made: Partial<WidgetTraits> = {};
    try {
      const result = await this.#compute(this.#read(), signal);
      const failed = result.outcomes.find((outcome) => outcome.outcome === "failed");
      made.result = { experiment: result.experiment, outcomes: result.outcomes.map(withoutBytes) };
      if (failed) made.error = { strategy: failed.strategy, ...failed.error };
    } catch (thrown) {
      const { code, message, hint, field } = labError(thrown);
      if (!signal.aborted) made.error = { code, message, hint, ...(field !== undefined && { field }) };
    }
    clearTimeout(this.#sharing);
    const metrics = this.#records;
    this.#sharing = this.#run = this.#end = this.#records = this.loaded = undefined;
    this.stage = "idle";
    this.#save({ metrics, ...made, running: false });
    this.#draw();
  }

  async #compute(experiment: ExperimentConfig, signal: AbortSignal): Promise<ExperimentResult> {
    // Loaded here, since some notebooks wait only for seconds until a widget's module is there.
    const { createLab } = await import("./index.js");
    const onProgress = (loaded: LoadProgress) => {
      this.loaded = loaded;
      this.#draw();
    };
    const lab = await createLab({ backend: experiment.backend ?? "auto", signal, onProgress });
    // Nobody sees a run whose views are gone: it is not stopped but ended.
    signal.addEventListener("abort", () => lab.dispose());
    try {
      signal.throwIfAborted();
      this.backend = lab.device?.backend;
      this.#run = lab.run(experiment, { text: this.trait("text") ?? "" });
      this.stage = "running";
      for await (const event of this.#run) this.#heard(event);
      return await this.#run.result;
    } finally {
      lab.dispose();
    }
  }

  #heard(event: RunEvent): void {
    if (event.event === "started") this.steps.set(event.strategy, event.info.steps);
    if (event.event === "metrics") {
      for (const { strategy, step, values } of event.records) this.#records?.push({ ...values, strategy, step } as WidgetRecord);
      this.#share();
    }
    this.#draw();
  }

  #share(): void {
    this.#sharing ??= setTimeout(() => {
      this.#sharing = undefined;
      this.#save({ metrics: [...this.records] });
    }, Math.max(SHARE_MS, this.records.length));
  }

  readonly #draw = (): void => {
    this.#drawing ??= setTimeout(() => {
      this.#drawing = undefined;
      for (const draw of this.#views) draw();
    }, DRAW_MS);
  };

  #save(traits: Partial<WidgetTraits>): void {
    try {
      for (const [name, value] of Object.entries(traits)) this.#model.set(name, value);
      this.#model.save_changes();
    } catch (error) {
      // A cell that runs again closes the model of its old widget, which has nobody to tell.
      console.warn("LLM Labs: the notebook was not told", error);
    }
  }
}

function withoutBytes(outcome: Outcome): Omit<Outcome, "files"> & { files?: string[] } {
  return outcome.outcome === "finished" ? { ...outcome, files: outcome.files.map(({ path }) => path) } : outcome;
}
