// How far something is: a bar and a line of words.

import { h } from "../dom.js";
import { say } from "../notice.js";

const SAY_EVERY = 15_000;

export class Progress {
  #saidAt = 0;

  constructor(label) {
    this.bar = h("progress", { "aria-label": label });
    this.words = h("p", { class: "progress-words" });
    this.element = h("div", { class: "upload-progress", hidden: true }, this.bar, this.words);
  }

  /** Show `done` of `total`, null where that is not known, and words; now and then they are said too. */
  show(done, total, words) {
    this.element.hidden = false;
    if (total === null) this.bar.removeAttribute("value");
    else Object.assign(this.bar, { max: Math.max(1, total), value: done ?? 0 });
    this.words.textContent = words;
    // A screen reader that hears each step hears nothing else.
    if (Date.now() - this.#saidAt < SAY_EVERY) return;
    this.#saidAt = Date.now();
    say(words);
  }

  hide() {
    this.element.hidden = true;
  }
}
