// Sending many pictures, some at a time, without elements: what came of each, how far it is, pause and stop.

import { Problem } from "../api.js";
import { patiently } from "../task.js";
import { writes } from "../writes.js";

const MOST_FILES = 16;
const MOST_BYTES = 16e6;
const LEAST_BYTES = 5e5;
const FIRST_BYTES = 4e6;
// A service gives up on a request whose body takes half a minute, so a batch is what this connection sends in a few
// seconds.
const SECONDS = 6;

export class BatchSender {
  #name;
  #files;
  #bytes = FIRST_BYTES;
  #stop = new AbortController();
  #resume = null;
  #pause = null;
  #seconds = 0;

  /** `files` are `[{file, path}]`; `onChange()` after each batch, and when it was paused or goes on. */
  constructor(name, files, { onChange, onWait }) {
    this.#name = name;
    this.#files = [...files];
    this.total = files.length;
    this.added = 0;
    this.rejected = [];
    this.onChange = onChange;
    this.onWait = onWait;
  }

  get done() {
    return this.added + this.rejected.length;
  }

  get isPaused() {
    return this.#pause !== null;
  }

  get isStopped() {
    return this.#stop.signal.aborted;
  }

  /** Pictures a second so far, or null. */
  get rate() {
    return this.#seconds > 0.5 ? this.done / this.#seconds : null;
  }

  /** Seconds until all are sent, by the rate; or null. */
  get secondsLeft() {
    return this.rate ? (this.total - this.done) / this.rate : null;
  }

  pause() {
    if (this.isPaused) return;
    this.#pause = new Promise((resolve) => (this.#resume = resolve));
    this.onChange();
  }

  resume() {
    this.#resume?.();
    this.#pause = null;
    this.onChange();
  }

  /** Send nothing more; what was sent stays. */
  stop() {
    this.#stop.abort();
    this.resume();
  }

  /** Send what is left. Raises Problem if a request did not work: to call it again goes on with that batch. */
  async run() {
    while (this.#files.length && !this.isStopped) {
      await this.#pause;
      if (this.isStopped) return;
      const batch = nextBatch(this.#files, this.#bytes);
      const start = performance.now();
      await this.#send(batch);
      const seconds = (performance.now() - start) / 1000;
      this.#seconds += seconds;
      this.#adapt(sizeOf(batch), seconds);
      this.onChange();
    }
  }

  // A batch of small files says little about what is possible, so it makes the next one no smaller.
  #adapt(bytes, seconds) {
    const possible = (SECONDS * bytes) / Math.max(seconds, 0.1);
    if (seconds <= SECONDS && possible < this.#bytes) return;
    this.#bytes = Math.min(MOST_BYTES, Math.max(LEAST_BYTES, possible));
  }

  // Each picture leaves the files with what came of it, so that none counts twice when the rest is sent again.
  async #send(batch) {
    const images = batch.map(({ file }, index) => new File([file], nameOf(index, file), { type: file.type }));
    const changes = batch.map(({ path }, index) => ({ op: "put", key: path, image: images[index].name }));
    // A batch that was begun is waited for also after a stop, so that what came of it is known.
    const work = async () => {
      const answer = await writes.changeItems(this.#name, changes, images);
      for (const { index, problem } of answer.results) this.#note(batch[index].path, problem, images[index].name);
      this.#files.splice(0, batch.length);
    };
    try {
      await patiently(work, { signal: this.#stop.signal, onWait: this.onWait });
    } catch (error) {
      if (this.isStopped) return;
      if (!(error instanceof Problem) || !isOfBatch(error)) throw error;
      // What is wrong with the whole may be the fault of one, so each is tried alone.
      if (batch.length === 1) this.#note(this.#files.shift().path, error, images[0].name);
      else for (const each of batch) if (!this.isStopped) await this.#send([each]);
    }
  }

  #note(path, problem, sentName) {
    if (problem === null) {
      this.added += 1;
      return;
    }
    this.rejected.push({ key: path, code: problem.code, message: problem.detail.replaceAll(sentName, path) });
  }
}

const isOfBatch = ({ status }) => [400, 408, 413, 415, 422].includes(status);
// Each needs a name of its own among those of a request.
const nameOf = (index, file) => `${index}-${file.name.slice(-80)}`;

/** The bytes of files, `[{file, path}]`. */
export const sizeOf = (files) => files.reduce((sum, { file }) => sum + file.size, 0);

// The first files that are together no larger than that; the first one in any case.
function nextBatch(files, bytes) {
  let [count, sum] = [0, 0];
  while (count < Math.min(files.length, MOST_FILES) && (count === 0 || sum + files[count].file.size <= bytes)) {
    sum += files[count].file.size;
    count += 1;
  }
  return files.slice(0, count);
}
