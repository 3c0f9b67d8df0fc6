// The answer to a search: the grid, what it hides, and what can be taken away from it.

import { nameOf, resultCard } from "../card.js";
import { openDetails } from "../details.js";
import { button, h, save } from "../dom.js";
import { cosineOf, milliseconds, score, short, stages } from "../format.js";
import { Notice, say } from "../notice.js";
import { t } from "../strings.js";
import { Latest } from "../task.js";
import { toCsv } from "./csv.js";

export class Results {
  #answer = null;
  #minimum = null;
  #pictures = new Latest();
  #explains = true;
  #actions;

  /**
   * `actions`: `linkTo(result)` is the address of the search from it, `votesOf(result, name)` what may be said of it, or
   * null; `onGroup(result)`, `onCompare(result)`, `onWhy(result)`, `onShowAll()`, `onMore()` for the next page,
   * `share()`.
   */
  constructor(actions) {
    this.#actions = actions;
    this.title = h("h2", { tabIndex: -1 });
    this.times = h("p", { class: "hint" });
    this.grid = h("ul", { class: "grid", role: "list" });
    this.weak = h("div", { class: "notice message", hidden: true });
    this.legend = h("p", { class: "hint" }, t.confidence.legend);
    this.end = h("p", { class: "hint end" });
    this.more = button(t.results.more, () => actions.onMore(), { kind: "more" });
    this.moreNotice = new Notice();
    this.save = button(t.results.save, () => this.#save(), { kind: "small", symbol: "save" });
    const copy = button(t.results.link, () => actions.share(), { kind: "small", symbol: "link" });
    this.head = h(
      "div",
      { class: "results-head" },
      this.title,
      h("div", { class: "actions" }, copy, this.save),
      this.times,
    );
    const foot = h("div", { class: "end-row" }, this.moreNotice.element, this.more, this.end);
    this.body = h("div", { hidden: true }, this.head, this.weak, this.legend, this.grid, foot);
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
    this.#explains = explains;
    this.#answer = answer;
    this.grid.replaceChildren(...this.#cards(answer.results, signal));
    this.times.replaceChildren(...timesOf(answer));
    this.#end(answer);
    this.body.hidden = false;
    this.hide(minimum);
    const { results, best_score: best } = answer;
    say(results.length ? t.results.said(results.length, score(best ?? results[0].score)) : noneOf(answer));
  }

  /** Show the next page of the same answer, below what is there. */
  append(page) {
    const hadFocus = document.activeElement === this.more || document.activeElement === document.body;
    const cards = this.#cards(page.results, this.#pictures.signal);
    const { results, best_score: best } = this.#answer;
    this.#answer = { ...page, results: [...results, ...page.results], best_score: best };
    this.grid.append(...cards);
    this.#end(this.#answer);
    this.hide(this.#minimum);
    say(t.results.moreShown(cards.length));
    // Who pressed the button goes on where the new pictures begin.
    if (hadFocus) cards.find((card) => !card.hidden)?.querySelector("a").focus();
  }

  /** Where the next page begins, or null. */
  get cursor() {
    return this.#answer?.next_cursor ?? null;
  }

  #cards(results, signal) {
    const { linkTo, votesOf, onGroup, onCompare, onWhy } = this.#actions;
    const { thresholds, origins } = this.#answer;
    return results.map((result) =>
      resultCard(result, {
        href: linkTo(result),
        threshold: cosineOf(thresholds[result.collection].value),
        origin: origins.length > 1 ? result.collection : null,
        signal,
        votes: votesOf(result, nameOf(result)),
        onGroup: (result.group ?? null) === null ? null : () => onGroup(result),
        onCompare: () => onCompare(result),
        onWhy: this.#explains && (() => onWhy(result)),
        onDetails: () => openDetails(result.collection, result, linkTo(result)),
      }),
    );
  }

  #end(answer) {
    this.legend.hidden = !answer.results.some(({ confidence }) => confidence !== null);
    this.more.hidden = answer.next_cursor === null;
    this.end.textContent = endOf(answer);
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
    const text = isWeak
      ? t.results.nothingAbove(short(minimum), short(best ?? results[0].score))
      : noneOf(this.#answer);
    const showAll = isWeak && button(t.results.showAll, () => this.#actions.onShowAll(), { kind: "small" });
    this.weak.replaceChildren(h("p", {}, text), ...(showAll ? [showAll] : []));
    this.end.hidden = true;
  }

  /** Say how much is hidden, once the slider rests; and let the cards' links carry it. */
  settle() {
    if (!this.#answer) return;
    const { results } = this.#answer;
    for (const [index, card] of [...this.grid.children].entries()) {
      card.querySelector("a").href = this.#actions.linkTo(results[index]);
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
    save(blob, t.results.file(this.#answer.origins.map(({ collection }) => collection).join("-")));
  }
}

function timesOf({ took_ms: took, origins }) {
  const parts = stages(took, ["decode", "encode", "search", "catalogue", "pixels"]);
  return [
    h("span", { class: "times" }, t.results.times(milliseconds(took.total), parts)),
    ...origins.map(({ collection, snapshot, encoder }) =>
      h("span", { class: "origin" }, t.results.snapshot(collection, snapshot, encoder)),
    ),
  ];
}

function titleOf(shown, count) {
  if (count === 0) return t.results.titleNone;
  return shown === count ? t.results.title(count) : t.results.titleShown(shown, count);
}

const noneOf = ({ passing }) => (passing === 0 ? t.results.noneHere : t.results.none);

function endOf({ exhausted, results }) {
  return exhausted && results.length > 0 ? t.results.exhausted(results.length) : "";
}

