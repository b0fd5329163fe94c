/**
 * The element `<llm-lab>`: a lab in a frame, in any page. Importing this module defines it.
 *
 * @packageDocumentation
 */

import type { ErrorCode, WrittenError } from "../errors.js";
import type { ExperimentConfig } from "../schema.js";
import type { DeviceInfo, MetricRecord, TrainingResult } from "./protocol.js";

/** A strategy's result without its files, which stay in the frame. */
export type EmbeddedResult = Omit<TrainingResult, "files">;

/** The details of the element's events, by name. */
export interface LabEventDetails {
  /** The lab can run. */
  "lab-ready": { device: DeviceInfo };
  /** The values of one step. */
  "lab-metric": MetricRecord;
  /** The experiment has ended; `finished` is false after a failure. */
  "lab-done": { finished: boolean; results: EmbeddedResult[] };
  /** The lab or the element cannot use an input, or a run failed. */
  "lab-error": WrittenError;
}

type LabEvents = { [Name in keyof LabEventDetails]: CustomEvent<LabEventDetails[Name]> };

declare global {
  interface HTMLElementTagNameMap {
    "llm-lab": LabElement;
  }
  interface HTMLElementEventMap extends LabEvents {}
}

/** The messages' key and version, as in the page's embed.rs. */
const KEY = "llm-lab";
const VERSION = 1;
/** Settings that the page reads from its address too. */
const SETTINGS = ["experiment", "seed", "theme", "view", "hide"] as const;
const STYLE = ":host { display: block; height: 480px } :host([hidden]) { display: none } iframe { display: block; width: 100%; height: 100%; border: 0 }";

interface Settings {
  experiment?: ExperimentConfig | string;
  data?: string;
  seed?: string;
  theme?: string;
  view?: string;
  hide?: string;
}

type Command = { command: "run" | "pause" | "step" | "stop" } | { command: "set"; settings: Settings } | { command: "results"; id: number };

interface Question {
  resolve: (results: EmbeddedResult[]) => void;
  reject: (reason: unknown) => void;
}

/** Whether it is the name of an example; any other `experiment` is the address of a file. */
const isExample = (experiment: string) => /^[\w-]+$/.test(experiment);

// A server that renders pages imports this module too, and has no elements.
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

/**
 * `<llm-lab src="https://lab.example/">`. Attributes: `src`, the address of the page, which is required; `experiment`, the
 * name of an example there or the address of a JSON file; `view` and `hide`, lists of parts; `seed`; `theme` (`light`,
 * `dark` or `system`); `autoplay`; `height`, a CSS length. The parts `frame` and `error` can be styled.
 *
 * The frame starts when it is seen. Commands, objects and events need a page that lists this site in its `embed.json`.
 */
export class LabElement extends Base {
  /** @internal */
  static readonly observedAttributes = [...SETTINGS, "src", "height"];

  #frame: HTMLIFrameElement | undefined;
  #observer: IntersectionObserver | undefined;
  #experiment: ExperimentConfig | undefined;
  #data: string | undefined;
  #wantsRun = false;
  /** Commands wait in it for the frame, and for each other. */
  #line!: Promise<void>;
  #openLine!: () => void;
  #questions = new Map<number, Question>();
  #asked = 0;
  #hear = (message: MessageEvent) => this.#heard(message);

  constructor() {
    super();
    this.#newLine();
  }

  /** The experiment as an object, or what the attribute `experiment` names. */
  get experiment(): ExperimentConfig | string | null {
    return this.#experiment ?? this.getAttribute("experiment");
  }
  set experiment(experiment: ExperimentConfig | string) {
    if (typeof experiment === "string") {
      this.#experiment = undefined;
      this.setAttribute("experiment", experiment);
    } else {
      this.#experiment = experiment;
      if (this.#frame) this.#send(this.#settings());
    }
  }

  /** A text to train on, in place of the experiment's own. */
  get data(): string | undefined {
    return this.#data;
  }
  set data(text: string) {
    this.#data = text;
    if (this.#frame) this.#send({ command: "set", settings: { data: text } });
  }

  /** Runs the experiment, or resumes it. A frame that has not been seen yet is started. */
  run(): void {
    if (this.#frame) return this.#send({ command: "run" });
    this.#wantsRun = true;
    this.#start();
  }

  /** Pauses the run; `run` resumes it. */
  pause(): void {
    this.#send({ command: "pause" });
  }

  /** Makes one step of a paused run. */
  step(): void {
    this.#send({ command: "step" });
  }

  /** Ends the run and keeps its results. */
  stop(): void {
    this.#wantsRun = false;
    this.#send({ command: "stop" });
  }

  /** The results so far, as soon as the frame is ready. It rejects if the element is removed before. */
  results(): Promise<EmbeddedResult[]> {
    const id = ++this.#asked;
    return new Promise((resolve, reject) => {
      this.#questions.set(id, { resolve, reject });
      this.#send({ command: "results", id });
    });
  }

  /** @internal */
  connectedCallback(): void {
    if (!this.shadowRoot) {
      // A page's security policy may forbid a style element.
      const style = new CSSStyleSheet();
      style.replaceSync(STYLE);
      this.attachShadow({ mode: "open" }).adoptedStyleSheets = [style];
    }
    addEventListener("message", this.#hear);
    this.#observer = new IntersectionObserver((entries) => {
      if (entries.some(({ isIntersecting }) => isIntersecting)) this.#start();
    });
    this.#observer.observe(this);
  }

  /** @internal */
  disconnectedCallback(): void {
    removeEventListener("message", this.#hear);
    this.#observer?.disconnect();
    this.#end();
  }

  /** @internal */
  attributeChangedCallback(name: string, before: string | null, value: string | null): void {
    if (before === value) return;
    if (name === "height") this.style.height = /^\d+$/.test(value ?? "") ? `${value}px` : (value ?? "");
    else if (name === "src" && this.#frame) {
      this.#end();
      this.#start();
    } else if (name === "experiment") {
      this.#experiment = undefined;
      if (this.#frame && value) this.#send(this.#settings());
    } else if (name === "seed" && !value) return;
    else if (this.#frame) this.#send({ command: "set", settings: { [name]: value ?? (name === "theme" ? "system" : "") } });
  }

  /** Makes the frame, unless there is one. Its workers end with it. */
  #start(): void {
    if (this.#frame || !this.isConnected) return;
    this.#observer?.disconnect();
    const src = this.getAttribute("src");
    if (!src || !URL.canParse(src, document.baseURI)) {
      return this.#fail("invalid_config", `the address of the lab's page is "${src ?? ""}"`, "Set the attribute src to the address where the page is.", "src");
    }
    const address = new URL(src, document.baseURI);
    if (location.origin !== "null") address.searchParams.set("host", location.origin);
    for (const name of SETTINGS) {
      const value = this.getAttribute(name);
      // Lists are separated by commas: a space in an address may be a plus.
      if (value && (name !== "experiment" || isExample(value))) address.searchParams.set(name, value.trim().replace(/[\s,]+/g, ","));
    }
    const named = this.#experiment ?? this.getAttribute("experiment") ?? "";
    const byMessage = this.#data !== undefined || typeof named !== "string" || (named !== "" && !isExample(named));
    const runs = this.#wantsRun || (this.hasAttribute("autoplay") && this.getAttribute("autoplay") !== "false");
    this.#wantsRun = false;
    if (runs && !byMessage) address.searchParams.set("autoplay", "true");
    const frame = document.createElement("iframe");
    frame.part.add("frame");
    frame.title = this.title || "LLM Labs";
    frame.src = address.href;
    this.#frame = frame;
    if (byMessage) this.#send(this.#settings());
    if (byMessage && runs) this.#send({ command: "run" });
    this.shadowRoot?.replaceChildren(frame);
  }

  #end(): void {
    this.#frame?.remove();
    this.#frame = undefined;
    this.#newLine();
    for (const { reject } of this.#questions.values()) reject(new DOMException("the element was removed", "AbortError"));
    this.#questions.clear();
  }

  #newLine(): void {
    this.#line = new Promise((resolve) => (this.#openLine = resolve));
  }

  /** The experiment, its seed and its text; none if the experiment's file cannot be read. */
  async #settings(): Promise<Command | undefined> {
    const settings: Settings = {};
    const seed = this.getAttribute("seed");
    if (seed) settings.seed = seed;
    if (this.#data !== undefined) settings.data = this.#data;
    const named = this.#experiment ?? this.getAttribute("experiment");
    if (typeof named !== "string" || isExample(named)) {
      if (named) settings.experiment = named;
      return { command: "set", settings };
    }
    try {
      const response = await fetch(new URL(named, document.baseURI));
      if (!response.ok) throw new Error(`the server answered ${response.status}`);
      settings.experiment = await response.json();
      return { command: "set", settings };
    } catch (error) {
      this.#fail("io", `the experiment "${named}" could not be read: ${error instanceof Error ? error.message : error}`, "Check the attribute experiment.", "experiment");
      return undefined;
    }
  }

  #send(command: Command | Promise<Command | undefined>): void {
    this.#line = this.#line.then(async () => {
      const message = await command;
      const frame = this.#frame;
      if (message && frame) frame.contentWindow?.postMessage({ [KEY]: VERSION, ...message }, new URL(frame.src).origin);
    });
  }

  #heard({ source, origin, data }: MessageEvent): void {
    const frame = this.#frame;
    if (!frame || source !== frame.contentWindow || origin !== new URL(frame.src).origin || data?.[KEY] !== VERSION) return;
    if (data.event === "results") {
      this.#questions.get(data.detail.id)?.resolve(data.detail.results);
      this.#questions.delete(data.detail.id);
      return;
    }
    if (data.event === "ready") this.#openLine();
    this.#tell(`lab-${data.event}` as keyof LabEventDetails, data.detail);
  }

  #fail(code: ErrorCode, message: string, hint: string, field: string): void {
    if (!this.#frame) {
      const words = document.createElement("p");
      words.part.add("error");
      words.textContent = `${message}. ${hint}`;
      this.shadowRoot?.replaceChildren(words);
    }
    this.#tell("lab-error", { code, message, hint, field });
  }

  #tell<Name extends keyof LabEventDetails>(name: Name, detail: LabEventDetails[Name]): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}

if (globalThis.customElements && !customElements.get("llm-lab")) customElements.define("llm-lab", LabElement);
