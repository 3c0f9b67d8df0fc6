// The search: from a picture to its neighbours.

import * as geometry from "../geometry.js";
import { api, blob, imageOf } from "../api.js";
import { h } from "../dom.js";
import { KeyOnlyBanner, pictureProblemOf, refusePicture } from "../key-only.js";
import { Notice, flash } from "../notice.js";
import { go, link, note } from "../route.js";
import { collections, usual } from "../store.js";
import { t } from "../strings.js";
import { Latest, patiently } from "../task.js";
import { remember, sourceOf } from "../uploads.js";
import { uniform } from "./answer.js";
import { Options, optionsOf } from "./options.js";
import { QueryPanel } from "./query.js";
import { OF_COLLECTION, Refinements } from "./refinements.js";
import { Results } from "./results.js";
import { share } from "./share.js";
import { Start } from "./start.js";

export class SearchView {
  #latest = new Latest();
  #place = null;
  #source = null;
  #keyOnly = false;
  #form = null;
  #onTitle;

  /** `onTitle()` when `title()` has changed after `show`. */
  constructor({ onTitle }) {
    this.#onTitle = onTitle;
    const receive = (files) => this.receive(files);
    this.notice = new Notice();
    this.banner = new KeyOnlyBanner();
    this.options = new Options({
      onChange: () => this.#optionsChanged(),
      onMinimum: (minimum, final) => this.#minimumChanged(minimum, final),
    });
    this.refinements = new Refinements({
      onChange: (params, isStep) => this.#goTo(params, { replace: !isStep }),
    });
    this.query = new QueryPanel({
      onBox: (box) => this.#goTo({ box: geometry.format(box) }, { replace: true }),
      onName: (name) => this.#name(name),
      receive,
    });
    this.start = new Start({ receive, again: () => this.show(this.#place, { again: true }) });
    this.results = new Results({
      linkTo: (result) => link("search", this.#settingsFrom(result)),
      votesOf: (result, name) => (this.#isSeveral ? null : this.refinements.feedback.of(result, name)),
      onGroup: (result) => this.#goTo(this.refinements.paramsOfGroup(result)),
      onCompare: (result) => this.#compare(result),
      onWhy: (result) => this.#compare(result, { why: 1 }),
      onShowAll: () => this.#showAll(),
      onMore: () => this.#more(),
      share: () => share(this.#source?.kind === "key"),
    });
    this.panel = h("aside", { class: "side" }, this.query.element, this.refinements.feedback.element);
    this.main = h("div", { class: "content" }, this.refinements.element, this.notice.element, this.results.element);
    this.columns = h("div", { class: "columns" }, this.panel, this.main);
    this.element = h("div", { class: "view search" }, this.start.element, this.columns);
  }

  get overlay() {
    return this.#keyOnly ? null : t.drop.search;
  }

  title() {
    return this.#source?.name ? t.titles.searchFor(this.#source.name) : t.titles.search;
  }

  hide() {
    this.#latest.stop();
    this.start.hide();
  }

  /** A picture that was dropped, pasted, chosen or taken. */
  receive(files) {
    if (this.#keyOnly) {
      refusePicture(this.options.values.collection);
      return;
    }
    if (files.length > 1) flash(t.drop.first(files.length));
    go("search", this.#settings(), { uploads: { query: remember(files[0]) } });
  }

  /** Show what the address asks for. */
  async show(place, { again = false } = {}) {
    this.#place = place;
    const { params, uploads } = place;
    const options = optionsOf(params);
    this.#source = sourceOf(params.key, params.collection, uploads.query);
    this.options.set(options);
    this.refinements.set(params);
    this.#arrange();
    const signal = this.#latest.start();
    const list = await this.#collections(signal, again || this.#source === null);
    if (list === null) return;
    const collection = options.collection ?? usual(list);
    this.options.setCollections(list, collection, options.also);
    if (this.#source?.kind === "key") this.#source.collection = collection;
    this.#limit(pictureProblemOf(list, collection));
    if (!this.#isStart) this.refinements.describe(collection);
    if (this.#isStart) this.#showStart(list, collection, again);
    else if (this.#keyOnly && (this.#source.kind === "file" || params.box)) this.#showUnsearched();
    else await this.#search(signal);
  }

  // Where a collection takes no pictures, the page says why, and offers none of the ways to give one.
  #limit(problem) {
    this.#keyOnly = problem !== null;
    this.banner.show(problem);
    this.query.setKeyOnly(this.#keyOnly);
  }

  #showUnsearched() {
    this.query.show(this.#source, geometry.parse(this.#place.params.box));
    this.results.clear();
  }

  get #isSeveral() {
    return this.options.values.also.length > 0;
  }

  get #isStart() {
    return this.#source === null || this.#source.kind === "gone";
  }

  // Who pressed Enter on a result goes on at the head of the new ones, not at the top of the page.
  #keepFocus() {
    if (!this.#place.fresh || document.activeElement !== document.body) return;
    this.results.title.focus({ preventScroll: true });
  }

  #arrange() {
    const isStart = this.#isStart;
    if (isStart) {
      this.start.element.hidden = false;
      this.results.clear();
      this.start.notices.append(this.banner.element, this.notice.element);
      place(this.options.element, this.start.options);
      this.options.setThreshold(null);
    } else {
      this.start.hide();
      this.refinements.element.after(this.banner.element, this.notice.element);
      place(this.options.element, this.panel);
    }
    this.columns.hidden = isStart;
  }

  async #collections(signal, fresh) {
    const slow = setTimeout(() => this.start.isBlank && this.notice.busy(t.collections.busy), 300);
    try {
      const onWait = (problem, seconds) => this.notice.wait(problem, seconds);
      const list = await patiently(() => collections({ fresh, signal }), { signal, onWait });
      this.notice.clear();
      return list;
    } catch (error) {
      if (error.name === "AbortError") return null;
      this.#failed(error, () => this.show(this.#place, { again: true }));
      return null;
    } finally {
      clearTimeout(slow);
    }
  }

  #showStart(list, collection, again) {
    this.start.show(list, collection, { k: this.#place.params.k });
    if (this.#source?.kind === "gone") this.notice.message(t.query.gone);
    else if (again && !list.length) flash(t.empty.still);
  }

  async #search(signal) {
    const source = this.#source;
    const { collection, also, k, minimum, copies } = this.options.values;
    const isSeveral = this.#isSeveral;
    const box = geometry.parse(this.#place.params.box);
    this.query.show(source, box);
    source.name = this.query.name.textContent;
    this.#onTitle();
    this.results.busy(true);
    this.notice.clear();
    const slow = setTimeout(() => this.notice.busy(t.results.busy), 250);
    try {
      const picked = { key: source.key, image: source.file, box: geometry.format(box) };
      // With several collections the one is named that has the picture.
      const where = isSeveral
        ? { collections: [collection, ...also].join(","), collection: source.key ? collection : null }
        : { collection };
      const form = { ...where, k, tiers: copies || null, ...picked, ...this.refinements.form({ isSeveral }) };
      const onWait = (problem, seconds) => {
        clearTimeout(slow);
        this.notice.wait(problem, seconds);
      };
      const answer = uniform(await patiently(() => api.search(form, { signal }), { signal, onWait }));
      clearTimeout(slow);
      this.notice.clear();
      this.#form = form;
      this.query.setSize(answer.query);
      this.refinements.bar.setPassing(answer.passing);
      this.options.setThreshold(answer.threshold, answer.collection);
      this.results.render(answer, minimum, { explains: !this.#keyOnly });
      this.#keepFocus();
    } catch (error) {
      if (error.name !== "AbortError") this.#failed(error, () => this.show(this.#place));
    } finally {
      clearTimeout(slow);
    }
  }

  async #more() {
    const signal = this.#latest.start();
    const { moreNotice, cursor } = this.results;
    this.results.more.hidden = true;
    moreNotice.busy(t.results.moreBusy);
    try {
      const onWait = (problem, seconds) => moreNotice.wait(problem, seconds);
      const page = await patiently(() => api.search({ ...this.#form, cursor }, { signal }), { signal, onWait });
      moreNotice.clear();
      this.results.append(uniform(page));
    } catch (error) {
      // A page belongs to one state of the collection: after a change of it the search begins anew.
      if (error.name !== "AbortError") moreNotice.problem(error, () => this.show(this.#place));
    }
  }

  // The title of an item arrives by itself, before the answer or after it.
  #name(title) {
    if (this.#source?.kind !== "key") return;
    this.#source.name = title;
    this.#onTitle();
  }

  #failed(error, again) {
    this.results.clear();
    this.notice.problem(error, again);
  }

  // What of the address stays when the picture changes.
  #settings() {
    const { collection, also, k, minimum, copies } = this.options.values;
    // Until the collections are known, the address alone knows which one is meant.
    const named = collection || this.#place.params.collection;
    const options = { collection: named, also: also.join(","), k, min: minimum, copies: copies ? 1 : null };
    return { ...options, ...this.refinements.params };
  }

  // The search from a result goes on in all the collections, beginning with its own.
  #settingsFrom({ collection, key }) {
    const { collection: home, also } = this.options.values;
    const others = [home, ...also].filter((name) => name !== collection);
    return { ...this.#settings(), collection, also: others.join(","), key };
  }

  #goTo(changes, how) {
    const { params, uploads } = this.#place;
    go("search", { ...params, ...this.#settings(), ...changes }, { uploads, ...how });
  }

  async #optionsChanged() {
    const { collection } = this.options.values;
    const before = this.#place.params.collection ?? this.refinements.collection ?? collection;
    const isOther = collection !== before;
    if (this.#source?.kind !== "key" || this.#source.collection === collection) {
      this.#goTo(isOther ? OF_COLLECTION : {}, { replace: true });
      return;
    }
    await this.#takeAlong(this.#source);
  }

  // A key means nothing in another collection, so the picture itself goes there.
  async #takeAlong(source) {
    this.results.busy(true);
    try {
      const query = await this.#keep(source);
      const params = { ...this.#settings(), ...OF_COLLECTION, box: this.#place.params.box };
      go("search", params, { uploads: { query } });
    } catch (error) {
      if (error.name !== "AbortError") this.#failed(error, () => this.#takeAlong(source));
    }
  }

  /** The number of a source as a picture of this page, fetched if it is an item. */
  async #keep({ kind, id, collection, key }) {
    if (kind === "file") return id;
    const data = await blob(imageOf(collection, key), { signal: this.#latest.start() });
    return remember(new File([data], key, { type: data.type }));
  }

  #minimumChanged(minimum, final) {
    this.results.hide(minimum);
    if (!final) return;
    this.results.settle();
    if (!this.#isStart) note({ ...this.#settings() });
  }

  #showAll() {
    this.options.set({ ...this.options.values, minimum: null });
    this.#minimumChanged(null, true);
  }

  async #compare(result, { why = null } = {}) {
    const { collection, key: b } = result;
    const source = this.#source;
    if (this.#place.params.box) flash(t.compare.whole);
    try {
      const isHere = source.kind === "key" && source.collection === collection;
      const uploads = isHere ? {} : { a: await this.#keep(source) };
      go("compare", { collection, a: isHere ? source.key : null, b, why }, { uploads });
    } catch (error) {
      if (error.name !== "AbortError") this.notice.problem(error, () => this.#compare(result, { why }));
    }
  }
}

// What is moved loses the focus, so what is there already stays.
function place(element, parent) {
  if (element.parentElement !== parent) parent.append(element);
}
