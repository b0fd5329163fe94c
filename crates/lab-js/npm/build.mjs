// Builds the package: `node build.mjs WORKERS ENGINE OUT`. `WORKERS` is the folder of the workers and their scripts,
// `ENGINE` that of lab-package's bindings, `OUT` what `npm pack` packs. The same sources give the same bytes.
//
// Types are TypeScript's own; scripts are put together by esbuild, so that a page loads one file without a bundler, and
// the worker is one file that bundlers may copy wherever they like.

import { build } from "esbuild";
import { execFileSync } from "node:child_process";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const [workers, engine, out] = process.argv.slice(2).map((path) => resolve(path));
const here = fileURLToPath(new URL(".", import.meta.url));
process.chdir(here);

await rm(out, { recursive: true, force: true });
await mkdir(join(out, "types/src"), { recursive: true });
await cp(engine, join(here, "engine"), { recursive: true });

execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "--outDir", join(out, "types")], { stdio: ["ignore", 2, 2] });
for (const types of ["configs", "errors", "schema", "engine/lab_package"]) await cp(`${types}.d.ts`, join(out, "types", `${types}.d.ts`));

/** The files of the inline entry: the wasm files as bytes, the worker's script as text. */
function inline(build) {
  const files = { "engine.wasm": join(engine, "lab_package_bg.wasm"), "cpu.wasm": join(workers, "cpu/lab_js_bg.wasm"), "worker.js": join(out, "worker.js") };
  build.onResolve({ filter: /^#inline\// }, ({ path }) => ({ path: files[path.slice("#inline/".length)], namespace: "inline" }));
  build.onLoad({ filter: /./, namespace: "inline" }, async ({ path }) => ({ contents: await readFile(path), loader: path.endsWith(".js") ? "text" : "binary" }));
}

const options = { bundle: true, format: "esm", target: "es2022", charset: "utf8", legalComments: "inline", logLevel: "warning" };
await build({ ...options, entryPoints: ["src/index.ts"], outfile: join(out, "index.js"), platform: "browser" });
await build({ ...options, entryPoints: ["src/index.ts"], outfile: join(out, "node.js"), platform: "node" });
await build({ ...options, entryPoints: ["src/element.ts"], outfile: join(out, "element.js"), platform: "browser" });
await build({ ...options, entryPoints: [join(workers, "worker.js")], outfile: join(out, "worker.js"), minify: true });
await build({
  ...options,
  entryPoints: ["src/index.ts"],
  outfile: join(out, "inline.js"),
  platform: "browser",
  conditions: ["inline"],
  plugins: [{ name: "inline", setup: inline }],
});
// A notebook loads it by its address, and the package from beside it when an experiment is run.
await build({ ...options, entryPoints: ["src/widget.ts"], outfile: join(out, "widget.js"), platform: "browser", external: ["*/index.js"] });
await cp("node-worker.js", join(out, "node-worker.js"));

await cp(join(engine, "lab_package_bg.wasm"), join(out, "engine.wasm"));
for (const worker of ["cpu", "gpu"]) await cp(join(workers, worker, "lab_js_bg.wasm"), join(out, `${worker}.wasm`));
for (const text of ["README.md", "LICENSE-MIT", "LICENSE-APACHE", "NOTICE"]) await cp(text === "README.md" ? text : join("../../..", text), join(out, text));

// The published manifest leaves out the tools of the build.
const { private: _, imports, devDependencies, ...manifest } = JSON.parse(await readFile("package.json", "utf8"));
await writeFile(join(out, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
