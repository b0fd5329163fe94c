// A module as a user would write it: a strategy that counts which character follows which, a metric, a reward.
// The page loads it with `?module=ADDRESS`, the worker with `worker.js?module=ADDRESS`.

export default function (lab) {
  lab.addStrategy("bigrams", ({ smoothing = 1, parts = 4, ...unknown } = {}) => {
    for (const key in unknown) throw { code: "unknown_key", message: `unknown field \`${key}\``, hint: "Use smoothing or parts.", field: key };
    if (!(smoothing > 0)) throw { code: "invalid_config", message: `smoothing is ${smoothing}`, hint: "Use a number above 0.", field: "smoothing" };

    // The likeliest letters one after the other, up to the end of the line.
    const write = (prompt, length, letters, counts) => {
      let [text, last] = ["", letters.indexOf(prompt.trimEnd().at(-1))];
      while (last >= 0 && text.length < length) {
        const row = counts.slice(last * letters.length, (last + 1) * letters.length);
        last = row.indexOf(Math.max(...row));
        if (letters[last] === "\n") break;
        text += letters[last];
      }
      return text;
    };

    return {
      validate({ text }) {
        if (text.length < 100) throw { code: "invalid_data", message: "the text is too short to count", hint: "Give at least 100 characters.", field: "data" };
      },

      begin({ text, validation_fraction }) {
        const letters = [...new Set(text)].sort();
        const ids = Array.from(text, (letter) => letters.indexOf(letter));
        const [end, size] = [Math.floor(ids.length * (1 - validation_fraction)), letters.length];
        let counts = new Float64Array(size * size).fill(smoothing);
        const sum = (numbers) => numbers.reduce((sum, number) => sum + number, 0);
        const row = (letter) => counts.subarray(letter * size, (letter + 1) * size);
        const nats = (letter, at) => -Math.log(row(ids[end + at])[letter] / sum(row(ids[end + at])));
        const loss = () => sum(ids.slice(end + 1).map(nats)) / (ids.length - end - 1);
        return {
          metrics: [{ name: "pairs_seen", label: "Pairs", direction: "more", help: "different pairs of characters that were counted" }],
          steps: parts, parameters: counts.length, vocabulary: size, training_tokens: end, validation_tokens: ids.length - end,
          step(number) {
            const [from, to] = [number - 1, number].map((part) => Math.floor((end * part) / parts));
            for (let at = Math.max(from, 1); at < to; at++) counts[ids[at - 1] * size + ids[at]] += 1;
            return { tokens: to - from, metrics: { validation_loss: loss(), pairs_seen: counts.filter((count) => count > smoothing).length } };
          },
          save: () => new Uint8Array(counts.slice().buffer),
          restore: (state) => void (counts = new Float64Array(state.slice().buffer)),
          generate: ({ prompt, max_tokens }) => write(prompt, max_tokens, letters, counts),
          finish: () => ({
            metrics: { validation_loss: loss() },
            files: [{ path: "counts/counts.json", bytes: new TextEncoder().encode(JSON.stringify({ letters, counts: [...counts] })) }],
          }),
        };
      },

      answer(prompts, files) {
        const { letters, counts } = JSON.parse(new TextDecoder().decode(files[0].bytes));
        return prompts.map((prompt) => write(prompt, 20, letters, counts));
      },
    };
  });

  // The number of different characters of the text, divided by the run's perplexity.
  lab.addMetric("sharpness_score", async ({ result, text }) =>
    "validation_loss" in result.metrics ? new Set(text).size / Math.exp(result.metrics.validation_loss) : undefined,
    { direction: "more", help: "letters of the text for each that it hesitates between" });

  // The more vowels the better.
  lab.setReward(async ({ response }) => (response.match(/[aeiou]/g) ?? []).length);
}
