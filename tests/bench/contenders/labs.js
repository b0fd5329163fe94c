// LLM Labs itself: the class `Bench` of the worker, which `cargo xtask build --bench` builds in.

export async function create(config, weights, backend) {
  const module = await import(new URL(`/site/worker/${backend}/lab_js.js`, location.href).href);
  if (!module.Bench) throw new Error("this site has no benchmark in it: build it with `cargo xtask build --bench`");
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
