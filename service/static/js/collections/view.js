// What there is to search, and a look inside.

import { api } from "../api.js";
import { facts, h } from "../dom.js";
import { bytes, count, date, score, short, thresholdSource } from "../format.js";
import { refusePicture } from "../key-only.js";
import { Notice, say } from "../notice.js";
import { emptyState, showReason } from "../empty-state.js";
import { picture, sized } from "../pictures.js";
import { go, link } from "../route.js";
import { collections } from "../store.js";
import { t } from "../strings.js";
import { Latest, patiently } from "../task.js";
import { remember } from "../uploads.js";
import { Browser } from "./browse.js";

// A card shows a few pictures, not all of the first product.
const COVERS = 4;
const EVERY = 4;

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
      h("h1", {}, t.collections.title),
      h("p", { class: "lead" }, t.collections.lead),
      this.list,
      this.emptyState,
    );
    this.browser = new Browser();
    this.element = h("div", { class: "view collections" }, this.notice.element, this.overview, this.browser.element);
  }

  get overlay() {
    return this.#keyOnly ? null : t.drop.search;
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
    this.browser.stop();
  }

  /** The list of collections, or the pictures of the one that the address names. */
  async show(place) {
    this.#place = place;
    const { name } = place.params;
    this.overview.hidden = name !== undefined;
    this.browser.element.hidden = name === undefined;
    this.notice.clear();
    this.#keyOnly = false;
    const signal = this.#latest.start();
    try {
      await (name === undefined ? this.#showList(signal) : this.#showOne(name, signal));
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
    for (const [index, each] of list.entries()) if (each.ready) await complete(each.name, cards[index], signal);
  }

  async #showOne(name, signal) {
    this.browser.show(name, this.#patiently.bind(this));
    const about = await this.#patiently(() => api.collection(name, { signal }), signal);
    this.notice.clear();
    this.#keyOnly = about.picture_problem !== null;
    this.browser.describe(allFacts(about), about.picture_problem);
  }
}

function shelfCard({ name, ready, count: items, snapshot, encoder, created_at: made, problem, ...rest }) {
  const known = facts([
    [t.collections.encoder, encoder],
    [t.collections.snapshot, snapshot === null ? null : String(snapshot)],
    [t.collections.made, made ? date(made) : null],
  ]);
  const title = h("h2", {}, name);
  const size = h("p", { class: "size" }, items === null ? t.collections.notReady : t.pictures(items));
  if (!ready) {
    const why = problem && h("p", { class: "invalid" }, problem.detail);
    return h("li", { class: "panel shelf-card" }, title, size, why, known);
  }
  const covers = h("div", { class: "covers", "aria-hidden": "true" });
  const open = h("a", { href: link("collections", { name }), class: "cover", "aria-label": t.collections.open(name) });
  const limit = rest.picture_problem && h("p", { class: "invalid" }, t.keyOnly.short);
  return h("li", { class: "panel shelf-card" }, open, covers, title, size, limit, known);
}

// What the list leaves out comes from the collection itself. The card is good without it.
async function complete(name, card, signal) {
  if (signal.aborted) return;
  const [about, page] = await Promise.allSettled([
    api.collection(name, { signal }),
    api.items(name, { limit: COVERS * EVERY }, { signal }),
  ]);
  if (signal.aborted) return;
  if (about.value) card.querySelector(".facts").replaceWith(facts(briefFacts(about.value)));
  const rows = (page.value?.items ?? []).filter((_, index) => index % EVERY === 0);
  const covers = rows.map((row) => picture(sized(row.thumbnail_url, 96), "", { signal }));
  card.querySelector(".covers").replaceChildren(...covers);
}

function briefFacts(about) {
  const source = thresholdSource(about.threshold, about.name);
  return [
    [t.collections.encoder, about.encoder.name],
    [t.collections.snapshot, String(about.snapshot)],
    [t.collections.made, date(about.created_at)],
    [t.collections.recall, recallOf(about.recall)],
    [t.collections.threshold, t.collections.thresholdIs(short(about.threshold.value), source)],
    [t.collections.calibration, calibrationOf(about)],
  ];
}

function allFacts(about) {
  const { encoder, plan = [] } = about;
  const sentence = t.collections.encoderIs(encoder.name, encoder.backbone, encoder.fusion, encoder.input_size);
  return [
    [t.details.size, t.pictures(about.count)],
    ...briefFacts(about).map((pair) => (pair[0] === t.collections.encoder ? [pair[0], sentence] : pair)),
    [t.collections.index, [...(plan.length ? plan : [about.engine]), bytes(about.bytes)].join("; ")],
    [t.collections.source, about.source?.location ?? null],
  ];
}

function calibrationOf({ name, calibration }) {
  if (!calibration) return h("span", {}, t.collections.calibrationNone, h("code", {}, t.collections.calibrate(name)));
  const { precision, recall, positives, negatives } = calibration;
  return t.collections.calibrationIs(short(precision), short(recall), positives + negatives, positives);
}

function recallOf(recall) {
  if (!recall) return t.collections.recallNone;
  const { k, value, low, high, queries } = recall;
  return t.collections.recallIs(k, score(value), score(low), score(high), count(queries));
}
