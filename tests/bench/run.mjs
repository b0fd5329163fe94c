// The browser benchmark: `node run.mjs --help`.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { launch } from "./lib/browser.mjs";
import { bundle } from "./lib/build.mjs";
import { firstLoad } from "./lib/first-load.mjs";
import { measure } from "./lib/measure.mjs";
import { GROUPS, plan, readOptions } from "./lib/options.mjs";
import { describe, report, table } from "./lib/report.mjs";
import { serve } from "./lib/server.mjs";

const root = path.dirname(fileURLToPath(import.meta.url));
const log = (text) => process.stderr.write(`${text}\n`);

async function main() {
  const options = readOptions(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(options.help);
    return;
  }
  const site = siteFolder(options);
  const mounts = { "/": await bundle(root), "/tfjs/": path.join(root, "node_modules/@tensorflow/tfjs-backend-wasm/dist") };
  if (site) mounts["/site/"] = site;

  // First, because it is short and shows at once if the site does not work.
  const paths = [...new Set(options.groups.map((group) => GROUPS[group].path))];
  const loaded = options.firstLoad ? await firstLoad(site, options.chromium, paths, log) : null;

  const browser = await launch(options.chromium);
  const measured = {};
  const skipped = [];
  let environment;
  try {
    for (const group of options.groups) {
      const server = await serve(mounts, { isolated: GROUPS[group].isolated });
      const page = await open(browser, server.url);
      const seen = await page.evaluate(() => window.bench.environment());
      if (seen.isolated !== GROUPS[group].isolated) throw new Error(`${group}: the page is ${seen.isolated ? "" : "not "}isolated`);
      environment ??= describe(root, browser, seen);
      measured[group] = {};
      for (const config of options.configs) {
        const { entries, skipped: left } = plan(options, group, config);
        skipped.push(...left);
        log(`${GROUPS[group].title}: ${config}`);
        measured[group][config] = await measure(page, group, config, entries, log);
      }
      await page.close();
      server.close();
    }
  } finally {
    await browser.close();
  }
  const document = report({ measured, skipped, environment, firstLoad: loaded });
  process.stdout.write(options.json ? `${JSON.stringify(document, null, 2)}\n` : `${table(document)}\n`);
}

/** The built site, needed wherever this project itself takes part. */
function siteFolder(options) {
  const folder = process.env.LAB_DIST;
  if (!options.contenders.includes("llm_labs") && !options.firstLoad) return null;
  if (!folder) throw new Error("LAB_DIST does not name the folder of the built site");
  for (const file of ["index.html", "worker/cpu/lab_js.js", "worker/gpu/lab_js.js"]) {
    if (!fs.existsSync(path.join(folder, file))) throw new Error(`LAB_DIST: ${file} is missing in ${folder}`);
  }
  return path.resolve(folder);
}

async function open(browser, url) {
  const page = await browser.newPage();
  page.on("pageerror", (error) => log(`page: ${error.message}`));
  page.on("console", (message) => message.type() === "error" && log(`console: ${message.text()}`));
  await page.goto(url);
  await page.waitForFunction("window.bench");
  return page;
}

main().then(
  () => process.exit(0),
  (error) => {
    log(`error: ${error.message}`);
    process.exit(1);
  },
);
