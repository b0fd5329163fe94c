// The schema that `lab schema` prints, read by another program.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { describe, it } from "node:test";
import Ajv from "ajv/dist/2020.js";
import schema from "../../crates/lab-js/npm/schema.js";

const folder = new URL("../../web/experiments/", import.meta.url);
const files = (await readdir(folder)).filter((name) => name.endsWith(".json"));
const read = async (name) => JSON.parse(await readFile(new URL(name, folder), "utf8"));

describe("the schema of experiments", () => {
  // Formats such as uint are schemars' own: the bounds beside them say the same.
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  const valid = ajv.compile(schema);
  const places = (experiment) => (valid(experiment) ? [] : valid.errors.map(({ instancePath }) => instancePath));

  it("has every experiment of the site in it", async () => {
    assert.ok(files.length >= 5);
    for (const name of files) {
      const experiment = await read(name);
      assert.deepEqual(places(experiment), [], name);
    }
  });

  it("has in it what a program fills in", async () => {
    for (const name of files) {
      const filled = new Ajv({ strict: false, validateFormats: false, useDefaults: true });
      const experiment = await read(name);
      assert.ok(filled.compile(schema)(experiment), name);
      assert.ok(valid(experiment), name);
      assert.equal(experiment.schema, 1);
    }
  });

  it("refuses what the lab refuses, at the same place", async () => {
    const change = async (edit) => {
      const experiment = await read("village.json");
      edit(experiment);
      return places(experiment);
    };
    const at = (index, path) => `/strategies/${index}/config${path}`;
    const kinds = (await read("village.json")).strategies.map(({ strategy }) => strategy);
    const pretrain = kinds.indexOf("pretraining");
    const rag = kinds.indexOf("rag");
    const expect = async (edit, place) => assert.ok((await change(edit)).includes(place), place);
    await expect((e) => (e.strategies[pretrain].config.stepps = 1), at(pretrain, ""));
    await expect((e) => (e.strategies[pretrain].config.training = { steps: "many" }), at(pretrain, "/training/steps"));
    await expect((e) => (e.strategies[pretrain].config.training = { steps: -1 }), at(pretrain, "/training/steps"));
    await expect((e) => (e.strategies[pretrain].config.model = { norm: "none" }), at(pretrain, "/model/norm"));
    await expect((e) => (e.strategies[rag].config = { chunking: { size: true } }), at(rag, "/chunking/size"));
    await expect((e) => (e.data.village = { peoples: 3 }), "/data/village");
    await expect((e) => (e.data.source = "nowhere"), "/data/source");
    await expect((e) => delete e.name, "");
    await expect((e) => (e.sed = 3), "");
    await expect((e) => delete e.strategies[rag].strategy, `/strategies/${rag}`);
    assert.deepEqual(await change((e) => e.strategies.push({ name: "own", strategy: "bigrams", config: { parts: 2 } })), []);
    assert.deepEqual(await change((e) => (e.strategies[pretrain].config = null)), []);
  });
});
