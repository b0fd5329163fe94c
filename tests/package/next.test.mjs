// The package, installed from its tarball, in a site of Next.js: by both of its bundlers.

import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { browser, outcomesOf, serve } from "./lib/pages.mjs";
import { clean, execute, project } from "./lib/project.mjs";
import { sameNumbers, terminalMetrics } from "./lib/terminal.mjs";

const LAYOUT = "export default ({ children }) => <html><body>{children}</body></html>;";
const PAGE = `"use client";
import { useEffect } from "react";
import { run } from "../experiment.js";

export default function Page() {
  useEffect(() => {
    const start = async () => run(await (await fetch("experiment.json")).json());
    start().then((outcomes) => (globalThis.outcomes = outcomes), (error) => (globalThis.outcomes = { failed: String(error.stack) }));
  }, []);
  return <p>Page</p>;
}`;

describe("a site of Next.js computes as the terminal does", () => {
  let folder;
  let terminal;
  let chromium;
  before(async () => {
    terminal = await terminalMetrics();
    chromium = await browser();
    const files = {
      "app/layout.jsx": LAYOUT,
      "app/page.jsx": PAGE,
      "experiment.js": { copy: "programs/experiment.js" },
      "public/experiment.json": { copy: "experiment.json" },
      "next.config.mjs": "export default { output: 'export' };",
    };
    folder = await project("next", { files, dependencies: { next: "16.4.6", react: "19.2.0", "react-dom": "19.2.0" } });
  });
  after(async () => {
    await chromium?.close();
    await clean();
  });

  for (const bundler of ["turbopack", "webpack"]) {
    it(`built by ${bundler}`, async () => {
      await execute("npx", ["next", "build", `--${bundler}`], folder, { NEXT_TELEMETRY_DISABLED: "1" });
      const site = await serve(join(folder, "out"));
      try {
        sameNumbers(await outcomesOf(chromium, site.url), terminal);
      } finally {
        site.close();
      }
    });
  }
});
