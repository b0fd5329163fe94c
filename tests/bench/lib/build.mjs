// Bundles the page and the worker into a folder that is not committed.
import { build } from "esbuild";
import fs from "node:fs";
import path from "node:path";

export async function bundle(root) {
  const out = path.join(root, "node_modules", ".bench");
  fs.rmSync(out, { recursive: true, force: true });
  await build({
    entryPoints: [path.join(root, "contenders/page.js"), path.join(root, "contenders/worker.js")],
    outdir: out,
    bundle: true,
    splitting: true,
    format: "esm",
    target: "es2022",
    minify: true,
    logLevel: "error",
    // Node's modules, which the wasm files' loaders mention for other environments.
    external: ["fs", "path", "worker_threads", "perf_hooks", "os", "crypto", "util"],
  });
  fs.writeFileSync(path.join(out, "index.html"), '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>\n');
  return out;
}
