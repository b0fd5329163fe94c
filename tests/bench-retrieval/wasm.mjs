// Vector search in headless Chromium, beside hnswlib-wasm, which works nowhere else:
// node wasm.mjs MODULE VECTORS [SIZE…] [--json]; the browser is CHROMIUM's.

import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { serve } from "../bench/lib/server.mjs";

const given = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const asJson = process.argv.includes("--json");
const [module, vectors, ...sizes] = given;
if (!vectors) throw new Error("usage: node wasm.mjs MODULE VECTORS [SIZE…] [--json]");

const here = dirname(fileURLToPath(import.meta.url));
const server = await serve({
  "/": join(here, "page"),
  "/hnswlib/": join(here, "node_modules/hnswlib-wasm/dist"),
  "/module/": dirname(module),
  "/vectors/": dirname(vectors),
});
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", "--no-first-run"] });
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(0);
  await page.goto(server.url);
  await page.evaluate(
    async (addresses) => {
      globalThis.contest = await import("/contest.js");
      await contest.prepare(...addresses);
    },
    [`/module/${basename(module)}`, `/vectors/${basename(vectors)}`],
  );
  const report = {};
  for (const size of sizes.length ? sizes.map(Number) : [1000, 10000, 30000]) {
    report[size] = await page.evaluate((size) => contest.compare(size), size);
    if (!asJson) console.log(table(size, report[size]));
  }
  if (asJson) console.log(JSON.stringify(report));
} finally {
  await browser.close();
  server.close();
}

function table(size, found) {
  const lines = Object.entries(found).map(([name, entry]) => {
    const at = (recall) => {
      const it = entry[`recall_${recall}`];
      return it ? `${it.microseconds.toFixed(0)} µs (${it.recall.toFixed(3)}, ${it.effort})` : "-";
    };
    const bytes = entry.bytes_per_vector ? `${entry.bytes_per_vector} bytes` : "";
    return `${name.padEnd(14)} ${entry.build_seconds.toFixed(2).padStart(8)} s   ${at(0.95)}   ${at(0.99)}   ${bytes}`;
  });
  return [`\n${size} vectors of 384 numbers in wasm, one thread, 10 nearest`, ...lines].join("\n");
}
