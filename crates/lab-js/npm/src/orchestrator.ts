// `LabOrchestrator`: experiments by their names, their results and comparisons.

import { createExperiment } from "../configs.js";
import { labError } from "../errors.js";
import type { ExperimentConfig } from "../schema.js";
import { called, compare, exportRuns } from "./engine.js";
import type { Lab } from "./lab.js";
import type { Comparison, ExperimentResult, ExportFormat, MetricRecord, ModelFile, TrainingResult } from "./protocol.js";
import type { ExperimentRun, RunOptions } from "./run.js";

interface Entry {
  experiment: ExperimentConfig;
  result?: ExperimentResult;
  records?: Map<string, readonly MetricRecord[]>;
}

/** Keeps experiments, runs them and compares what came out. */
export class LabOrchestrator {
  readonly #lab: Lab;
  readonly #entries = new Map<string, Entry>();

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  /** Takes an experiment under its name, which must be new. What is wrong with its settings is thrown. */
  createExperiment(experiment: ExperimentConfig): ExperimentConfig {
    const { name, ...rest } = experiment;
    const whole = createExperiment(name, rest);
    if (this.#entries.has(name)) {
      throw labError({ code: "invalid_config", message: `there is an experiment "${name}" already`, hint: "Give it another name.", field: "name" });
    }
    this.#entries.set(name, { experiment: whole });
    return whole;
  }

  /** Runs every strategy of an experiment: each as soon as the one it starts from is done. `started` is given the run, to be followed and commanded. */
  async runExperiment(name: string, options: RunOptions & { started?: (run: ExperimentRun) => void } = {}): Promise<ExperimentResult> {
    const entry = this.#entry(name);
    const { started, ...rest } = options;
    const run = this.#lab.run(entry.experiment, rest);
    started?.(run);
    const result = await run.result;
    entry.result = result;
    entry.records = new Map(entry.experiment.strategies.map(({ name }) => [name, run.records(name)]));
    return result;
  }

  /** The strategies of an experiment that was run, beside each other. */
  compareStrategies(name: string): Comparison {
    const results = this.#finished(name);
    return called(() => compare(results.map(({ files: _, ...result }) => result)) as Comparison);
  }

  /** The metrics of an experiment that was run, in another program's format. */
  exportResults(name: string, format: ExportFormat): ModelFile[] {
    const records = this.#entry(name).records;
    const runs = this.#finished(name).map(({ files: _, ...result }) => ({ result, records: records?.get(result.strategy) ?? [] }));
    return called(() => exportRuns(name, runs, format) as ModelFile[]);
  }

  /** What came out of an experiment. */
  getExperimentResults(name: string): ExperimentResult {
    const result = this.#entry(name).result;
    if (!result) throw noSuchRun(name);
    return result;
  }

  /** All experiments, in the order in which they came. */
  getAllExperiments(): ExperimentConfig[] {
    return [...this.#entries.values()].map(({ experiment }) => experiment);
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (!entry) throw noSuchRun(name);
    return entry;
  }

  #finished(name: string): TrainingResult[] {
    return this.getExperimentResults(name).outcomes.flatMap((outcome) => {
      if (outcome.outcome !== "finished") return [];
      const { outcome: _, ...result } = outcome;
      return [result];
    });
  }
}

function noSuchRun(name: string): Error {
  return labError({ code: "invalid_config", message: `no experiment "${name}" was run`, hint: "Create it and run it first.", field: "experiment" });
}
