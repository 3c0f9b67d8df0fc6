// Jobs of the service: begun, followed as they go on, cancelled; and what they leave to be read.

import { ROOT, at, blob, brokenOff, call, send } from "../api.js";
import { sleep } from "../task.js";

const AGAIN_SECONDS = 2;
const MOST_SECONDS = 30;
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
 * again; `onWait(problem, seconds)` before that if it broke off. Raises Problem where to try again is no use, or
 * AbortError.
 */
export async function follow(id, { signal, onJob, onWait }) {
  for (let wait = AGAIN_SECONDS; ;) {
    try {
      // Not an EventSource, which sends no key.
      const answer = await send(`${jobAt(id)}/events`, { headers: { Accept: "text/event-stream" }, signal });
      for await (const job of eventsOf(answer.body)) {
        wait = AGAIN_SECONDS;
        onJob(job);
        if (isOver(job)) return;
      }
    } catch (error) {
      signal.throwIfAborted();
      if (!mayPass(error)) throw error;
      wait = Math.min(MOST_SECONDS, 2 * wait);
      onWait(error, wait);
    }
    await sleep(1000 * wait, signal);
  }
}

const mayPass = ({ status }) => status === 0 || status === 429 || status >= 500;

// Server-sent events whose data is one line of JSON, as the service writes them.
async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read().catch((error) => Promise.reject(brokenOff(error)));
    if (done) return;
    rest += value;
    const lines = rest.split(/\r?\n/);
    rest = lines.pop();
    for (const line of lines) if (line.startsWith("data: ")) yield JSON.parse(line.slice("data: ".length));
  }
}
