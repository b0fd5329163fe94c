// A browser, the page in it, and a person's actions there.

import { chromium } from "playwright-core";
import { serve } from "./site.mjs";

const COMMON = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const SOFTWARE_GPU = [
  "--enable-unsafe-webgpu",
  "--enable-features=Vulkan",
  "--use-webgpu-adapter=swiftshader",
  "--ignore-gpu-blocklist",
];

/** Long enough for a software GPU on a busy machine; nothing is asserted about time. */
export const PATIENCE = 300_000;

/** Starts the site (or another folder, or with `more` files) and a browser, with or without WebGPU. */
export async function start({ gpu = false, folder, more } = {}) {
  const site = await serve(folder, more);
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [...COMMON, ...(gpu ? SOFTWARE_GPU : ["--disable-features=WebGPU", "--disable-gpu"])],
  });
  const close = async () => {
    await browser.close();
    site.close();
  };
  return { site, browser, close };
}

/** Opens the page and waits until it can run. */
export async function open({ site, browser }, options = {}) {
  const { ready = true, search = "", ...context } = options;
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, ...context });
  page.setDefaultTimeout(PATIENCE);
  const playground = new Playground(page, site.url);
  if (ready) {
    await page.goto(site.url + search);
    await page.locator(".badge.ready").waitFor();
    await page.locator(".preview").waitFor();
  }
  return playground;
}

/** An experiment that a software GPU runs in seconds. */
export function tiny(changes = {}) {
  return {
    name: "tiny",
    seed: 7,
    data: { source: "built_in", name: "first-names", validation_fraction: 0.1 },
    strategies: [
      {
        name: "pretrain",
        strategy: "pretraining",
        config: {
          model: { layers: 1, heads: 2, width: 32, context: 32, ...changes.model },
          training: {
            steps: 20,
            batch_size: 4,
            learning_rate: 1e-2,
            minimum_learning_rate: 1e-3,
            warmup_steps: 2,
            evaluation_interval: 10,
            evaluation_windows: 2,
            final_evaluation_windows: 4,
            sample_interval: 10,
            sample_tokens: 5,
            checkpoint_interval: 5,
            ...changes.training,
          },
        },
      },
    ],
  };
}

export class Playground {
  constructor(page, address) {
    this.page = page;
    this.complaints = [];
    this.strangers = [];
    page.on("console", (message) => {
      if (message.type() === "error") this.complaints.push(message.text());
    });
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("request", (request) => {
      if (!/^(blob|data):/.test(request.url()) && !request.url().startsWith(address)) this.strangers.push(request.url());
    });
  }

  get primary() {
    return this.page.locator("#primary");
  }

  button(name) {
    return this.page.getByRole("button", { name });
  }

  /** A setting by its label; of several, the first. */
  setting(label) {
    return this.page.getByLabel(label, { exact: true }).first();
  }

  async load(experiment) {
    const text = typeof experiment === "string" ? experiment : JSON.stringify(experiment);
    await this.page.getByLabel("Load experiment…").setInputFiles({ name: "experiment.json", mimeType: "application/json", buffer: Buffer.from(text) });
  }

  /** Loads an experiment that the page accepts. */
  async loadGood(experiment) {
    await this.load(experiment);
    const steps = String(experiment.strategies[0].config.training.steps);
    await this.page.waitForFunction((steps) => document.querySelector('[id$="training-steps"]')?.value === steps, steps);
  }

  async giveFile(name, bytes) {
    await this.ownText();
    await this.page.getByLabel("Choose a text file").setInputFiles({ name, mimeType: "text/plain", buffer: Buffer.from(bytes) });
  }

  async ownText() {
    await this.page.getByText("Your own text", { exact: true }).click();
  }

  /** `idle`, `starting`, `running`, `pausing`, `paused`, `stopping`, `finished`, `failed`. */
  phase() {
    return this.page.locator("#run").getAttribute("data-phase");
  }

  /** Waits for one of the phases; a run that fails meanwhile is reported at once, with the page's error. */
  async until(...phases) {
    const place = [...phases, "failed"].map((phase) => `#run[data-phase="${phase}"]`).join(", ");
    await this.page.locator(place).waitFor();
    await this.notFailed();
  }

  async notFailed() {
    if ((await this.phase()) === "failed") throw new Error(`the run failed: ${JSON.stringify(await this.error())}`);
  }

  async step() {
    return Number(await this.page.getByRole("progressbar", { name: "Steps done" }).getAttribute("value"));
  }

  async untilStep(step) {
    await this.page.waitForFunction(
      (step) => Number(document.querySelector("progress").value) >= step || document.querySelector('#run[data-phase="failed"]'),
      step,
    );
    await this.notFailed();
  }

  async untilSample() {
    await this.page.locator('.sample-list li, #run[data-phase="failed"]').first().waitFor();
    await this.notFailed();
  }

  samples() {
    return this.page.locator(".sample-list li");
  }

  /** The error that is shown: code, message, hint, field. */
  async error() {
    const card = this.page.locator(".error");
    await card.waitFor();
    const text = (selector) => card.locator(selector).textContent();
    const field = card.locator(".error-field code");
    return {
      code: await text(".error-code"),
      message: await text(".error-message"),
      hint: await text(".error-hint"),
      field: (await field.count()) ? await field.textContent() : null,
    };
  }

  /** The file of a download button, as text. */
  async download(name) {
    const [download] = await Promise.all([this.page.waitForEvent("download"), this.button(name).click()]);
    const chunks = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk);
    return Buffer.concat(chunks).toString("utf8");
  }

  async records() {
    return (await this.download("metrics.jsonl")).trim().split("\n").map((line) => JSON.parse(line));
  }

  /** Pixels by which the page is wider than its window. */
  overflow() {
    return this.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  }
}
