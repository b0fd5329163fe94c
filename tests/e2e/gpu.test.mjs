import { trains } from "./lib/training.mjs";

trains("with software WebGPU", { gpu: true, badge: /^WebGPU · ./ });
