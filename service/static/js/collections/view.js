// What there is to search, and a look inside.

import { button, h } from "../dom.js";
import { emptyState, showReason } from "../empty-state.js";
import { refusePicture } from "../key-only.js";
import { Notice, say } from "../notice.js";
import { go } from "../route.js";
import { collections } from "../store.js";
import { t } from "../strings.js";
import { Latest, patiently } from "../task.js";
import { remember } from "../uploads.js";
import { openCreation } from "./creation.js";
import { CollectionPage } from "./page.js";
import { openRestoration } from "./restoration.js";
import { completeCard, shelfCard } from "./shelf.js";

export class CollectionsView {
  #latest = new Latest();
  #place = null;
  #keyOnly = false;

  constructor() {
    this.notice = new Notice();
    this.list = h("ul", { class: "shelf", role: "list" });
    this.emptyState = emptyState(() => this.show(this.#place));
    this.emptyState.hidden = true;
    this.overview = h(
      "div",
      {},
      h(
        "div",
        { class: "overview-head" },
        h("div", {}, h("h1", {}, t.collections.title), h("p", { class: "lead" }, t.collections.lead)),
        h(
          "div",
          { class: "actions" },
          button(t.collection.create.open, openCreation, { symbol: "more" }),
          button(t.collection.restore.open, openRestoration, { kind: "quiet", symbol: "back" }),
        ),
      ),
      this.list,
      this.emptyState,
    );
    this.page = new CollectionPage();
    this.element = h("div", { class: "view collections" }, this.notice.element, this.overview, this.page.element);
  }

  get overlay() {
    if (this.page.takesFiles) return t.drop.add;
    return this.#keyOnly ? null : t.drop.search;
  }

  /** Whether files are added, rather than searched with. */
  get takesAll() {
    return this.page.takesFiles;
  }

  /** Files to add, with their paths. */
  receiveAll(given) {
    this.page.receive(given);
  }

  /** A picture given here is one to search with, in the collection that one is looking at. */
  receive([file]) {
    if (this.#keyOnly) {
      refusePicture(this.#place.params.name);
      return;
    }
    go("search", { collection: this.#place.params.name }, { uploads: { query: remember(file) } });
  }

  title() {
    return this.#place?.params.name ? t.titles.collection(this.#place.params.name) : t.titles.collections;
  }

  hide() {
    this.#latest.stop();
    this.page.stop();
  }

  /** The list of collections, or the one that the address names. */
  async show(place) {
    this.#place = place;
    const { name } = place.params;
    this.overview.hidden = name !== undefined;
    this.page.element.hidden = name === undefined;
    this.notice.clear();
    this.#keyOnly = false;
    const signal = this.#latest.start();
    try {
      await (name === undefined ? this.#showList(signal) : this.#showOne(place.params, signal));
    } catch (error) {
      if (error.name !== "AbortError") this.notice.problem(error, () => this.show(place));
    }
  }

  #patiently(work, signal) {
    return patiently(work, { signal, onWait: (problem, seconds) => this.notice.wait(problem, seconds) });
  }

  async #showList(signal) {
    if (!this.list.children.length) this.notice.busy(t.collections.busy);
    const list = await this.#patiently(() => collections({ fresh: true, signal }), signal);
    this.notice.clear();
    this.emptyState.hidden = list.length > 0;
    showReason(this.emptyState, list);
    const cards = list.map((each) => shelfCard(each));
    this.list.replaceChildren(...cards);
    if (list.length) say(t.collections.said(list.length));
    // One after the other: with many collections the first ones are complete before one has read their names.
    for (const [index, each] of list.entries()) if (each.ready) await completeCard(each.name, cards[index], signal);
  }

  async #showOne(params, signal) {
    const about = await this.page.show(params, this.#patiently.bind(this), signal);
    this.notice.clear();
    this.#keyOnly = about.picture_problem !== null;
  }
}
