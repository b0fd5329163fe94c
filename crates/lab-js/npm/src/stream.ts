// Events that wait for a reader. A stream that nobody reads does not grow without bound.

import type { RunEvent } from "./protocol.js";

/** Samples that wait, at most; older ones are dropped. */
const SAMPLES = 100;
/** Metric records of a strategy that wait, at most; older ones are dropped. */
const RECORDS = 10_000;

/** A queue of events with one reader at a time. Checkpoints, ends and errors are never dropped. */
export class EventStream implements AsyncIterable<RunEvent> {
  readonly #waiting: RunEvent[] = [];
  #ended = false;
  #wake: () => void = () => {};

  push(event: RunEvent): void {
    if (!this.#join(event)) this.#waiting.push(event);
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<RunEvent, void, undefined> {
    for (;;) {
      const event = this.#waiting.shift();
      if (event) yield event;
      else if (this.#ended) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Joins an event with one that waits, where the two say no less together. */
  #join(event: RunEvent): boolean {
    const waiting = this.#waiting;
    if (event.event === "metrics") {
      const last = waiting.findLast((other) => other.event === "metrics" && other.strategy === event.strategy);
      if (last?.event !== "metrics") return false;
      last.records = [...last.records, ...event.records].slice(-RECORDS);
      return true;
    }
    if (event.event === "progress" || event.event === "writing") {
      const place = waiting.findIndex((other) => other.event === event.event && other.strategy === event.strategy);
      if (place >= 0) waiting.splice(place, 1);
    }
    if (event.event === "sample" && waiting.filter((other) => other.event === "sample").length >= SAMPLES) {
      waiting.splice(waiting.findIndex((other) => other.event === "sample"), 1);
    }
    return false;
  }
}
