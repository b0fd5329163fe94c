import { FineTuningStrategy, PretrainingStrategy, createLab } from "@bpm/llm-labs";

const lab = await createLab(); // WebGPU where there is a usable adapter, else the CPU
const pretraining = new PretrainingStrategy({ tokenizer: "bpe", training: { steps: 20 } }, { lab });
await pretraining.addTrainingData("A text to learn from. ".repeat(200)).train({ onMetrics: ({ step, values }) => console.log(step, values) });

const tuning = new FineTuningStrategy({ method: "qlora", training: { steps: 10 } }, { lab, from: pretraining });
await tuning.addExamples([{ prompt: "What is this?", response: "A text." }, { prompt: "For what?", response: "To learn from." }]).train();
console.log(await tuning.generate("What is this?", { max_tokens: 20 }), tuning.getMetrics());
lab.dispose();
