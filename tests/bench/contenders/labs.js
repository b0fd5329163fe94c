// LLM Labs itself: the class `Bench` that the built worker exports, as the site ships it.

export async function create(config, weights, backend) {
  const module = await import(new URL(`/site/worker/${backend}/lab_js.js`, location.href).href);
  await module.default();
  const bench = await module.Bench.create(
    JSON.stringify(config),
    weights.map((w) => w.name),
    weights.map((w) => w.values),
  );
  return {
    threads: backend === "cpu" ? 1 : null,
    step: (x, y) => bench.step(x, y),
  };
}
