// Finished runs in the browser's own database. Two stores: the list of runs, and their large parts.

const NAME = "llm-labs";

function request(operation) {
  return new Promise((resolve, reject) => {
    operation.onsuccess = () => resolve(operation.result);
    operation.onerror = () => reject(operation.error);
  });
}

async function database() {
  const opening = indexedDB.open(NAME, 1);
  opening.onupgradeneeded = () => {
    opening.result.createObjectStore("runs", { keyPath: "id" });
    opening.result.createObjectStore("parts", { keyPath: "id" });
  };
  return request(opening);
}

// The change is there when the transaction has ended, not when its requests have.
async function change(work) {
  const db = await database();
  try {
    const transaction = db.transaction(["runs", "parts"], "readwrite");
    const done = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
    work(transaction.objectStore("runs"), transaction.objectStore("parts"));
    await done;
  } finally {
    db.close();
  }
}

async function read(store, work) {
  const db = await database();
  try {
    return await request(work(db.transaction(store).objectStore(store)));
  } finally {
    db.close();
  }
}

/** `about`: JSON for the list; `metrics`: its metrics.jsonl; `files`: an array of { path, bytes }. */
export function saveRun(id, about, metrics, files) {
  const size = about.length + metrics.length + files.reduce((sum, { bytes }) => sum + bytes.length, 0);
  return change((runs, parts) => {
    runs.put({ id, about, size });
    parts.put({ id, metrics, files });
  });
}

/** The list of runs: an array of { id, about, size }. */
export function listRuns() {
  return read("runs", (runs) => runs.getAll());
}

/** The large parts of a run: { metrics, files }, or undefined. */
export function loadRun(id) {
  return read("parts", (parts) => parts.get(id));
}

export function removeRuns(ids) {
  return change((runs, parts) => {
    for (const id of ids) {
      runs.delete(id);
      parts.delete(id);
    }
  });
}

/** Whether one of these errors means that no storage space is left. */
export function isFull(error) {
  return error?.name === "QuotaExceededError";
}
