// Requests that may be overtaken, and requests that wait for a service that says "later".

import { Problem } from "./api.js";

/** Hands out one signal at a time: to start anew aborts what was under way. */
export class Latest {
  #controller = null;

  start() {
    this.stop();
    this.#controller = new AbortController();
    return this.#controller.signal;
  }

  stop() {
    this.#controller?.abort();
    this.#controller = null;
  }

  /** The signal that was handed out last, or null after a stop. */
  get signal() {
    return this.#controller?.signal ?? null;
  }
}

const STARTING_TRIES = 60;
const DEFAULT_WAIT = 2;

/**
 * The answer of `work`, asked for again once if the service is overloaded, and for as long as it is starting.
 * `onWait(problem, seconds)` is told before each wait. Raises what `work` raises, or AbortError.
 */
export async function patiently(work, { signal, onWait }) {
  let overloaded = 0;
  let starting = 0;
  for (;;) {
    try {
      const answer = await work();
      signal.throwIfAborted();
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      const again =
        error instanceof Problem &&
        ((error.status === 429 && overloaded++ < 1) || (error.code === "starting" && starting++ < STARTING_TRIES));
      if (!again) throw error;
      const wait = Math.max(1, error.retryAfter ?? DEFAULT_WAIT);
      onWait(error, wait);
      await sleep(wait * 1000, signal);
    }
  }
}

/** Wait; raises what the signal was aborted with. */
export function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

/** A function that runs `work` once calls have stopped coming for so many milliseconds. */
export function settled(work, milliseconds) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...values), milliseconds);
  };
}
