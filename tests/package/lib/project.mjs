// Fresh projects with the package installed from the file that `npm pack` makes.

import { execFile } from "node:child_process";
import { cp, mkdtemp, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const here = fileURLToPath(new URL("..", import.meta.url));

/** The built package: `LAB_PACKAGE`, or `target/npm` of this checkout. */
export const built = process.env.LAB_PACKAGE ?? join(here, "../../target/npm");

const scratch = await mkdtemp(join(tmpdir(), "llm-labs-package-"));

/** Packs the package once; the tarball's path. */
let packed;
export function tarball() {
  packed ??= execute("npm", ["pack", "--silent", "--pack-destination", scratch], built).then(async () => {
    const [name] = (await readdir(scratch)).filter((name) => name.endsWith(".tgz"));
    return join(scratch, name);
  });
  return packed;
}

/** A folder of its own with these files (`name: text`, or `name: { copy: path }`) and the package beside `dependencies`. */
export async function project(name, { files = {}, dependencies = {}, ...manifest } = {}) {
  const folder = join(scratch, name);
  await mkdir(folder, { recursive: true });
  const all = { "@bpm/llm-labs": `file:${await tarball()}`, ...dependencies };
  await writeFile(join(folder, "package.json"), JSON.stringify({ name, private: true, type: "module", dependencies: all, ...manifest }));
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    if (typeof content === "string") await writeFile(join(folder, path), content);
    else await cp(join(here, content.copy), join(folder, path), { recursive: true });
  }
  await execute("npm", ["install", "--no-audit", "--no-fund", "--silent"], folder);
  return folder;
}

/** Runs a program to its end; what it printed. Its complaints are part of the error if it fails. */
export async function execute(program, parts, folder, environment = {}) {
  try {
    const env = { ...process.env, ...environment };
    const { stdout } = await run(program, parts, { cwd: folder, env, maxBuffer: 2 ** 26, timeout: 300_000 });
    return stdout;
  } catch (error) {
    throw new Error(`${program} ${parts.join(" ")}: ${error.message}\n${error.stdout}\n${error.stderr}`);
  }
}

/** Removes every project. */
export const clean = () => rm(scratch, { recursive: true, force: true });
