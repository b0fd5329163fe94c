// The element `<llm-lab>` in pages of this site and of others, and the page's side of it.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { PATIENCE, start, tiny } from "./lib/playground.mjs";
import { serve } from "./lib/site.mjs";

const packageFolder = new URL("../../crates/lab-js/npm/", import.meta.url);
const { build } = createRequire(packageFolder)("esbuild");

const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'";
const HOST = (frames) => `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
  <meta http-equiv="Content-Security-Policy" content="${POLICY}; ${frames}">
  <title>A lesson</title><link rel="icon" href="/icon.svg"><script src="/heard.js"></script><script type="module" src="/element.js"></script>
  <body><h1>A lesson</h1></body></html>`;
const HEARD = `self.heard = [];
for (const name of ["lab-ready", "lab-metric", "lab-done", "lab-error"])
  addEventListener(name, ({ type, detail, target }) => heard.push({ type, detail, id: target.id }));`;

const long = { training: { steps: 100_000, evaluation_interval: 0, sample_interval: 0, checkpoint_interval: 0 } };

describe("<llm-lab>", () => {
  let folder;
  let lab;
  /** A page of the lab's own site, of one that its `embed.json` lists, and of one that it does not. */
  let pages;
  const others = [];
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "llm-labs-embed-"));
    const write = async (name, text) => {
      await writeFile(join(folder, name), text);
      return join(folder, name);
    };
    const element = join(folder, "element.js");
    await build({ entryPoints: [fileURLToPath(new URL("src/element.ts", packageFolder))], outfile: element, bundle: true, format: "esm", logLevel: "warning" });
    await write("heard.js", HEARD);
    await write("icon.svg", '<svg xmlns="http://www.w3.org/2000/svg"/>');
    await write("tiny.json", JSON.stringify(tiny()));
    await write("index.html", HOST("frame-src http://127.0.0.1:*"));
    for (let count = 0; count < 2; count++) others.push(await serve(folder));
    const [listed, stranger] = others.map(({ url }) => url);
    const more = {
      "/host.html": await write("own.html", HOST("")),
      "/heard.js": join(folder, "heard.js"),
      "/element.js": element,
      "/embed.json": await write("embed.json", JSON.stringify({ origins: [new URL(listed).origin] })),
    };
    lab = await start({ more });
    pages = { own: `${lab.site.url}host.html`, listed, stranger };
  });
  after(async () => {
    await lab?.close();
    for (const other of others) other.close();
    await rm(folder, { recursive: true });
  });

  /** Opens a host page with elements of these attributes and properties. */
  async function host(address, elements, { viewport = { width: 1000, height: 800 }, ...context } = {}) {
    const page = await lab.browser.newPage({ viewport, ...context });
    page.setDefaultTimeout(PATIENCE);
    page.complaints = [];
    page.on("console", (message) => message.type() === "error" && page.complaints.push(message.text()));
    page.on("pageerror", (error) => page.complaints.push(String(error)));
    await page.goto(address);
    await page.evaluate(async ({ src, elements }) => {
      await customElements.whenDefined("llm-lab");
      for (const { properties, ...attributes } of elements) {
        const element = document.createElement("llm-lab");
        for (const [name, value] of Object.entries({ src, ...attributes })) element.setAttribute(name, value);
        document.body.append(Object.assign(element, properties));
      }
    }, { src: lab.site.url, elements });
    return page;
  }
  const heard = (page, type, id = "a") => page.waitForFunction(({ type, id }) => self.heard.find((event) => event.type === type && event.id === id)?.detail, { type, id }).then((handle) => handle.jsonValue());
  const framed = (page, id = "a") => page.frameLocator(`#${id} iframe`);
  const phase = (page, phase, id = "a") => framed(page, id).locator(`#run[data-phase="${phase}"]`).waitFor({ state: "attached" });
  const call = (page, method, id = "a") => page.evaluate(({ method, id }) => document.getElementById(id)[method](), { method, id });

  for (const place of ["own", "listed"]) {
    it(`runs, pauses, is set and gives results, in a page of ${place === "own" ? "the same site" : "a site that is listed"}`, async () => {
      const page = await host(pages[place], [{ id: "a", seed: "5", properties: { experiment: tiny(long) } }]);
      assert.equal((await heard(page, "lab-ready")).device.backend, "cpu");
      await call(page, "run");
      const metric = await heard(page, "lab-metric");
      assert.equal(metric.strategy, "pretrain");
      assert.ok(metric.values.loss > 0);
      await call(page, "pause");
      await phase(page, "paused");
      assert.deepEqual(await call(page, "results"), []);
      await call(page, "run");
      await phase(page, "running");
      await page.evaluate(() => document.getElementById("a").setAttribute("seed", "6"));
      assert.match((await heard(page, "lab-error")).message, /cannot change while it runs/);
      await call(page, "stop");
      const done = await heard(page, "lab-done");
      assert.deepEqual([done.finished, done.results[0].stop_reason], [true, "stopped"]);

      // The own text and another seed, for a run to its end.
      await page.evaluate(({ experiment }) => {
        self.heard = [];
        const element = document.getElementById("a");
        element.experiment = experiment;
        element.data = "a text of the page around the lab. ".repeat(99);
        element.setAttribute("seed", "8");
        element.run();
      }, { experiment: tiny() });
      const again = await heard(page, "lab-done");
      assert.equal(again.results[0].steps, 20);
      assert.deepEqual(await call(page, "results"), again.results);
      assert.equal(await framed(page).getByLabel("Seed").first().inputValue(), "8");
      assert.deepEqual(page.complaints, []);
      await page.close();
    });
  }

  it("shows in a page that is not listed, and hears nothing of it", async () => {
    const page = await host(pages.stranger, [{ id: "a", seed: "5", view: "chart" }]);
    await framed(page).getByText("Ready when you are").waitFor();
    await page.evaluate(() => {
      const { contentWindow } = document.getElementById("a").shadowRoot.querySelector("iframe");
      for (const command of ["run", "set", "nonsense"]) contentWindow.postMessage({ "llm-lab": 1, command, settings: { seed: 9, view: "" } }, "*");
    });
    await page.waitForTimeout(500);
    await phase(page, "idle");
    assert.equal(await framed(page).getByLabel("Seed").first().inputValue(), "5");
    assert.deepEqual(await page.evaluate(() => self.heard), []);
    assert.deepEqual(page.complaints, []);
    await page.close();
  });

  it("ignores messages that are malformed, of another version, or of another window", async () => {
    const page = await host(pages.own, [{ id: "a" }, { id: "b" }]);
    for (const id of ["a", "b"]) await heard(page, "lab-ready", id);
    await page.evaluate(() => {
      const frame = (id) => document.getElementById(id).shadowRoot.querySelector("iframe").contentWindow;
      const messages = [null, 7, "run", {}, { "llm-lab": 2, command: "run" }, { "llm-lab": 1 }, { "llm-lab": 1, command: "set", settings: { sed: 1 } }];
      for (const message of messages) frame("a").postMessage(message, location.origin);
      // Of the right origin, but not of the page around it.
      frame("a").dispatchEvent(new MessageEvent("message", { data: { "llm-lab": 1, command: "run" }, origin: location.origin, source: frame("b") }));
    });
    await page.waitForTimeout(500);
    await phase(page, "idle");
    assert.deepEqual((await page.evaluate(() => self.heard)).filter(({ type }) => type !== "lab-ready"), []);
    await page.close();
  });

  it("runs twice on a page, starts only when it is seen, and ends its workers when it is removed", async () => {
    const page = await host(pages.own, [
      { id: "a", autoplay: "", properties: { experiment: tiny(long) } },
      { id: "b", autoplay: "", experiment: "/tiny.json" },
      { id: "hidden", hidden: "", autoplay: "" },
    ]);
    // The second is below the window's edge, the third is not drawn at all.
    await heard(page, "lab-metric", "a");
    assert.equal(await page.locator("#hidden iframe").count(), 0);
    await page.locator("#b").scrollIntoViewIfNeeded();
    const { field } = await heard(page, "lab-error", "b");
    assert.equal(field, "experiment", "this site has no such file");
    await page.evaluate((experiment) => Object.assign(document.getElementById("b"), { experiment }).run(), tiny(long));
    await heard(page, "lab-metric", "b");
    assert.equal(page.workers().length, 2, "a worker for each");
    await page.evaluate(() => document.getElementById("a").remove());
    await page.waitForTimeout(500);
    assert.equal(page.workers().length, 1);
    await page.evaluate(() => document.getElementById("b").remove());
    await page.waitForTimeout(500);
    assert.equal(page.workers().length, 0);
    await page.evaluate(() => (document.getElementById("hidden").hidden = false));
    await heard(page, "lab-ready", "hidden");
    await page.close();
  });

  it("reads an experiment's file for the page, from its own site", async () => {
    const page = await host(pages.listed, [{ id: "a", autoplay: "", experiment: "tiny.json" }]);
    assert.equal((await heard(page, "lab-done")).results[0].steps, 20);
    await page.close();
  });

  it("leaves one chart, or one prompt box, in light and in dark", async () => {
    for (const width of [800, 360]) {
      for (const theme of ["light", "dark"]) {
        const page = await host(pages.own, [
          { id: "a", theme, view: "chart", hide: "run tools", autoplay: "", height: "320", properties: { experiment: tiny(long) } },
          { id: "b", theme, view: "prompt", autoplay: "", height: "420px", properties: { experiment: tiny(long) } },
        ], { viewport: { width, height: 900 } });
        await heard(page, "lab-metric", "a");
        await heard(page, "lab-metric", "b");
        const shown = async (id) => {
          const parts = ".top, .run-bar, .pipeline, .welcome, .tiles, .chart, .chart-tools, .samples, .write, .history, footer";
          await framed(page, id).locator(id === "a" ? ".chart" : ".write").waitFor();
          const visible = await framed(page, id).locator(parts).filter({ visible: true }).all();
          return Promise.all(visible.map((part) => part.evaluate(({ classList }) => classList[1] ?? classList[0])));
        };
        assert.deepEqual(await shown("a"), ["chart"]);
        assert.deepEqual(await shown("b"), ["run-bar", "write"]);
        const dark = await framed(page).locator("html").evaluate((root) => getComputedStyle(root).colorScheme);
        assert.equal(dark, theme);
        for (const id of ["a", "b"]) {
          const wider = await framed(page, id).locator("html").evaluate((root) => root.scrollWidth - root.clientWidth);
          assert.equal(wider, 0, `${id} at ${width}`);
        }
        if (process.env.LAB_PICTURES) await page.screenshot({ path: join(process.env.LAB_PICTURES, `embed-${width}-${theme}.png`) });
        await page.evaluate(() => document.getElementById("a").setAttribute("theme", "dark"));
        await framed(page).locator('html[data-theme="dark"]').waitFor();
        assert.deepEqual(page.complaints, []);
        await page.close();
      }
    }
  });

  it("says what is wrong with its attributes", async () => {
    const page = await host(pages.own, [{ id: "a", src: "" }, { id: "b", view: "chat" }]);
    assert.equal((await heard(page, "lab-error", "a")).field, "src");
    await page.locator("#a").getByText("Set the attribute src").waitFor();
    assert.equal((await heard(page, "lab-error", "b")).field, "view");
    await page.close();
  });
});
