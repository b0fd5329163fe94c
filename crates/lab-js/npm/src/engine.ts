// The engine: lab-client, compiled to a small wasm file of its own.

import load, { Engine, compare, exportRuns } from "../engine/lab_package.js";
import { labError } from "../errors.js";
import { platform } from "#platform";
import type { WrittenError } from "../errors.js";
import type { DeviceInfo, RunEvent, TrainingResult } from "./protocol.js";

export { Engine, compare, exportRuns };

/** Where a strategy stands, or an experiment. */
export type Phase = "idle" | "waiting" | "starting" | "running" | "pausing" | "paused" | "stopping" | "finished" | "failed" | "skipped";

/** An event of no strategy's run: an answer, its failure, a line of the log. */
export type OtherEvent =
  | { event: "answer"; run: string; text?: string }
  | { event: "passages"; run: string; passages: unknown }
  | { event: "vote"; run: string; prompt: string; answers: [string, string] }
  | { event: "failed"; run?: string; error: WrittenError }
  | { event: "log"; level: "info" | "warning"; message: string };

/** What the engine reports (`changes.rs`); strategies are named by their keys. */
export type Change =
  | { change: "opening" }
  | { change: "ready"; device: DeviceInfo }
  | { change: "lost" }
  | { change: "strategy"; strategy: number; phase: Phase }
  | { change: "experiment"; phase: Phase }
  | { change: "run"; strategy: number; event: Omit<RunEvent, "strategy"> & { event: string } }
  | { change: "checkpoint"; strategy: number; step: number }
  | { change: "finished"; strategy: number; result: Omit<TrainingResult, "files"> }
  | { change: "other"; event: OtherEvent }
  | { change: "problem"; strategy?: number; error: WrittenError; can_continue: boolean };

let loading: Promise<unknown> | undefined;

/** Loads the engine once; an attempt that failed is made again. */
export async function loadEngine(address: URL): Promise<void> {
  loading ??= platform.read(address).then((module) => load({ module_or_path: module as Response }));
  try {
    await loading;
  } catch (error) {
    loading = undefined;
    throw labError({ code: "network", message: `the engine cannot be loaded: ${error instanceof Error ? error.message : error}`, hint: `Check that ${address.href} can be read, or name its address in wasmUrl.` });
  }
}

/** Calls the engine; what it throws is one of the package's errors. */
export function called<T>(call: () => T): T {
  try {
    return call();
  } catch (thrown) {
    throw labError(thrown);
  }
}
