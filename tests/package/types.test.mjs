// The package's types, and its manifest as others read it.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { clean, execute, project, tarball } from "./lib/project.mjs";

const WRONG = `
import { PretrainingStrategy, RAGStrategy, createLab, createRLHFConfig, createTrainingConfig } from "@bpm/llm-labs";
// @ts-expect-error a setting that does not exist
createTrainingConfig({ stepps: 3 });
// @ts-expect-error a value of the wrong type
createTrainingConfig({ steps: "three" });
// @ts-expect-error a name that the setting does not have
createRLHFConfig({ reward: { kind: "gold" } });
// @ts-expect-error deep inside
new PretrainingStrategy({ model: { norm: "none" } });
// @ts-expect-error a strategy that retrieves has documents, not preferences
new RAGStrategy().addPreferences([]);
// @ts-expect-error a document without an id
new RAGStrategy().addDocuments([{ content: "" }]);
// @ts-expect-error a backend that does not exist
createLab({ backend: "cuda" });
`;

const ELEMENT = `
import "@bpm/llm-labs/element";
const lab = document.createElement("llm-lab");
lab.addEventListener("lab-metric", ({ detail }) => console.log(detail.step, detail.values["loss"]));
lab.addEventListener("lab-done", ({ detail }) => console.log(detail.finished, detail.results[0]?.metrics));
lab.experiment = { name: "own", data: { source: "built_in", name: "first-names" }, strategies: [{ name: "pretrain", strategy: "pretraining" }] };
// @ts-expect-error a command that does not exist
lab.rewind();
`;

const settings = (more) => JSON.stringify({
  compilerOptions: { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noImplicitOverride: true, target: "es2022", lib: ["es2022", "dom"], types: ["node"], ...more },
  include: ["*.ts"],
});

describe("the package's types", () => {
  let folder;
  before(async () => {
    const files = {
      "quickstart.ts": { copy: "examples/quickstart.ts" },
      "readme.ts": { copy: "examples/readme.ts" },
      "strategy.ts": { copy: "examples/strategy.ts" },
      "measures.ts": { copy: "examples/measures.ts" },
      "wrong.ts": WRONG,
      "element.ts": ELEMENT,
      "tsconfig.json": settings({ module: "nodenext", outDir: "out" }),
      "bundler.json": settings({ module: "esnext", moduleResolution: "bundler", noEmit: true, skipLibCheck: false }),
    };
    const dependencies = { typescript: "5.9.3", "@types/node": "20.19.25", publint: "0.3.25", "@arethetypeswrong/cli": "0.18.5" };
    folder = await project("types", { files, dependencies });
  });
  after(clean);

  it("accept the examples, and refuse wrong options", async () => {
    await execute("npx", ["tsc"], folder);
    await execute("npx", ["tsc", "--project", "bundler.json"], folder);
  });

  it("are those of the examples that run", async () => {
    const said = await execute(process.execPath, ["out/quickstart.js"], folder);
    assert.match(said, /rlhf/);
    assert.match(said, /Anna lives in Mill Road/);
    const { metrics, answer } = JSON.parse(await execute(process.execPath, ["out/strategy.js"], folder));
    assert.ok(metrics.pairs_seen > 10, JSON.stringify(metrics));
    assert.match(answer, /^the\s*: \d+ bytes$/);
    const { letters, reward } = JSON.parse(await execute(process.execPath, ["out/measures.js"], folder));
    assert.equal(letters, new Set("the cat sat on the mat.\n").size);
    assert.ok(reward >= 0 && reward <= 8, reward);
  });

  it("are those of the READMEs' examples, which run", async () => {
    const read = (path) => readFile(new URL(path, import.meta.url), "utf8");
    assert.ok((await read("../../README.md")).includes(await read("examples/readme.ts")));
    assert.ok((await read("../../crates/lab-js/npm/README.md")).includes(await read("examples/quickstart.ts")));
    assert.match(await execute(process.execPath, ["out/readme.js"], folder), /trainable_parameters/);
  });

  it("have no finding of publint and of attw", async () => {
    await execute("npx", ["publint", "--strict", await tarball()], folder);
    await execute("npx", ["attw", await tarball(), "--profile", "esm-only", "--exclude-entrypoints", "worker.js", "engine.wasm", "cpu.wasm", "gpu.wasm"], folder);
  });
});
