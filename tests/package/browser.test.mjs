// The package, installed from its tarball, in pages: without a bundler, from another site, and by bundlers.

import assert from "node:assert/strict";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { browser, outcomesOf, serve } from "./lib/pages.mjs";
import { clean, execute, project } from "./lib/project.mjs";
import { sameNumbers, terminalMetrics } from "./lib/terminal.mjs";

const STRICT = { "content-security-policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'" };
const page = (script) => `<!doctype html><meta charset="utf-8"><title>Page</title><link rel="icon" href="data:,"><script type="module" src="${script}"></script>`;

describe("a page computes as the terminal does", () => {
  let folder;
  let terminal;
  let chromium;
  const sites = [];
  before(async () => {
    terminal = await terminalMetrics();
    chromium = await browser();
    const files = {
      "index.html": page("./page.js"),
      "page.js": { copy: "programs/page.js" },
      "experiment.js": { copy: "programs/experiment.js" },
      "public/experiment.json": { copy: "experiment.json" },
      "webpack.config.js": "export default { mode: 'production', entry: './page.js', performance: { hints: false }, experiments: { topLevelAwait: true } };",
    };
    folder = await project("pages", { files, dependencies: { esbuild: "0.28.2", vite: "8.3.8", webpack: "5.113.0", "webpack-cli": "6.0.1" } });
  });
  after(async () => {
    await chromium?.close();
    for (const site of sites) site.close();
    await clean();
  });

  const site = async (...parts) => {
    sites.push(await serve(...parts));
    return sites.at(-1).url;
  };
  const installed = () => join(folder, "node_modules/@bpm/llm-labs");

  /** A site without a bundler; `address` is that of the package's module. */
  async function plain(name, address) {
    const out = join(folder, name);
    await mkdir(out, { recursive: true });
    for (const file of ["page.js", "public/experiment.json"]) await cp(join(folder, file), join(out, file.split("/").at(-1)));
    const source = await readFile(join(folder, "experiment.js"), "utf8");
    await writeFile(join(out, "experiment.js"), source.replace('"@bpm/llm-labs"', JSON.stringify(address)));
    await writeFile(join(out, "index.html"), page("./page.js"));
    return out;
  }

  it("as a module in any folder, under a strict content security policy", async () => {
    const out = await plain("plain", "./some/folder/index.js");
    await cp(installed(), join(out, "some/folder"), { recursive: true });
    sameNumbers(await outcomesOf(chromium, await site(out, STRICT)), terminal);
  });

  it("from another site, as from a CDN", async () => {
    const cdn = await site(installed(), { "access-control-allow-origin": "*" });
    sameNumbers(await outcomesOf(chromium, await site(await plain("other", `${cdn}index.js`))), terminal);
  });

  it("built by Vite", async () => {
    await execute("npx", ["vite", "build", "--outDir", "vite", "--logLevel", "error"], folder);
    sameNumbers(await outcomesOf(chromium, await site(join(folder, "vite"))), terminal);
  });

  it("built by webpack", async () => {
    await execute("npx", ["webpack", "--output-path", "webpack"], folder);
    await writeFile(join(folder, "webpack/index.html"), page("./main.js"));
    await cp(join(folder, "public/experiment.json"), join(folder, "webpack/experiment.json"));
    sameNumbers(await outcomesOf(chromium, await site(join(folder, "webpack"))), terminal);
  });

  it("by the inline entry, where a bundler copies no files", async () => {
    const out = await plain("inline", "@bpm/llm-labs/inline");
    await execute("npx", ["esbuild", "inline/page.js", "--bundle", "--format=esm", "--outfile=inline/bundle.js", "--log-level=error"], folder);
    await writeFile(join(out, "index.html"), page("./bundle.js"));
    sameNumbers(await outcomesOf(chromium, await site(out)), terminal);
  });

  it("on WebGPU, within the tolerance of a GPU", async () => {
    const gpu = await browser({ gpu: true });
    try {
      const tab = await gpu.newPage();
      await tab.goto(`${await site(installed())}package.json`);
      const train = (backend) => tab.evaluate(async (backend) => {
        const { PretrainingStrategy, createLab } = await import("/index.js");
        const lab = await createLab({ backend });
        const config = { model: { layers: 1, heads: 2, width: 32, context: 32 }, training: { steps: 20, batch_size: 2, evaluation_interval: 0, sample_interval: 0, sample_tokens: 0 } };
        const { metrics } = await new PretrainingStrategy(config, { lab }).addTrainingData("a text to learn from. ".repeat(99)).train();
        const { backend: used } = lab.device;
        lab.dispose();
        return { used, loss: metrics.loss };
      }, backend);
      const [cpu, wgpu] = [await train("cpu"), await train("wgpu")];
      assert.deepEqual([cpu.used, wgpu.used], ["cpu", "wgpu"]);
      assert.ok(Math.abs(cpu.loss - wgpu.loss) < 1e-3, `${cpu.loss}, on WebGPU ${wgpu.loss}`);
    } finally {
      await gpu.close();
    }
  });

  it("and ends every worker, a hundred times", async () => {
    const tab = await chromium.newPage();
    await tab.goto(`${await site(installed())}package.json`);
    const cycle = (count) => tab.evaluate(async (count) => {
      const { createLab } = await import("/index.js");
      for (let turn = 0; turn < count; turn++) (await createLab({ backend: "cpu" })).dispose();
    }, count);
    await cycle(100);
    await tab.waitForTimeout(500);
    assert.equal(tab.workers().length, 0);
    await tab.close();
  });
});
