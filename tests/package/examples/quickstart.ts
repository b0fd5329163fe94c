import { FineTuningStrategy, PretrainingStrategy, RAGStrategy, RLHFStrategy, createLab } from "@bpm/llm-labs";

const lab = await createLab(); // WebGPU where there is a usable adapter, else the CPU

// A small world made from a seed: text, questions, preferences and documents of known truth.
const village = { source: "village", name: "hamlet", village: { documents: 400, reading_pairs: 200 } } as const;

const pretraining = new PretrainingStrategy({ tokenizer: "bpe", model: { layers: 2, width: 32 }, training: { steps: 20 } }, { lab });
await pretraining.addTrainingData(village).train({ onMetrics: ({ step, values }) => console.log(step, values) });
console.log(await pretraining.generate("Anna lives in", { max_tokens: 20 }));

const tuning = new FineTuningStrategy({ method: "qlora", training: { steps: 10 } }, { lab, from: pretraining });
await tuning.addTrainingData(village).train();
console.log(await tuning.ask("Where does Anna live?"));

const alignment = new RLHFStrategy({ reward_model: { steps: 4 }, ppo: { steps: 2, batch_size: 8 }, rollout: { response_tokens: 12 } }, { lab, from: tuning });
await alignment.addTrainingData(village).train();
console.log(alignment.getStrategyName(), alignment.getMetrics());

const retrieval = new RAGStrategy({ method: "bm25" }, { lab, from: tuning });
await retrieval.addDocuments([{ id: "anna", content: "Anna lives in Mill Road." }]).train();
console.log(await retrieval.query("Where does Anna live?"));

lab.dispose();
