// A program of Node.js, Deno or Bun: prints the outcomes.

import { readFile } from "node:fs/promises";
import { run } from "./experiment.js";

const experiment = JSON.parse(await readFile(new URL("experiment.json", import.meta.url), "utf8"));
console.log(JSON.stringify(await run(experiment)));
