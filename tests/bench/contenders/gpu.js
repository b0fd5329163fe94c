// Observes a library's use of WebGPU, from outside: the number of dispatches and submissions, and the queues that it
// opened, so a turn ends only when the adapter is idle.

const counts = { dispatches: 0, submissions: 0 };
const queues = [];

export function watchGpu() {
  if (!self.GPUComputePassEncoder) return;
  count(GPUComputePassEncoder.prototype, "dispatchWorkgroups", "dispatches");
  count(GPUComputePassEncoder.prototype, "dispatchWorkgroupsIndirect", "dispatches");
  count(GPUQueue.prototype, "submit", "submissions");
  const requestDevice = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = async function (...args) {
    const device = await requestDevice.apply(this, args);
    queues.push(device.queue);
    return device;
  };
}

function count(prototype, method, counter) {
  const original = prototype[method];
  prototype[method] = function (...args) {
    counts[counter] += 1;
    return original.apply(this, args);
  };
}

export function gpuCounts() {
  return { ...counts };
}

export async function gpuIdle() {
  await Promise.all(queues.map((queue) => queue.onSubmittedWorkDone()));
}
