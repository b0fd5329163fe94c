// A worker as the engine uses it, whatever the platform: what is not for the engine is dealt with here.

import { labError } from "../errors.js";
import type { WrittenError } from "../errors.js";
import type { Remote } from "./remote.js";

/** What a platform's worker is to the lab. */
export interface Thread {
  post(message: unknown): void;
  end(): void;
  /** Whether the program is to wait for it; a browser's page does not ask. */
  hold?(waits: boolean): void;
}

/** What a thread reports. */
export interface Hears {
  message(data: Message): void;
  /** Its script could not be loaded, or an error ended it. */
  broken(message: string): void;
}

/** A message of a worker; most are events of the protocol. */
export interface Message {
  event: string;
  run?: string;
  error?: WrittenError;
  [key: string]: unknown;
}

/** How much of the worker's wasm file has come. `total` is unknown where the server does not tell. */
export interface LoadProgress {
  loaded: number;
  total?: number;
}

/** Parameters of a worker, besides its thread. */
export interface WorkerSettings {
  remote: Remote;
  onProgress?: (progress: LoadProgress) => void;
}

const STARTS = ["start", "ask", "write", "retrieve", "vote"];
const ENDS = ["finished", "failed", "answer", "passages", "vote"];

/** Has what the engine uses of a browser's `Worker`: `postMessage`, `terminate`, `onmessage`, `onerror`. */
export class LabWorker {
  onmessage: ((message: { data: unknown }) => void) | null = null;
  onerror: ((error: { message: string; preventDefault(): void }) => void) | null = null;
  readonly #thread: Thread;
  readonly #settings: WorkerSettings;
  /** Commands of {@link Remote} that the worker has had. */
  readonly #added = new Set<string>();
  /** Runs and questions that it has not ended yet, and its opening. */
  readonly #open = new Set(["opening"]);

  constructor(start: (hears: Hears) => Thread, settings: WorkerSettings) {
    this.#settings = settings;
    this.#thread = start({
      message: (data) => this.#heard(data),
      broken: (message) => {
        this.#open.clear();
        this.#thread.hold?.(false);
        this.onerror?.({ message, preventDefault() {} });
      },
    });
  }

  postMessage(command: { command: string; run: string; experiment?: { strategies: Array<{ strategy: string }> } }): void {
    if (command.experiment) this.#add(command.experiment.strategies.map(({ strategy }) => strategy));
    if (STARTS.includes(command.command)) this.#holds(command.run, true);
    this.#thread.post(command);
  }

  terminate(): void {
    this.#thread.end();
  }

  #add(kinds: string[]): void {
    for (const command of this.#settings.remote.commands(kinds)) {
      const key = `${command.command} ${command.kind ?? command.name}`;
      if (this.#added.has(key)) continue;
      this.#added.add(key);
      this.#thread.post(command);
    }
  }

  #heard(data: Message): void {
    if (data.event === "call") return void this.#answer(data);
    if (data.event === "loading") return this.#settings.onProgress?.(data as unknown as LoadProgress);
    if (data.event === "ready") this.#holds("opening", false);
    if (ENDS.includes(data.event) && data.run !== undefined) this.#holds(data.run, false);
    this.onmessage?.({ data });
  }

  async #answer({ call, kind, method, parts }: Message): Promise<void> {
    const answer = { command: "answer_call", call };
    try {
      const value = await this.#settings.remote.call(String(kind), String(method), parts as unknown[]);
      this.#thread.post({ ...answer, value });
    } catch (thrown) {
      const { code, message, hint, field } = labError(thrown);
      this.#thread.post({ ...answer, error: { code, message, hint, field } });
    }
  }

  #holds(run: string, begins: boolean): void {
    if (begins) this.#open.add(run);
    else this.#open.delete(run);
    this.#thread.hold?.(this.#open.size > 0);
  }
}
