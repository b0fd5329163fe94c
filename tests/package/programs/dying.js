// A strategy that ends its worker.

const die = () => {
  setTimeout(() => { throw new Error("the worker was made to die"); });
  return new Promise(() => {});
};

export default function (lab) {
  lab.addStrategy("dying", () => ({
    begin: () => ({ steps: 1, step: die, save: () => new Uint8Array(), restore() {}, generate: () => "", finish: () => ({}) }),
    answer: die,
  }));
}
