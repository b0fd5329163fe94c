// Notebook servers with the notebooks of docs/.

import { execFileSync, spawn } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { once } from "node:events";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const docs = fileURLToPath(new URL("../../../docs/", import.meta.url));
const python = process.env.LAB_PYTHON;
const TOKEN = "test";

/** Why notebooks cannot be tested here; false where they can. */
export function noNotebooks() {
  const reason = "needs jupyterlab, anywidget and marimo in LAB_PYTHON";
  if (!python) return reason;
  try {
    execFileSync(python, ["-c", "import jupyterlab, anywidget, marimo"], { stdio: "ignore" });
    return false;
  } catch {
    return reason;
  }
}

/** JupyterLab with docs/llm-labs.ipynb; the package is at `address`. */
export const jupyter = (address) => notebook("llm-labs.ipynb", address, (port, folder) => ({
  module: ["jupyterlab", "--no-browser", "--allow-root", `--port=${port}`, `--IdentityProvider.token=${TOKEN}`, "--LabApp.expose_app_in_browser=True", `--ServerApp.root_dir=${folder}`],
  path: `lab/tree/llm-labs.ipynb?token=${TOKEN}`,
}));

/** marimo, which runs docs/llm-labs-marimo.py as an app; the package is at `address`. */
export const marimo = (address) => notebook("llm-labs-marimo.py", address, (port, folder) => ({
  module: ["marimo", "run", join(folder, "llm-labs-marimo.py"), "--headless", "--no-token", "--port", String(port)],
  path: "",
}));

async function notebook(file, address, serves) {
  const [folder, port] = [await mkdtemp(join(tmpdir(), "llm-labs-notebook-")), await freePort()];
  await cp(join(docs, file), join(folder, file));
  const { module, path } = serves(port, folder);
  const settings = Object.fromEntries(["JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME"].map((name) => [name, join(folder, name)]));
  const server = spawn(python, ["-m", ...module], { cwd: folder, env: { ...process.env, ...settings, LLM_LABS: address.replace(/\/$/, "") }, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  server.stderr.on("data", (data) => (said += data));
  const close = async () => {
    if (server.exitCode === null && server.kill()) await once(server, "exit");
    await rm(folder, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}/${path}`;
  for (let tries = 0; tries < 300; tries++) {
    if (server.exitCode !== null) break;
    if (await fetch(url).then(({ ok }) => ok, () => false)) return { url, close };
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  await close();
  throw new Error(`${module[0]} does not answer at ${url}\n${said}`);
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
