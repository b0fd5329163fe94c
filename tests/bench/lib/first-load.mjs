// A visitor's wait: the page opened in a new browser with an empty cache, Run pressed on the quickstart.
import fs from "node:fs";
import zlib from "node:zlib";
import { launch } from "./browser.mjs";
import { serve } from "./server.mjs";

const LIMIT_MS = 4 * 60 * 1000;

/** `{ bytes: { cpu, gpu }, ms: { cpu, gpu }, files }`, sizes after gzip, times from the navigation to the first step shown. */
export async function firstLoad(site, chromium, paths, log) {
  const result = { bytes: {}, ms: {}, files: {} };
  for (const path of paths) {
    const { files, ms } = await open(site, chromium, path);
    result.files[path] = Object.fromEntries(files);
    result.bytes[path] = files.reduce((sum, [, bytes]) => sum + bytes, 0);
    result.ms[path] = Math.round(ms);
    log(`first load, ${path}: ${result.bytes[path]} bytes gzip, first step after ${result.ms[path]} ms`);
  }
  return result;
}

async function open(site, chromium, path) {
  const server = await serve({ "/": site });
  const browser = await launch(chromium, { gpu: path === "gpu" });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(LIMIT_MS);
    await page.goto(server.url, { waitUntil: "commit" });
    // A press before the device and the text are there has no effect yet.
    await page.waitForSelector(".badge.ready");
    const badge = await page.textContent(".badge-text");
    if (badge.includes("WebGPU") !== (path === "gpu")) throw new Error(`first load, ${path}: the page computes on ${badge}`);
    while ((await page.getAttribute("#run", "data-phase")) === "idle") {
      await page.click("#primary");
      await page.waitForTimeout(20);
    }
    const ms = await (await page.waitForFunction(firstStepShown)).jsonValue();
    return { ms, files: sizes(site, server.requests) };
  } finally {
    await browser.close();
    server.close();
  }
}

// Runs in the page at every frame: the time since the navigation once a step is shown, else false.
function firstStepShown() {
  const phase = document.querySelector("#run").dataset.phase;
  if (phase === "failed") throw new Error(`the run failed: ${document.querySelector(".status").textContent}`);
  return document.querySelector("#run progress").value >= 1 && performance.now();
}

function sizes(site, requests) {
  return [...new Set(requests)].map((file) => {
    return [file.slice(site.length).replace(/^\//, ""), zlib.gzipSync(fs.readFileSync(file), { level: 9 }).length];
  });
}
