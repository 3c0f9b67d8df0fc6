// The review of duplicates of one collection: from the group that frees the most to the one that frees the least.

import { api } from "../api.js";
import { emptyState, showReason } from "../empty-state.js";
import { h } from "../dom.js";
import { bytes, date } from "../format.js";
import { Notice, flash, say } from "../notice.js";
import { go } from "../route.js";
import { collections, usual } from "../store.js";
import { t } from "../strings.js";
import { Latest, patiently } from "../task.js";
import { remember } from "../uploads.js";
import { Desk } from "./desk.js";
import { noneFound, notSearched } from "./nothing.js";

const PAGE = 100;

export class DuplicatesView {
  #latest = new Latest();
  #place = null;
  #name = null;
  #pictures = 0;

  constructor() {
    this.notice = new Notice();
    this.collection = h("select", {
      id: "duplicates-of",
      on: { change: () => go("duplicates", { name: this.collection.value }) },
    });
    this.field = h(
      "div",
      { class: "field", hidden: true },
      h("label", { htmlFor: "duplicates-of" }, t.options.collection),
      this.collection,
    );
    this.about = h("p", { class: "hint" });
    this.outdated = h("p", { class: "notice outdated", hidden: true });
    this.desk = new Desk((isEmpty) => this.#showNone(isEmpty));
    this.nothing = h("div", { class: "panel nothing", hidden: true });
    this.empty = emptyState(() => this.show(this.#place));
    this.heading = h("h1", {}, t.titles.duplicates);
    const head = h("div", {}, this.heading, this.about);
    this.element = h(
      "div",
      { class: "view duplicates" },
      h("div", { class: "duplicates-head" }, head, this.field),
      this.notice.element,
      this.outdated,
      this.nothing,
      this.empty,
      this.desk.element,
    );
  }

  get overlay() {
    return t.drop.search;
  }

  /** A picture given here is one to search with, in the collection that one is looking at. */
  receive([file]) {
    go("search", { collection: this.#name }, { uploads: { query: remember(file) } });
  }

  title() {
    return this.#name ? t.titles.duplicatesOf(this.#name) : t.titles.duplicates;
  }

  hide() {
    this.#latest.stop();
    this.desk.close();
  }

  /** The review of the collection that the address names, or of the usual one. */
  async show(place) {
    this.#place = place;
    this.#name = place.params.name ?? null;
    this.heading.textContent = this.title();
    this.desk.open();
    this.#clear();
    const signal = this.#latest.start();
    try {
      const list = await this.#patiently(() => collections({ signal }), signal);
      const ready = list.filter((each) => each.ready).map((each) => each.name);
      this.empty.hidden = ready.length > 0;
      showReason(this.empty, list);
      if (!ready.length) this.notice.clear();
      else if (this.#name === null) go("duplicates", { name: usual(list) }, { replace: true });
      else await this.#load(this.#offer(ready), signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.notice.clear();
      if (error.code === "duplicates-not-searched") this.#showNotSearched();
      // A page after the first of a report that was replaced meanwhile.
      else if (error.code === "field-invalid" && this.desk.count > 0) this.#startOver();
      else this.notice.problem(error, () => this.show(place));
    }
  }

  #startOver() {
    flash(t.duplicates.replaced);
    this.show(this.#place);
  }

  #clear() {
    this.notice.clear();
    this.desk.clear();
    this.about.textContent = "";
    for (const each of [this.nothing, this.outdated, this.empty]) each.hidden = true;
  }

  #patiently(work, signal) {
    return patiently(work, { signal, onWait: (problem, seconds) => this.notice.wait(problem, seconds) });
  }

  // The collections to choose from, and the one that is shown, which may not be among them.
  #offer(ready) {
    const names = ready.includes(this.#name) ? ready : [this.#name, ...ready];
    this.collection.replaceChildren(...names.map((each) => h("option", { value: each }, each)));
    this.collection.value = this.#name;
    this.field.hidden = names.length < 2;
    return this.#name;
  }

  async #load(name, signal) {
    const first = this.#place.params.group ?? null;
    let cursor = null;
    this.notice.busy(t.duplicates.busy);
    do {
      const page = await this.#patiently(() => api.duplicates(name, { limit: PAGE, cursor }, { signal }), signal);
      if (cursor === null) this.#begin(name, page);
      cursor = page.next_cursor;
      this.desk.add(page.groups, { isWhole: cursor === null, first });
      if (cursor === null) this.notice.clear();
      else this.notice.busy(t.duplicates.loading(this.desk.count, page.totals.groups));
    } while (cursor !== null);
  }

  #begin(name, page) {
    const { drop, freed_bytes: freed } = page.totals;
    const [searched, copies] = [t.pictures(page.pictures), t.pictures(drop)];
    this.#pictures = page.pictures;
    this.about.textContent = t.duplicates.about(searched, copies, bytes(freed), date(page.created_at));
    this.outdated.hidden = !page.outdated;
    this.outdated.textContent = t.duplicates.outdated(page.left_out, t.duplicates.command(name));
    this.desk.begin(name, page);
  }

  #showNotSearched() {
    this.nothing.replaceChildren(...notSearched(this.#name, () => this.show(this.#place)));
    this.nothing.hidden = false;
    say(t.duplicates.notSearched(this.#name));
  }

  #showNone(isNone) {
    if (isNone && this.nothing.hidden) {
      this.nothing.replaceChildren(...noneFound(this.#name, this.#pictures));
      say(t.duplicates.none);
    }
    this.nothing.hidden = !isNone;
  }
}
