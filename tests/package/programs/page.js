// A page: leaves the outcomes, or what went wrong, where the test looks.

import { run } from "./experiment.js";

const experiment = await (await fetch("experiment.json")).json();
globalThis.outcomes = await run(experiment).catch((error) => ({ failed: `${error}\n${error.stack}` }));
