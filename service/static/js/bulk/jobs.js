// Jobs of the service: begun, followed as they go on, cancelled; and what they leave to be read.

import { ROOT, at, blob, call, send } from "../api.js";
import { sleep } from "../task.js";

const AGAIN_MS = 2000;
const jobAt = (id) => `${ROOT}/jobs/${encodeURIComponent(id)}`;

export const isOver = ({ state }) => ["succeeded", "failed", "cancelled"].includes(state);

export const jobs = {
  begin: (collection, fields, options) => call(`${at(collection)}/jobs`, { form: fields, ...options }),
  list: (collection, options) => call(`${at(collection)}/jobs?limit=5`, options),
  cancel: (id, options) => call(jobAt(id), { method: "DELETE", ...options }),
  report: (id, options) => call(`${jobAt(id)}/report`, options),
  reportTable: (id, options) => blob(`${jobAt(id)}/report?format=csv`, options),
};

/**
 * Call `onJob(job)` with a job now and whenever it has gone on, until it is over. A stream that ends before is begun
 * again. Raises Problem if it cannot be had at all, or AbortError.
 */
export async function follow(id, { signal, onJob }) {
  for (let heard = false; ;) {
    try {
      // Not an EventSource, which sends no key.
      const answer = await send(`${jobAt(id)}/events`, { headers: { Accept: "text/event-stream" }, signal });
      for await (const job of eventsOf(answer.body)) {
        heard = true;
        onJob(job);
        if (isOver(job)) return;
      }
    } catch (error) {
      signal.throwIfAborted();
      if (!heard || (error.status > 0 && error.status < 500 && error.status !== 429)) throw error;
    }
    await sleep(AGAIN_MS, signal);
  }
}

// Server-sent events whose data is one line of JSON, as the service writes them.
async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    const lines = rest.split(/\r?\n/);
    rest = lines.pop();
    for (const line of lines) if (line.startsWith("data: ")) yield JSON.parse(line.slice("data: ".length));
  }
}
