// The answer to a search: the grid, what it hides, and what can be taken away from it.

import { resultCard } from "../card.js";
import { openDetails } from "../details.js";
import { button, h, save } from "../dom.js";
import { cosineOf, milliseconds, score, short, stages } from "../format.js";
import { say } from "../notice.js";
import { t } from "../strings.js";
import { Latest } from "../task.js";
import { toCsv } from "./csv.js";

export class Results {
  #answer = null;
  #minimum = null;
  #pictures = new Latest();
  #linkTo;
  #onCompare;
  #onWhy;

  /**
   * `linkTo(key)` is the address of the search from that key; `onCompare(result)`; `onWhy(result)`; `onShowAll()`;
   * `share()`.
   */
  constructor({ linkTo, onCompare, onWhy, onShowAll, share }) {
    this.#linkTo = linkTo;
    this.#onWhy = onWhy;
    this.#onCompare = onCompare;
    this.title = h("h2", { tabIndex: -1 });
    this.times = h("p", { class: "hint" });
    this.grid = h("ul", { class: "grid", role: "list" });
    this.weak = h("div", { class: "notice message", hidden: true });
    this.legend = h("p", { class: "hint" }, t.confidence.legend);
    this.end = h("p", { class: "hint end" });
    this.onShowAll = onShowAll;
    this.save = button(t.results.save, () => this.#save(), { kind: "small", symbol: "save" });
    this.head = h(
      "div",
      { class: "results-head" },
      this.title,
      h("div", { class: "actions" }, button(t.results.link, share, { kind: "small", symbol: "link" }), this.save),
      this.times,
    );
    this.body = h("div", { hidden: true }, this.head, this.weak, this.legend, this.grid, this.end);
    this.element = h("section", { class: "results", "aria-label": t.results.label }, this.body);
  }

  /** Dim what is there while a newer answer is on its way. */
  busy(is) {
    this.element.classList.toggle("stale", is);
    this.element.setAttribute("aria-busy", String(is));
  }

  clear() {
    this.#pictures.stop();
    this.#answer = null;
    this.body.hidden = true;
    this.grid.replaceChildren();
    this.busy(false);
  }

  /** Show an answer, hiding scores below `minimum`; `explains` is whether "Why?" has an answer. */
  render(answer, minimum, { explains = true } = {}) {
    this.busy(false);
    const signal = this.#pictures.start();
    const threshold = cosineOf(answer.threshold.value);
    this.#answer = answer;
    this.grid.replaceChildren(
      ...answer.results.map((result) =>
        resultCard(result, {
          href: this.#linkTo(result.key),
          threshold,
          signal,
          onCompare: () => this.#onCompare(result),
          onWhy: explains && (() => this.#onWhy(result)),
          onDetails: () => openDetails(answer.collection, result, this.#linkTo(result.key)),
        }),
      ),
    );
    this.times.replaceChildren(...timesOf(answer));
    this.legend.hidden = !answer.results.some(({ confidence }) => confidence !== null);
    this.end.textContent = endOf(answer);
    this.body.hidden = false;
    this.hide(minimum);
    const { results, best_score: best } = answer;
    say(results.length ? t.results.said(results.length, score(best ?? results[0].score)) : t.results.none);
  }

  /** Hide what scores below `minimum`; say so if that is everything. */
  hide(minimum) {
    this.#minimum = minimum;
    if (!this.#answer) return;
    const shown = this.shown.length;
    const { results, best_score: best } = this.#answer;
    for (const [index, card] of [...this.grid.children].entries()) card.hidden = !this.#passes(results[index]);
    this.save.disabled = shown === 0;
    this.title.textContent = titleOf(shown, results.length);
    this.weak.hidden = shown > 0;
    this.end.hidden = shown < results.length;
    if (shown > 0) return;
    const isWeak = results.length > 0;
    const text = isWeak ? t.results.nothingAbove(short(minimum), short(best ?? results[0].score)) : t.results.none;
    const showAll = isWeak && button(t.results.showAll, this.onShowAll, { kind: "small" });
    this.weak.replaceChildren(h("p", {}, text), ...(showAll ? [showAll] : []));
    this.end.hidden = true;
  }

  /** Say how much is hidden, once the slider rests; and let the cards' links carry it. */
  settle() {
    if (!this.#answer) return;
    const { results } = this.#answer;
    for (const [index, card] of [...this.grid.children].entries()) {
      card.querySelector("a").href = this.#linkTo(results[index].key);
    }
    const shown = this.shown.length;
    say(shown ? t.results.shown(shown, results.length) : this.weak.firstChild.textContent);
  }

  /** The results that are not hidden. */
  get shown() {
    return this.#answer ? this.#answer.results.filter((result) => this.#passes(result)) : [];
  }

  #passes(result) {
    return this.#minimum === null || result.score >= this.#minimum;
  }

  #save() {
    const blob = new Blob([toCsv(this.shown)], { type: "text/csv;charset=utf-8" });
    save(blob, t.results.file(this.#answer.collection));
  }
}

function timesOf({ took_ms: took, collection, snapshot, encoder }) {
  const parts = stages(took, ["decode", "encode", "search", "catalogue", "pixels"]);
  return [
    h("span", { class: "times" }, t.results.times(milliseconds(took.total), parts)),
    h("span", { class: "origin" }, t.results.snapshot(collection, snapshot, encoder)),
  ];
}

function titleOf(shown, count) {
  if (count === 0) return t.results.titleNone;
  return shown === count ? t.results.title(count) : t.results.titleShown(shown, count);
}

function endOf({ exhausted, results }) {
  return exhausted && results.length > 0 ? t.results.exhausted(results.length) : "";
}

