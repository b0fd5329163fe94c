// Browsers.

import type { Hears, Message, Thread } from "../worker.js";
import { files } from "./files.js";
import type { Platform } from "./platform.js";

export const platform: Platform = {
  files,
  base: () => globalThis.location.href,

  async read(address) {
    const response = await fetch(address);
    if (!response.ok) throw new Error(`${address.href} answers with status ${response.status}`);
    return response;
  },

  start(script, hears) {
    const address = ownOrigin(script);
    const worker = new Worker(address, { type: "module", name: "llm-labs" });
    worker.onmessage = ({ data }: MessageEvent<Message>) => hears.message(data);
    worker.onerror = (event) => {
      event.preventDefault();
      hears.broken(event.message ?? "");
    };
    return {
      post: (message) => worker.postMessage(message),
      end() {
        worker.onmessage = worker.onerror = null;
        worker.terminate();
        if (address.startsWith("blob:")) URL.revokeObjectURL(address);
      },
    } satisfies Thread;
  },
};

/** A worker's script must be of the page's own site; of another, as a CDN's, a small script of this site imports it. */
function ownOrigin(script: URL): string {
  const isOwn = script.origin === globalThis.location.origin || ["blob:", "data:"].includes(script.protocol);
  if (isOwn) return script.href;
  const source = `import ${JSON.stringify(script.href)};`;
  return URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
}
