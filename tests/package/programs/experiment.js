// Runs an experiment of all four strategies. Pages and programs share it.

import { LabOrchestrator, createLab } from "@bpm/llm-labs";

/** The outcomes, without the files that were made. */
export async function run(experiment, options = {}) {
  const lab = await createLab({ backend: "cpu", ...options });
  const orchestrator = new LabOrchestrator(lab);
  orchestrator.createExperiment(experiment);
  const { outcomes } = await orchestrator.runExperiment(experiment.name);
  lab.dispose();
  return outcomes.map(({ files, ...outcome }) => outcome);
}
