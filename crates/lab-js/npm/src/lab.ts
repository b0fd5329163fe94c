// `createLab`: the workers of a page or a program, and what is asked of them.

import { createExperiment } from "../configs.js";
import { LabError, labError } from "../errors.js";
import type { WrittenError } from "../errors.js";
import type { BackendChoice, ExperimentConfig, GenerateRequest } from "../schema.js";
import { platform } from "#platform";
import { type Change, Engine, called, loadEngine } from "./engine.js";
import type { DeviceInfo, ModelFile, UsedPassage } from "./protocol.js";
import { type Measure, type MetricDescription, Remote, type RemoteStrategy, type Reward } from "./remote.js";
import { ExperimentRun, type RunOptions } from "./run.js";
import { LabWorker, type LoadProgress } from "./worker.js";

/** Addresses of the package's wasm files: of the folder that they are in, or of each. */
export type WasmUrl = string | URL | { engine?: string | URL; cpu?: string | URL; gpu?: string | URL };

/** Options of a lab. */
export interface LabOptions {
  /** Where it computes: `auto` is WebGPU where there is a usable adapter, else the CPU. */
  backend?: BackendChoice;
  /** Address of `worker.js`, where a bundler or a content security policy wants it elsewhere. */
  workerUrl?: string | URL;
  /** Addresses of the wasm files, likewise. */
  wasmUrl?: WasmUrl;
  /** Addresses of modules with strategies, metrics or rewards, which a worker loads from the page's own site. */
  modules?: Array<string | URL>;
  /** Strategies that may run at a time on the CPU, each in a worker of its own; by default as many as there are processors, and at most four. */
  parallel?: number;
  /** Told how much of the worker's wasm file has come. */
  onProgress?: (progress: LoadProgress) => void;
  /** Ends the loading. */
  signal?: AbortSignal;
}

/** A run that is done, to be asked. */
export interface FinishedRun {
  experiment: ExperimentConfig;
  /** Its name in the experiment. */
  strategy: string;
  files: ModelFile[];
}

/** What is asked of a run that is done. */
type Question = { command: "ask"; prompt: string } | { command: "write"; request: GenerateRequest } | { command: "retrieve"; query: string; passages: number };

type Answer = { text?: string; passages?: UsedPassage[] };

/** Opens a lab: loads the engine and a worker. It is ready when the promise is kept. */
export async function createLab(options: LabOptions = {}): Promise<Lab> {
  if (options.signal?.aborted) throw aborted(options.signal);
  const lab = await Lab.open(options);
  try {
    await lab.ready(options.signal);
    return lab;
  } catch (error) {
    lab.dispose();
    throw error;
  }
}

/** Runs experiments in workers, one experiment at a time; its strategies run side by side where they can. */
export class Lab {
  readonly #engine: Engine;
  readonly #backend: BackendChoice;
  readonly #remote = new Remote();
  readonly #waiting: ExperimentRun[] = [];
  readonly #questions = new Map<string, { resolve(answer: Answer): void; reject(error: Error): void }>();
  #active: ExperimentRun | undefined;
  #numbers = 0;
  #device: DeviceInfo | undefined;
  /** The worker that stands by is lost, and the error that says why is still to come. */
  #lost = false;
  /** Whether a worker stands by or is being opened. */
  #standsBy = false;
  readonly #ready = new Set<{ resolve(): void; reject(error: Error): void }>();
  #disposed = false;

  private constructor(options: LabOptions) {
    const [backend, { gpu }] = [options.backend ?? "auto", addresses(options)];
    this.#backend = backend === "auto" && !gpu ? "cpu" : backend;
    const script = workerAddress(options);
    const settings = { remote: this.#remote, ...(options.onProgress && { onProgress: options.onProgress }) };
    const open = (backend: string) => {
      const address = new URL(script);
      address.searchParams.set("backend", backend);
      return new LabWorker((hears) => platform.start(address, hears), settings);
    };
    this.#engine = new Engine(open, (change: Change) => this.#changed(change), options.parallel);
    called(() => this.#engine.useBackend(this.#backend));
  }

  /** @internal */
  static async open(options: LabOptions): Promise<Lab> {
    await loadEngine(addresses(options).engine);
    return new Lab(options);
  }

  /** The device that computes, and why it was chosen. */
  get device(): DeviceInfo | undefined {
    return this.#device;
  }

  /** Kept when a worker stands by. After a loss that no other worker replaced, this opens one. */
  async ready(signal?: AbortSignal): Promise<void> {
    this.#notDisposed();
    if (this.#device && this.#standsBy) return;
    if (!this.#standsBy) called(() => this.#engine.useBackend(this.#backend));
    const waits = new Promise<void>((resolve, reject) => {
      const waiter = { resolve, reject };
      this.#ready.add(waiter);
      signal?.addEventListener("abort", () => {
        this.#ready.delete(waiter);
        reject(aborted(signal));
      }, { once: true });
    });
    return waits;
  }

  /** Runs an experiment; it waits for its turn where another one is under way. What is wrong with it is thrown. */
  run(experiment: ExperimentConfig, options: RunOptions = {}): ExperimentRun {
    this.#notDisposed();
    const { name, ...rest } = experiment;
    const run = new ExperimentRun(createExperiment(name, rest), options);
    this.#waiting.push(run);
    this.#next();
    return run;
  }

  /** The likeliest answer of a run that is done; undefined where it cannot be asked. */
  async ask(run: FinishedRun, prompt: string, signal?: AbortSignal): Promise<string | undefined> {
    return (await this.#question(run, { command: "ask", prompt }, signal)).text;
  }

  /** Has the model of a run that is done continue a prompt. */
  async generate(run: FinishedRun, request: GenerateRequest, signal?: AbortSignal): Promise<string> {
    return (await this.#question(run, { command: "write", request }, signal)).text ?? "";
  }

  /** Searches the index of a run that is done; the best passages first. */
  async retrieve(run: FinishedRun, query: string, passages = 10, signal?: AbortSignal): Promise<UsedPassage[]> {
    return (await this.#question(run, { command: "retrieve", query, passages }, signal)).passages ?? [];
  }

  /** Has workers call a strategy of JavaScript; experiments name it by `kind`. */
  addStrategy(kind: string, strategy: RemoteStrategy): void {
    this.#remote.set(kind, strategy);
  }

  /** Measures every run that finishes from now on by a metric of JavaScript. A run whose metric throws only warns. */
  addMetric(name: string, measure: Measure, info: MetricDescription = {}): void {
    this.#remote.setMetric(name, measure, info);
  }

  /** Scores the answers of strategies whose reward is `{ kind: "function" }`. */
  setReward(reward: Reward): void {
    this.#remote.setReward(reward);
  }

  /** Ends all workers. What is pending is rejected. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    const error = gone();
    for (const run of [this.#active, ...this.#waiting.splice(0)]) run?.fail(error);
    this.#active = undefined;
    this.#rejectPending(error);
    // A call of the engine may be what calls this.
    queueMicrotask(() => this.#engine.free());
  }

  /** The same, at the end of a block that says `using lab = …`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #next(): void {
    if (this.#active || this.#disposed) return;
    let next = this.#waiting.shift();
    while (next?.ended) next = this.#waiting.shift();
    if (!next) return;
    const run = next;
    this.#active = run;
    try {
      run.begin(this.#engine);
    } catch (thrown) {
      run.fail(labError(thrown));
    }
    void run.result.catch(() => {}).then(() => this.#over(run));
  }

  #over(run: ExperimentRun): void {
    if (this.#active !== run || this.#disposed) return;
    this.#active = undefined;
    // The files of the strategies belong to the caller now.
    this.#engine.forget();
    this.#next();
  }

  #question(run: FinishedRun, question: Question, signal?: AbortSignal): Promise<Answer> {
    const { experiment, strategy, files } = run;
    const id = `question-${++this.#numbers}`;
    return new Promise<Answer>((resolve, reject) => {
      const ask = async () => {
        if (signal?.aborted) throw aborted(signal);
        await this.ready(signal);
        this.#questions.set(id, { resolve, reject });
        const { command, ...asked } = question;
        called(() => this.#engine.send({ command, run: id, experiment, strategy, base: [], ...asked }, files));
        signal?.addEventListener("abort", () => {
          if (!this.#questions.delete(id)) return;
          if (!this.#disposed) called(() => this.#engine.send({ command: "stop", run: id }, undefined));
          reject(aborted(signal));
        }, { once: true });
      };
      ask().catch((thrown: unknown) => {
        this.#questions.delete(id);
        reject(thrown instanceof Error ? thrown : labError(thrown));
      });
    });
  }

  #changed(change: Change): void {
    if (this.#disposed) return;
    if (change.change === "opening") this.#standsBy = true;
    if (change.change === "ready") this.#opened(change.device);
    if (change.change === "lost") [this.#lost, this.#standsBy, this.#device] = [true, false, undefined];
    if (change.change === "other") this.#answered(change.event);
    this.#active?.changed(change);
    if (change.change === "problem") this.#troubled(change.error);
  }

  #opened(device: DeviceInfo): void {
    this.#device = device;
    for (const { resolve } of this.#ready) resolve();
    this.#ready.clear();
  }

  #answered(event: Extract<Change, { change: "other" }>["event"]): void {
    if (event.event === "log" || event.run === undefined) return;
    const question = this.#questions.get(event.run);
    if (!question) return;
    this.#questions.delete(event.run);
    if (event.event === "failed") question.reject(labError(event.error));
    else question.resolve(event as Answer);
  }

  /** A worker that stood by takes what was asked of it with it. */
  #troubled(error: WrittenError): void {
    if (!this.#lost) return;
    this.#lost = false;
    this.#rejectPending(labError(error));
  }

  #rejectPending(error: LabError): void {
    for (const { reject } of [...this.#questions.values(), ...this.#ready]) reject(error);
    this.#questions.clear();
    this.#ready.clear();
  }

  #notDisposed(): void {
    if (this.#disposed) throw gone();
  }
}

function gone(): LabError {
  return labError({ code: "invalid_command", message: "the lab is disposed", hint: "Create another one." });
}

function aborted(signal: AbortSignal): LabError {
  return labError({ code: "aborted", message: "the call was aborted", hint: "Call it again." }, { cause: signal.reason });
}

/** The addresses of the wasm files. */
function addresses({ wasmUrl }: LabOptions): { engine: URL; cpu: URL; gpu: URL | undefined } {
  const { files } = platform;
  const absolute = (address: string | URL) => new URL(address, platform.base());
  if (typeof wasmUrl === "string" || wasmUrl instanceof URL) {
    const folder = absolute(wasmUrl).href.replace(/\/?$/, "/");
    return { engine: new URL("engine.wasm", folder), cpu: new URL("cpu.wasm", folder), gpu: new URL("gpu.wasm", folder) };
  }
  const one = (name: "engine" | "cpu" | "gpu") => (wasmUrl?.[name] === undefined ? files[name] : absolute(wasmUrl[name]));
  return { engine: one("engine") ?? files.engine, cpu: one("cpu") ?? files.cpu, gpu: one("gpu") };
}

/** The worker's script with all parameters but the backend. */
function workerAddress(options: LabOptions): URL {
  const { cpu, gpu } = addresses(options);
  const base = platform.base();
  const script = new URL(options.workerUrl ?? platform.files.worker, base);
  // Some bundlers give addresses that are relative to the page.
  script.searchParams.set("cpu", new URL(cpu, base).href);
  if (gpu) script.searchParams.set("gpu", new URL(gpu, base).href);
  for (const module of options.modules ?? []) script.searchParams.append("module", new URL(module, base).href);
  if (options.onProgress) script.searchParams.set("progress", "1");
  return script;
}
