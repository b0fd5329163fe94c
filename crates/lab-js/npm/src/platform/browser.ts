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

  start: (script, hears) => browserThread(ownOrigin(script), hears),
};

/** A browser's worker. */
export function browserThread({ href, protocol }: URL, hears: Hears): Thread {
  const worker = new Worker(href, { type: "module", name: "llm-labs" });
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
      if (protocol === "blob:") URL.revokeObjectURL(href);
    },
  };
}

/** A worker's script must be of the page's own site; of another, as a CDN's, a small script of this site imports it. */
function ownOrigin(script: URL): URL {
  const isOwn = script.origin === globalThis.location.origin || ["blob:", "data:"].includes(script.protocol);
  if (isOwn) return script;
  const source = `import ${JSON.stringify(script.href)};`;
  return new URL(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
}
