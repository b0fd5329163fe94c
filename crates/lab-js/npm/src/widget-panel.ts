// The panel of a notebook's widget: a button, and for each strategy its progress, a curve and its latest values.

import type { Stage, WidgetRecord, WidgetSession } from "./widget-session.js";

/** Colours are those of the notebook's text, so they follow its theme. */
const STYLE = `
:host { display: block; color: var(--jp-content-font-color1, inherit); font: 14px/1.45 var(--jp-ui-font-family, system-ui, sans-serif); }
:host { --accent: color-mix(in srgb, #2f7de1 85%, currentColor); --second: color-mix(in srgb, #d9822b 85%, currentColor); }
:host { --faint: color-mix(in srgb, currentColor 22%, transparent); --muted: color-mix(in srgb, currentColor 72%, transparent); }
section { border: 1px solid var(--faint); border-radius: 8px; padding: 12px; max-width: 720px; box-sizing: border-box; }
[hidden] { display: none !important; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 12px; }
button { font: inherit; font-weight: 600; min-width: 72px; min-height: 32px; padding: 4px 14px; border-radius: 6px; cursor: pointer; color: inherit; background: transparent; border: 1px solid var(--accent); }
button:hover:enabled { background: color-mix(in srgb, var(--accent) 16%, transparent); }
button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
button:disabled { cursor: default; opacity: 0.6; }
progress { appearance: none; display: block; width: 100%; height: 4px; border: 0; border-radius: 2px; overflow: hidden; background: var(--faint); }
progress::-webkit-progress-bar { background: transparent; }
progress::-webkit-progress-value { background: var(--accent); }
progress::-moz-progress-bar { background: var(--accent); }
header progress { flex: 1 1 100px; width: auto; }
p { margin: 8px 0 0; overflow-wrap: anywhere; }
.error::first-letter { text-transform: uppercase; }
.error { padding-left: 10px; border-left: 3px solid #e0443e; }
article { margin-top: 14px; }
h4 { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 12px; margin: 0 0 4px; font: inherit; font-weight: 600; }
h4 span, figure, .values { color: var(--muted); font-weight: 400; }
figure { display: grid; grid-template-columns: auto 1fr; gap: 2px 8px; margin: 8px 0 0; font-size: 12px; font-variant-numeric: tabular-nums; }
.range, .ends { display: flex; justify-content: space-between; }
.range { flex-direction: column; text-align: right; line-height: 1; }
.ends { grid-column: 2; }
svg { display: block; width: 100%; height: 96px; border: solid var(--faint); border-width: 0 0 1px 1px; overflow: visible; }
polyline { fill: none; stroke: var(--accent); stroke-width: 1.75; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
polyline + polyline { stroke: var(--second); stroke-dasharray: 5 3; }
figcaption { grid-column: 2; display: flex; flex-wrap: wrap; gap: 0 14px; }
figcaption span::before { content: ""; display: inline-block; width: 16px; margin-right: 5px; vertical-align: middle; border-top: 2px solid var(--accent); }
figcaption span + span::before { border-top: 2px dashed var(--second); }
.values { font-variant-numeric: tabular-nums; }
`;

/** Metrics of which the first that a strategy has is its curve; else it is the first of its record. */
const CURVES = ["loss", "objective/scores", "reward_loss"];
const LATEST = ["loss", "validation_loss", "accuracy", "validation_accuracy", "reward_loss", "reward_accuracy", "average_reward", "objective/scores", "objective/kl", "mrr", "tokens_per_second"];
const WORDS: Record<string, string> = { "objective/scores": "score", "objective/kl": "KL", mrr: "reciprocal rank" };
const LATEST_SHOWN = 5;
const BUTTON: Record<Stage, string> = { idle: "Run", loading: "Stop", running: "Stop", stopping: "Run" };
/** Points of a curve; more are not seen. */
const POINTS = 400;

/** Shows a session in an element; returns what removes it. */
export function showPanel(el: HTMLElement, session: WidgetSession): () => void {
  const host = element("div");
  const button = element("button", { type: "button", onclick: () => session.toggle() });
  const loading = element("progress", { ariaLabel: "Loading" });
  const status = element("span", { role: "status" });
  const error = element("p", { className: "error", role: "alert" });
  const rows = element("div");
  const section = element("section", { ariaLabel: "LLM Labs" }, element("header", {}, button, status, loading), error, rows);
  host.attachShadow({ mode: "open" }).append(element("style", { textContent: STYLE }), section);
  el.append(host);

  const drawn = new Map<string, Row>();
  const remove = session.view(() => {
    const { stage, loaded } = session;
    say(button, BUTTON[stage]);
    button.disabled = stage === "stopping";
    loading.hidden = stage !== "loading";
    if (loaded?.total) [loading.max, loading.value] = [loaded.total, loaded.loaded];
    say(status, statusOf(session));
    const { message, hint, field, strategy } = session.trait("error") ?? {};
    error.hidden = message === undefined;
    say(error, [strategy && `${strategy}: `, message, field && ` (${field})`, message && ". ", hint].filter(Boolean).join(""));

    const names = strategies(session);
    for (const [name, row] of drawn) if (!names.includes(name)) drawn.delete(name) && row.element.remove();
    for (const name of names) {
      let row = drawn.get(name);
      if (!row) drawn.set(name, (row = newRow(name)));
      if (row.element.parentNode !== rows) rows.append(row.element);
      drawRow(row, session);
    }
  });
  return () => {
    remove();
    host.remove();
  };
}

/** Names of the strategies: those of the experiment, and those that have records. */
function strategies(session: WidgetSession): string[] {
  const { strategies = [] } = session.experiment ?? {};
  return [...new Set([...(Array.isArray(strategies) ? strategies : []), ...session.records.map(({ strategy }) => ({ name: strategy }))].map(({ name }) => name))];
}

function statusOf(session: WidgetSession): string {
  if (session.stage === "loading") return "Loading the engine…";
  if (session.stage === "stopping") return "Stopping…";
  if (session.stage === "running") return session.backend === "wgpu" ? "Running on WebGPU" : "Running on the CPU";
  const outcomes = session.trait("result")?.outcomes;
  if (session.trait("error")?.message) return "Failed";
  if (!outcomes) return "Ready to run";
  return outcomes.some((outcome) => "stop_reason" in outcome && outcome.stop_reason === "stopped") ? "Stopped" : "Done";
}

/** The elements of a strategy. */
interface Row {
  name: string;
  element: HTMLElement;
  where: HTMLElement;
  progress: HTMLProgressElement;
  figure: HTMLElement;
  svg: SVGSVGElement;
  lines: SVGPolylineElement[];
  range: HTMLElement[];
  ends: HTMLElement[];
  legend: HTMLElement[];
  values: HTMLElement;
}

function newRow(name: string): Row {
  const pair = () => [element("span"), element("span")];
  const [where, progress, values] = [element("span"), element("progress", { ariaLabel: `Progress of ${name}` }), element("p", { className: "values" })];
  const [range, ends, legend] = [pair(), pair(), pair()];
  const svg = drawing("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", role: "img" });
  const lines = [drawing("polyline", {}), drawing("polyline", {})];
  svg.append(...lines);
  const figure = element("figure", {}, element("div", { className: "range" }, ...range), svg, element("div", { className: "ends" }, ...ends), element("figcaption", {}, ...legend));
  const article = element("article", {}, element("h4", {}, element("b", { textContent: name }), where), progress, figure, values);
  return { name, element: article, where, progress, figure, svg, lines, range, ends, legend, values };
}

function drawRow(row: Row, session: WidgetSession): void {
  const records = session.records.filter(({ strategy }) => strategy === row.name);
  const outcome = session.trait("result")?.outcomes?.find(({ strategy }) => strategy === row.name);
  const [step, steps] = [records.at(-1)?.step ?? 0, session.steps.get(row.name)];
  const isStopped = outcome && "stop_reason" in outcome && outcome.stop_reason === "stopped";
  if (isStopped) say(row.where, `stopped after step ${step}`);
  else if (outcome) say(row.where, outcome.outcome);
  else if (steps !== undefined) say(row.where, `step ${step} of ${steps}`);
  else say(row.where, step > 0 ? `step ${step}` : "");
  row.progress.max = Math.max(1, steps ?? step);
  row.progress.value = outcome?.outcome === "finished" && !isStopped ? row.progress.max : step;
  drawCurve(row, records);

  const made = outcome && "metrics" in outcome ? (outcome.metrics as Record<string, number>) : undefined;
  const latest = made ?? Object.assign({}, ...records.slice(-20));
  const names = LATEST.filter((name) => Number.isFinite(latest[name])).slice(0, LATEST_SHOWN);
  row.values.hidden = names.length === 0;
  say(row.values, names.map((name) => `${words(name)} ${shown(latest[name])}`).join(" · "));
}

function drawCurve({ name, figure, svg, lines, range, ends, legend }: Row, records: WidgetRecord[]): void {
  const of = (metric: string) => records.filter((record) => Number.isFinite(record[metric])).map((record): [number, number] => [record.step, record[metric]!]);
  const other = Object.keys(records.at(-1) ?? {})[0] ?? "";
  const metric = CURVES.find((metric) => of(metric).length > 1) ?? other;
  const curves = [of(metric), of(`validation_${metric}`)];
  const [all, main] = [curves.flat(), curves[0]!];
  figure.hidden = main.length < 2;
  if (figure.hidden) return;

  const [left, right] = [all[0]![0], Math.max(...all.map(([step]) => step))];
  const [low, high] = [Math.min(...all.map(([, value]) => value)), Math.max(...all.map(([, value]) => value))];
  const place = ([step, value]: [number, number]) => `${(100 * (step - left)) / (right - left || 1)},${100 - (100 * (value - low)) / (high - low || 1)}`;
  curves.forEach((points, at) => {
    const every = Math.ceil(points.length / POINTS);
    lines[at]!.setAttribute("points", points.filter((_, index) => index % every === 0 || index === points.length - 1).map(place).join(" "));
    legend[at]!.hidden = points.length === 0;
    say(legend[at]!, words(at === 0 ? metric : `validation_${metric}`));
  });
  [shown(high), shown(low)].forEach((text, at) => say(range[at]!, text));
  [`step ${left}`, `${right}`].forEach((text, at) => say(ends[at]!, text));
  svg.setAttribute("aria-label", `${words(metric)} of ${name}: ${shown(main[0]![1])} at step ${main[0]![0]}, ${shown(main.at(-1)![1])} at step ${main.at(-1)![0]}`);
}

const words = (metric: string) => WORDS[metric] ?? metric.replaceAll("_", " ");

const shown = (value = 0) => (Number.isInteger(value) || Math.abs(value) >= 1000 ? String(Math.round(value)) : value.toPrecision(4));

/** Sets a text that differs, so that what reads a live region aloud is told only of changes. */
function say(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

function element<Name extends keyof HTMLElementTagNameMap>(name: Name, properties: Partial<HTMLElementTagNameMap[Name]> = {}, ...children: Node[]): HTMLElementTagNameMap[Name] {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function drawing<Name extends "svg" | "polyline">(name: Name, attributes: Record<string, string>): SVGElementTagNameMap[Name] {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
