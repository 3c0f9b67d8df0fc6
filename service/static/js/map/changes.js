// Setting fields of many pictures, some at a time, without elements.

import { patiently } from "../task.js";
import { writes } from "../writes.js";

// As many as the service takes in one request.
const AT_ONCE = 256;
/** Until they are folded into a snapshot, changed pictures are searched one by one. */
export const MOST = 10_000;

/**
 * Set `metadata` of the items with these keys; `onProgress(done)` after each batch. What came of it, also after
 * `signal` was aborted: `{done, failed, reason}`. Raises Problem where a request did not work.
 */
export async function setFields(name, keys, metadata, { signal, onProgress, onWait }) {
  const outcome = { done: 0, failed: 0, reason: null };
  for (let start = 0; start < keys.length && !signal.aborted; start += AT_ONCE) {
    const changes = keys.slice(start, start + AT_ONCE).map((key) => ({ op: "patch", key, metadata }));
    // A batch that was begun is waited for also after a stop, so that what came of it is known.
    const answer = await patiently(() => writes.changeItems(name, changes, []), { signal: new AbortController().signal, onWait });
    for (const { problem } of answer.results) {
      if (problem === null) outcome.done += 1;
      else {
        outcome.failed += 1;
        outcome.reason ??= problem.detail;
      }
    }
    onProgress(outcome.done + outcome.failed);
  }
  return outcome;
}
