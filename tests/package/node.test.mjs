// The package, installed from its tarball, in programs: Node.js, Deno, Bun.

import { after, before, describe, it } from "node:test";
import { clean, execute, project } from "./lib/project.mjs";
import { sameNumbers, terminalMetrics } from "./lib/terminal.mjs";

const files = {
  "program.js": { copy: "programs/program.js" },
  "experiment.js": { copy: "programs/experiment.js" },
  "experiment.json": { copy: "experiment.json" },
};

describe("a program computes as the terminal does", () => {
  let folder;
  let terminal;
  before(async () => {
    terminal = await terminalMetrics();
    folder = await project("programs", { files, dependencies: { deno: "2.9.6", bun: "1.4.5" } });
  });
  after(clean);

  const outcomes = async (...command) => JSON.parse(await execute(command[0], command.slice(1), folder));

  it("in Node.js", async () => sameNumbers(await outcomes(process.execPath, "program.js"), terminal));
  it("in Deno", async () => sameNumbers(await outcomes("npx", "deno", "run", "--allow-all", "program.js"), terminal));
  it("in Bun", async () => sameNumbers(await outcomes("npx", "bun", "program.js"), terminal));
});
