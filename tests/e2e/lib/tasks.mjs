// The tasks of the page's main thread, from Chromium's own trace. The measure is the processor time of a task, not
// the time by the clock: on a busy machine other programs make every task wait.

import assert from "node:assert/strict";

const CATEGORIES = ["disabled-by-default-devtools.timeline"];

/** Traces while `body` runs; returns the milliseconds of each task of the page's main thread, longest first. */
export async function tasksDuring(browser, page, body) {
  await browser.startTracing(page, { categories: CATEGORIES });
  let buffer;
  try {
    await body();
  } finally {
    buffer = await browser.stopTracing();
  }
  const { traceEvents } = JSON.parse(buffer.toString("utf8"));
  const mains = new Set(
    traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain").map(({ pid, tid }) => `${pid} ${tid}`),
  );
  return traceEvents
    .filter(({ name, pid, tid }) => name === "RunTask" && mains.has(`${pid} ${tid}`))
    .map(({ tdur = 0 }) => tdur / 1000)
    .sort((a, b) => b - a);
}

/** No task is long enough to be noticed. */
export function assertResponsive(tasks) {
  assert.ok(tasks.length > 0, "the trace has no tasks");
  const long = tasks.filter((milliseconds) => milliseconds > 50);
  assert.deepEqual(long, [], "tasks above 50 ms on the page's main thread");
}
