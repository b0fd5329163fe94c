// A strategy of one's own: a model that counts which letter follows which.

import { BaseStrategy, LabError, type Learner, type ModelFile, type RunAbout, createLab } from "@bpm/llm-labs";

class Bigrams extends BaseStrategy<{ smoothing: number }> {
  readonly kind = "bigrams";

  override validate(): void {
    if (this.config.smoothing > 0) return;
    throw new LabError({ code: "invalid_config", message: `smoothing is ${this.config.smoothing}`, hint: "Use a number above 0.", field: "smoothing" });
  }

  override begin({ text }: RunAbout): Learner {
    const { smoothing } = this.config;
    let counts: Record<string, number> = {};
    const parts = 10;
    const write = (prompt: string, length: number) => {
      let out = "";
      while (out.length < length) {
        const last = (prompt + out).at(-1) ?? "";
        const followers = Object.entries(counts).filter(([pair]) => pair[0] === last);
        const [best] = followers.sort(([, a], [, b]) => b - a);
        if (!best) break;
        out += best[0][1];
      }
      return out;
    };
    return {
      steps: parts,
      metrics: [{ name: "pairs_seen", direction: "more", label: "Pairs", help: "different pairs of characters" }],
      step(number) {
        const [from, to] = [number - 1, number].map((part) => Math.floor((text.length * part) / parts)) as [number, number];
        for (let at = Math.max(from, 1); at < to; at++) {
          const pair = text.slice(at - 1, at + 1);
          counts[pair] = (counts[pair] ?? smoothing) + 1;
        }
        return { tokens: to - from, metrics: { pairs_seen: Object.keys(counts).length } };
      },
      save: () => new TextEncoder().encode(JSON.stringify(counts)),
      restore: (state) => void (counts = JSON.parse(new TextDecoder().decode(state))),
      generate: ({ prompt, max_tokens }) => write(prompt, max_tokens),
      finish: () => ({ metrics: { pairs_seen: Object.keys(counts).length }, files: [{ path: "counts/counts.json", bytes: new TextEncoder().encode(JSON.stringify(counts)) }] }),
    };
  }

  override answer(prompts: string[], files: ModelFile[]): string[] {
    return prompts.map((prompt) => `${prompt}: ${files[0]?.bytes.length} bytes`);
  }
}

const lab = await createLab({ backend: "cpu" });
const bigrams = new Bigrams({ smoothing: 1 }, { lab });
const result = await bigrams.addTrainingData("the cat sat on the mat. ".repeat(20)).train();
console.log(JSON.stringify({ metrics: result.metrics, answer: await bigrams.ask("the") }));
lab.dispose();
