// Before the first picture: where to put it, or what to run if there is nothing to search yet.

import { api } from "../api.js";
import { tile } from "../card.js";
import { h, icon } from "../dom.js";
import { pickers } from "../picture-input.js";
import { pictureProblemOf } from "../key-only.js";
import { emptyState, showReason } from "../empty-state.js";
import { link } from "../route.js";
import { t } from "../strings.js";
import { Latest } from "../task.js";

// Neighbours in a collection are often photos of one thing: every fourth makes a livelier offer.
const SAMPLES = 12;
const EVERY = 4;
const isMac = /Mac|iPhone|iPad/.test(navigator.platform);

export class Start {
  #latest = new Latest();
  #sampled = null;

  /** `receive(files)` for a picture; `again()` looks for collections once more. */
  constructor({ receive, again }) {
    this.notices = h("div", {});
    this.options = h("div", { class: "start-options" });
    this.samples = h("section", { class: "samples", hidden: true });
    this.heading = h("h2", {});
    this.zone = h(
      "div",
      { class: "dropzone" },
      icon("drop"),
      h("p", { class: "dropzone-title wide-only" }, t.start.drop),
      h("p", { class: "dropzone-title hand-only" }, t.start.give),
      h("p", { class: "hint wide-only" }, isMac ? t.start.pasteMac : t.start.paste),
      pickers({ choose: t.start.choose, photograph: t.start.photograph, receive }),
    );
    this.ready = h("div", { hidden: true }, this.zone, this.options, this.samples);
    this.emptyState = emptyState(again);
    this.element = h(
      "section",
      { class: "start", hidden: true },
      h("h1", {}, t.start.title),
      h("p", { class: "lead" }, t.start.lead),
      this.notices,
      this.ready,
      this.emptyState,
    );
  }

  /** Whether it is on screen, without knowing yet what to offer. */
  get isBlank() {
    return !this.element.hidden && this.ready.hidden && this.emptyState.hidden;
  }

  /** Show the start for these collections, with pictures of the `chosen` one to begin from. */
  show(list, chosen, params) {
    const usable = list.some(({ ready }) => ready);
    this.element.hidden = false;
    this.ready.hidden = !usable;
    this.emptyState.hidden = usable;
    this.zone.hidden = pictureProblemOf(list, chosen) !== null;
    this.heading.textContent = this.zone.hidden ? t.start.tryOnly : t.start.try;
    if (usable) this.#fill(chosen, params);
    else showReason(this.emptyState, list);
  }

  hide() {
    this.element.hidden = true;
    this.#latest.stop();
    this.#sampled = null;
  }

  // Pictures to begin from are an offer: if they cannot be had, the start works without them.
  async #fill(collection, params) {
    const wanted = JSON.stringify([collection, params]);
    if (wanted === this.#sampled) return;
    this.#sampled = wanted;
    this.samples.hidden = true;
    const signal = this.#latest.start();
    const page = await api.items(collection, { limit: SAMPLES * EVERY }, { signal }).catch(() => null);
    if (signal.aborted || !page?.items.length) return;
    this.samples.replaceChildren(
      this.heading,
      h(
        "ul",
        { class: "strip", role: "list", "aria-label": t.start.tryFrom(collection) },
        ...spread(page.items).map((row) => {
          const href = link("search", { ...params, collection, key: row.key });
          return h("li", {}, tile(row, href, { signal }));
        }),
      ),
    );
    this.samples.hidden = false;
  }
}

function spread(items) {
  const every = Math.max(1, Math.floor(items.length / SAMPLES));
  return items.filter((_, index) => index % every === 0).slice(0, SAMPLES);
}
