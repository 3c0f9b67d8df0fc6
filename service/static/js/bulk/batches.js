// Sending many pictures, some at a time, without elements: what came of each, how far it is, pause and stop.

import { Problem } from "../api.js";
import { patiently } from "../task.js";
import { writes } from "../writes.js";

const MOST_FILES = 16;
const MOST_BYTES = 16e6;

export class BatchSender {
  #name;
  #batches;
  #stop = new AbortController();
  #resume = null;
  #pause = null;
  #seconds = 0;

  /** `files` are `[{file, path}]`; `onChange()` after each batch, and when it was paused or goes on. */
  constructor(name, files, { onChange, onWait }) {
    this.#name = name;
    this.#batches = batchesOf(files);
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
    while (this.#batches.length && !this.isStopped) {
      await this.#pause;
      if (this.isStopped) return;
      const start = performance.now();
      await this.#send(this.#batches[0]);
      this.#batches.shift();
      this.#seconds += (performance.now() - start) / 1000;
      this.onChange();
    }
  }

  async #send(batch) {
    const images = batch.map(({ file }, index) => new File([file], nameOf(index, file), { type: file.type }));
    const changes = batch.map(({ path }, index) => ({ op: "put", key: path, image: images[index].name }));
    // A batch that was begun is waited for also after a stop, so that what came of it is known.
    const work = async () => {
      const answer = await writes.changeItems(this.#name, changes, images);
      for (const { index, problem } of answer.results) this.#note(batch[index].path, problem, images[index].name);
    };
    try {
      await patiently(work, { signal: this.#stop.signal, onWait: this.onWait });
    } catch (error) {
      if (this.isStopped) return;
      if (!(error instanceof Problem) || !isOfBatch(error)) throw error;
      // What is wrong with the whole may be the fault of one, so each is tried alone.
      if (batch.length === 1) this.#note(batch[0].path, error, images[0].name);
      else for (const each of batch) await this.#send([each]);
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

const isOfBatch = ({ status }) => status === 413 || status === 415 || status === 422 || status === 400;
// Each needs a name of its own among those of a request.
const nameOf = (index, file) => `${index}-${file.name.slice(-80)}`;

function batchesOf(files) {
  const batches = [];
  let bytes = Infinity;
  for (const each of files) {
    if (bytes + each.file.size > MOST_BYTES || batches.at(-1).length >= MOST_FILES) {
      batches.push([]);
      bytes = 0;
    }
    batches.at(-1).push(each);
    bytes += each.file.size;
  }
  return batches;
}
