// Invalid input is refused in words: code, message, hint and field; and nothing is started.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { open, start, tiny } from "./lib/playground.mjs";

describe("bad input", () => {
  let lab;
  let playground;
  before(async () => {
    lab = await start();
    playground = await open(lab);
    await playground.loadGood(tiny());
  });
  after(() => lab.close());

  async function refused(code, field) {
    const error = await playground.error();
    assert.equal(error.code, code, JSON.stringify(error));
    assert.equal(error.field, field, JSON.stringify(error));
    assert.ok(error.message.length > 5 && error.hint.length > 5, JSON.stringify(error));
    assert.equal(await playground.page.locator(".result").count(), 0, "nothing was run");
    return error;
  }

  const dismiss = () => playground.button("Dismiss this error").click();

  /** A setting's bad value is reported at once at its field, and in full after Run. */
  async function badSetting(label, value, code, path) {
    const field = playground.setting(label);
    const good = await field.inputValue();
    await field.fill(value);
    assert.equal(await field.getAttribute("aria-invalid"), "true");
    await playground.primary.click();
    await refused(code, `strategies[0].config.${path}`);
    assert.notEqual(await playground.page.locator(`#${await field.getAttribute("id")}-error`).textContent(), "");
    await playground.page.waitForFunction((id) => document.activeElement?.id === id, await field.getAttribute("id"));
    await field.fill(good);
    await playground.page.locator(".error").waitFor({ state: "detached" });
    assert.equal(await field.getAttribute("aria-invalid"), null);
  }

  it("a window of 0", () => badSetting("Context", "0", "invalid_config", "model.context"));
  it("heads that do not divide the width", () => badSetting("Heads", "5", "invalid_config", "model.heads"));
  it("a negative learning rate", () => badSetting("Learning rate", "-0.001", "invalid_config", "training.learning_rate"));
  it("a word where a number belongs", () => badSetting("Learning rate", "fast", "invalid_json", "training.learning_rate"));

  it("an empty file", async () => {
    await playground.giveFile("empty.txt", "");
    await refused("invalid_data", "data");
    await dismiss();
  });

  it("a file that is not UTF-8", async () => {
    await playground.giveFile("latin1.txt", [0x63, 0x61, 0x66, 0xe9, 0x0a]);
    const { message } = await refused("invalid_utf8", "data");
    assert.match(message, /byte 3/);
    await dismiss();
  });

  it("no text at all", async () => {
    await playground.ownText();
    await playground.primary.click();
    await refused("invalid_data", "data");
    await dismiss();
  });

  it("a text shorter than the window", async () => {
    await playground.ownText();
    await playground.page.getByLabel("Text to train on").fill("Too short.");
    await playground.primary.click();
    await refused("invalid_data", "data");
    assert.equal(await playground.phase(), "failed");
    await dismiss();
  });

  it("a key that no configuration has", async () => {
    const experiment = tiny();
    experiment.strategies[0].config.training.learnig_rate = 1;
    await playground.load(experiment);
    const { message } = await refused("unknown_key", "strategies[0].config.training.learnig_rate");
    assert.match(message, /learnig_rate/);
    await dismiss();
    await playground.load({ ...tiny(), sed: 7 });
    await refused("unknown_key", "sed");
    await dismiss();
  });

  it("a file that is no experiment", async () => {
    await playground.load("{ \"name\": ");
    assert.equal((await playground.error()).code, "invalid_json");
    await dismiss();
  });

  it("after all that, a good text of one's own runs", async () => {
    await playground.giveFile("own.txt", "The quick brown fox jumps over the lazy dog.\n".repeat(40));
    await playground.page.locator(".file-name", { hasText: "own.txt" }).waitFor();
    assert.match(await playground.page.locator(".preview-counts").textContent(), /1,800 characters, 30 distinct, 40 lines/);
    await playground.primary.click();
    await playground.until("finished");
    assert.equal(JSON.parse(await playground.download("run.json")).experiment.data.name, "own.txt");
    assert.deepEqual(playground.complaints, []);
  });
});
