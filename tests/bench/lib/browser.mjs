// Headless Chromium, with a software WebGPU adapter or without any.
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
];

const SOFTWARE_GPU = [
  "--enable-unsafe-webgpu",
  "--enable-features=Vulkan",
  "--use-webgpu-adapter=swiftshader",
  "--ignore-gpu-blocklist",
];

export async function launch(chosen, { gpu = true } = {}) {
  const args = gpu ? [...ARGUMENTS, ...SOFTWARE_GPU] : ARGUMENTS;
  return chromium.launch({ executablePath: chosen ?? process.env.CHROMIUM ?? find(), headless: true, args });
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
