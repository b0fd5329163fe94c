// One headless Chromium for everything, with a software WebGPU adapter.
import fs from "node:fs";
import path from "node:path";
import { chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

const ARGUMENTS = [
  "--headless=new",
  "--no-sandbox",
  "--no-first-run",
  "--disable-quic",
  "--disable-sync",
  "--disable-background-networking",
  "--disable-component-update",
  "--enable-unsafe-webgpu",
  "--enable-features=Vulkan",
  "--use-webgpu-adapter=swiftshader",
  "--ignore-gpu-blocklist",
];

export async function launch(chosen) {
  return chromium.launch({ executablePath: chosen ?? process.env.CHROMIUM ?? find(), headless: true, args: ARGUMENTS });
}

function find() {
  for (const folder of (process.env.PATH ?? "").split(path.delimiter)) {
    for (const name of NAMES) {
      const file = path.join(folder, name);
      if (fs.existsSync(file)) return file;
    }
  }
  throw new Error("no Chromium on the search path: install one, or name it with --chromium");
}
