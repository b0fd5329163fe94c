// Turns measurements into the JSON document and the table.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { CONTENDERS, GROUPS } from "./options.mjs";

const round = (number, digits = 1) => (number === null ? null : Number(number.toFixed(digits)));

/** `measured` is { [group]: { [config]: { results, difference } } }. */
export function report({ measured, skipped, environment, firstLoad }) {
  const pick = (value) => mapResults(measured, value);
  const gpu = measured.gpu?.small?.results.llm_labs ?? measured.gpu?.larger?.results.llm_labs;
  return {
    step_ms: pick(({ results }) => mapValues(results, (r) => round(r.median))),
    ratio_to_jax_js: pick(({ results }) => ratio(results, "jax_js")),
    ratio_to_tfjs: pick(({ results }) => ratio(results, "tfjs")),
    dispatches_per_step: gpu ? gpu.dispatches : null,
    submissions_per_step: gpu ? gpu.submissions : null,
    first_load_bytes: firstLoad?.bytes ?? null,
    time_to_first_step_ms: firstLoad?.ms ?? null,
    first_load_files: firstLoad?.files ?? null,
    details: pick(({ results }) => mapValues(results, details)),
    largest_loss_difference: pick(({ difference }) => Number(difference.toExponential(1))),
    skipped,
    environment,
  };
}

function details(r) {
  return {
    min: round(r.min),
    max: round(r.max),
    rounds: r.rounds,
    ...(r.threads && { threads: r.threads }),
    first_step_ms: round(r.first_step_ms, 0),
    loss: round(r.loss, 5),
    ...(r.dispatches && { dispatches_per_step: r.dispatches, submissions_per_step: r.submissions }),
  };
}

function ratio(results, peer) {
  return results.llm_labs && results[peer] ? round(results.llm_labs.median / results[peer].median, 3) : null;
}

function mapResults(measured, value) {
  return mapValues(measured, (configs) => mapValues(configs, value));
}

function mapValues(object, value) {
  return Object.fromEntries(Object.entries(object).map(([key, item]) => [key, value(item)]));
}

/** Versions and the machine: a step time says nothing without them. */
export function describe(root, browser, seen) {
  const version = (name) => JSON.parse(fs.readFileSync(path.join(root, "node_modules", name, "package.json"), "utf8")).version;
  const packages = ["@jax-js/jax", "@tensorflow/tfjs-core", "@tensorflow/tfjs-backend-wasm", "@tensorflow/tfjs-backend-webgpu"];
  return {
    browser: `Chromium ${browser.version()}`,
    packages: Object.fromEntries(packages.map((name) => [name, version(name)])),
    cpu: os.cpus()[0]?.model ?? "unknown",
    cores: os.cpus().length,
    adapter: seen.adapter,
    node: process.version,
  };
}

/** The report as text for people. */
export function table(document) {
  const lines = [];
  const { environment } = document;
  lines.push(`${environment.browser}, ${environment.cores} × ${environment.cpu}, adapter: ${environment.adapter ?? "none"}`);
  lines.push(Object.entries(environment.packages).map(([name, version]) => `${name} ${version}`).join(", "));
  for (const [group, configs] of Object.entries(document.step_ms)) {
    lines.push("", GROUPS[group].title, row("", "config", "ms a step", "min", "max", "ours / theirs", "first step ms", group === "gpu" ? "dispatches" : "threads", group === "gpu" ? "submissions" : ""));
    for (const [config, medians] of Object.entries(configs)) {
      for (const [contender, ms] of Object.entries(medians)) {
        const d = document.details[group][config][contender];
        const ratio = document[`ratio_to_${contender}`]?.[group]?.[config] ?? "";
        const work = group === "gpu" ? [d.dispatches_per_step, d.submissions_per_step] : [d.threads];
        lines.push(row(CONTENDERS[contender].title, config, ms, d.min, d.max, ratio, d.first_step_ms, ...work));
      }
      lines.push(row("", config, `losses equal within ${document.largest_loss_difference[group][config]}`));
    }
  }
  if (document.first_load_bytes) {
    lines.push("", "First load of the page, until the first step of the quickstart");
    for (const [backend, bytes] of Object.entries(document.first_load_bytes)) {
      lines.push(row("", backend, `${bytes.toLocaleString("en")} bytes gzip`, `${document.time_to_first_step_ms[backend]} ms`));
    }
  }
  for (const { group, config, contender, reason } of document.skipped) {
    lines.push("", `Left out: ${CONTENDERS[contender].title}, ${config}, ${group} (${reason})`);
  }
  return lines.join("\n");
}

function row(name, config, ...cells) {
  const widths = [10, 9, 9, 14, 14, 11, 12];
  return `  ${name.padEnd(9)}${config.padEnd(8)}${cells.map((cell, i) => String(cell).padStart(widths[i] ?? 10)).join(" ")}`.trimEnd();
}
