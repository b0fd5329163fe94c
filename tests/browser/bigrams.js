// A module as a user would write it: a strategy that counts which character follows which, a metric, a reward.
// The page loads it with `?module=ADDRESS`, the worker with `worker.js?module=ADDRESS`.

export default function (lab) {
  lab.addStrategy("bigrams", ({ smoothing = 1, parts = 4, ...unknown } = {}) => {
    for (const key of Object.keys(unknown)) {
      throw { code: "unknown_key", message: `unknown field \`${key}\``, hint: "Use smoothing or parts.", field: key };
    }
    if (!(smoothing > 0)) throw { code: "invalid_config", message: `smoothing is ${smoothing}`, hint: "Use a number above 0.", field: "smoothing" };

    return {
      validate({ text }) {
        if (text.length < 100) throw { code: "invalid_data", message: "the text is too short to count", hint: "Give at least 100 characters.", field: "data" };
      },

      async train(run) {
        const letters = [...new Set(run.text)].sort();
        const ids = Array.from(run.text, (letter) => letters.indexOf(letter));
        const end = Math.floor(ids.length * (1 - run.validation_fraction));
        const size = letters.length;
        const counts = run.checkpoint ? new Float64Array(run.checkpoint.slice().buffer, 8) : new Float64Array(size * size).fill(smoothing);
        let step = run.checkpoint ? new Float64Array(run.checkpoint.slice(0, 8).buffer)[0] : 0;
        await run.started({ steps: parts, first_step: step, parameters: counts.length, vocabulary: size, training_tokens: end, validation_tokens: ids.length - end });
        let loss = Number.NaN;
        while (step < parts) {
          const wish = await run.control(step);
          if (wish === "stop") break;
          if (wish === "checkpoint") {
            await run.saveCheckpoint(step, new Uint8Array(Float64Array.of(step, ...counts).buffer));
            continue;
          }
          if (wish !== "continue") continue;
          await run.stepBegins();
          const from = Math.floor((end * step) / parts);
          step += 1;
          const to = Math.floor((end * step) / parts);
          for (let at = Math.max(from, 1); at < to; at++) counts[ids[at - 1] * size + ids[at]] += 1;
          loss = 0;
          for (let at = end + 1; at < ids.length; at++) {
            const row = counts.subarray(ids[at - 1] * size, (ids[at - 1] + 1) * size);
            loss -= Math.log(row[ids[at]] / row.reduce((sum, count) => sum + count, 0)) / (ids.length - end - 1);
          }
          await run.stepDone(step, parts, to - from);
          await run.recordMetrics(step, { validation_loss: loss });
          await run.stepMade(step);
        }
        const table = new TextEncoder().encode(JSON.stringify({ letters, counts: [...counts] }));
        return { metrics: { validation_loss: loss }, files: [{ path: "counts/counts.json", bytes: table }] };
      },

      /** The likeliest letters one after the other, up to the end of the line. */
      async answer(prompts, files) {
        const { letters, counts } = JSON.parse(new TextDecoder().decode(files[0].bytes));
        return prompts.map((prompt) => {
          let last = letters.indexOf(prompt.trimEnd().at(-1));
          let text = "";
          while (last >= 0 && text.length < 20) {
            const row = counts.slice(last * letters.length, (last + 1) * letters.length);
            last = row.indexOf(Math.max(...row));
            if (letters[last] === "\n") break;
            text += letters[last];
          }
          return text;
        });
      },
    };
  });

  // How many times fewer characters a run hesitates between than guessing does.
  lab.addMetric("sharpness_score", ({ result, text }) =>
    "validation_loss" in result.metrics ? new Set(text).size / Math.exp(result.metrics.validation_loss) : undefined,
    { direction: "more", help: "letters of the text for each that it hesitates between" });

  // The more vowels the better.
  lab.setReward(({ response }) => (response.match(/[aeiou]/g) ?? []).length);
}
