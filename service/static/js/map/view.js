// The map of one collection: its pictures in two dimensions, coloured by a field, and what is selected of them.

import { Problem, api, imageOf, thumbnailOf } from "../api.js";
import { openDetails } from "../details.js";
import { button, h } from "../dom.js";
import { emptyState, showReason } from "../empty-state.js";
import { date } from "../format.js";
import { Notice, flash, say } from "../notice.js";
import { go, link } from "../route.js";
import { collections, usual } from "../store.js";
import { t } from "../strings.js";
import { Latest, patiently, settled } from "../task.js";
import { remember } from "../uploads.js";
import { COLOURS } from "./colours.js";
import { Legend } from "./legend.js";
import { makeMap, noMap } from "./making.js";
import { Points } from "./points.js";
import { Selection } from "./selection.js";
import { Stage } from "./stage.js";

// What is most likely what somebody wants to see first.
const USUAL_FIELDS = ["label", "cluster", "tags", "category"];
const NO_FIELD = "-";

export class MapView {
  #latest = new Latest();
  #making = new Latest();
  #place = null;
  #name = null;
  #shown = null;
  #points = null;
  #selected = [];

  constructor() {
    this.notice = new Notice();
    this.newer = new Notice();
    this.collection = select("map-of", () => go("map", { name: this.collection.value }));
    this.field = select("map-field", () => go("map", { name: this.#name, field: this.field.value }, { replace: true }));
    this.about = h("p", { class: "hint" });
    this.heading = h("h1", {}, t.titles.map);
    this.stage = new Stage({
      pick: (index) => this.#open(index),
      select: (indices, isAdded) => this.#select(isAdded ? [...new Set([...this.#selected, ...indices])] : indices),
      clear: () => this.#select([]),
    });
    this.legend = new Legend({ onGroup: (group) => this.#selectGroup(group) });
    const onChanged = settled(() => this.#reload(), 400);
    this.selection = new Selection({ onClear: () => this.#select([]), onChanged });
    this.nothing = h("div", { class: "panel nothing", hidden: true });
    this.empty = emptyState(() => this.show(this.#place));
    this.columns = h(
      "div",
      { class: "map-columns", hidden: true },
      this.stage.element,
      h("div", { class: "map-side" }, this.selection.element, this.legend.element),
    );
    this.element = h(
      "div",
      { class: "view map" },
      h(
        "div",
        { class: "duplicates-head" },
        h("div", {}, this.heading, this.about),
        h("div", { class: "map-choices" }, this.collection.holder, this.field.holder),
      ),
      this.notice.element,
      this.newer.element,
      this.nothing,
      this.empty,
      this.columns,
      this.selection.listElement,
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
    return this.#name ? t.titles.mapOf(this.#name) : t.titles.map;
  }

  hide() {
    this.#latest.stop();
    this.#making.stop();
    this.selection.stop();
  }

  /** The map of the collection that the address names, or of the usual one. */
  async show(place) {
    this.#place = place;
    this.#name = place.params.name ?? null;
    this.heading.textContent = this.title();
    if (this.#name !== this.#shown) this.#clear();
    const signal = this.#latest.start();
    try {
      const list = await this.#patiently(() => collections({ signal }), signal);
      const ready = list.filter((each) => each.ready).map((each) => each.name);
      this.empty.hidden = ready.length > 0;
      showReason(this.empty, list);
      if (!ready.length) this.notice.clear();
      else if (this.#name === null) go("map", { name: usual(list) }, { replace: true });
      else await this.#load(ready, signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.notice.clear();
      if (["map-not-made", "map-unusable"].includes(error.code)) this.#showNone(error);
      else this.notice.problem(error, () => this.show(place));
    }
  }

  #clear() {
    this.#shown = null;
    this.#points = null;
    this.#selected = [];
    this.notice.clear();
    this.newer.clear();
    this.about.textContent = "";
    this.selection.show([]);
    for (const each of [this.nothing, this.empty, this.columns]) each.hidden = true;
  }

  #patiently(work, signal) {
    return patiently(work, { signal, onWait: (problem, seconds) => this.notice.wait(problem, seconds) });
  }

  async #load(ready, signal) {
    const name = this.#name;
    const names = ready.includes(name) ? ready : [name, ...ready];
    offer(this.collection, names.map((each) => [each, each]), name);
    this.collection.holder.hidden = names.length < 2;
    if (this.#points === null) this.notice.busy(t.map.busy);
    const about = await this.#patiently(() => api.collection(name, { signal }), signal);
    const fields = [...(about.columns ?? []).map((column) => column.name), "product_id", "format"];
    const wanted = this.#place.params.field ?? USUAL_FIELDS.find((each) => fields.includes(each)) ?? NO_FIELD;
    offer(this.field, [[NO_FIELD, t.map.noField], ...fields.map((each) => [each, each])], wanted);
    const query = { field: wanted === NO_FIELD ? null : wanted, groups: COLOURS.length };
    const answer = await this.#patiently(() => api.map(name, query, { signal }), signal);
    this.notice.clear();
    this.selection.open(name, about.columns ?? []);
    this.#show(answer);
  }

  // The same map anew, after a change of its pictures: the window and the selection stay.
  #reload() {
    return this.show(this.#place);
  }

  #show(answer) {
    const same = this.#shown === answer.collection;
    const keys = this.#selected.map((index) => this.#points.keys[index]);
    this.#points = new Points(answer);
    this.#shown = answer.collection;
    this.columns.hidden = this.field.holder.hidden = false;
    this.nothing.hidden = true;
    this.about.textContent =
      answer.items > this.#points.count
        ? t.map.part(this.#points.count, answer.items)
        : t.map.about(answer.items, date(answer.created_at));
    this.#tellNewer(answer);
    this.legend.show(answer);
    this.stage.show(this.#points, answer.values.length, { name: answer.collection, same });
    const index = new Map(this.#points.keys.map((key, at) => [key, at]));
    this.#selected = keys.filter((key) => index.has(key)).map((key) => index.get(key));
    this.stage.mark(this.#selected);
    if (!same) say(this.about.textContent);
  }

  #tellNewer({ placed, missing }) {
    this.newer.clear();
    if (!placed && !missing) return;
    this.newer.message(t.map.newer(placed, missing), button(t.map.again, () => this.#make(), { kind: "small" }));
  }

  #showNone({ code }) {
    const isUnusable = code === "map-unusable";
    this.#clear();
    this.field.holder.hidden = true;
    this.nothing.replaceChildren(...noMap(this.#name, { isUnusable, make: () => this.#make() }));
    this.nothing.hidden = false;
    say(isUnusable ? t.map.unusable(this.#name) : t.map.none(this.#name));
  }

  async #make() {
    const signal = this.#making.start();
    this.newer.clear();
    try {
      const job = await makeMap(this.#name, this.notice, signal);
      if (job.state !== "succeeded") throw new Problem({ errors: [], ...job.problem });
      this.notice.clear();
      this.#shown = null;
      this.#select([]);
      await this.show(this.#place);
      flash(t.map.made);
    } catch (error) {
      if (error.name !== "AbortError") this.notice.problem(error, () => this.#make());
    }
  }

  #select(indices) {
    this.#selected = indices;
    this.legend.mark(null);
    if (this.#points === null) return;
    this.stage.mark(indices);
    this.selection.show(indices.map((index) => this.#points.keys[index]));
  }

  #selectGroup(group) {
    this.#select(this.#points.ofGroup(group));
    this.legend.mark(group);
  }

  #open(index) {
    const key = this.#points.keys[index];
    const row = { key, thumbnail_url: thumbnailOf(this.#name, key), image_url: imageOf(this.#name, key) };
    openDetails(this.#name, row, link("search", { collection: this.#name, key }));
  }
}

// A list to choose from with its label, in `holder`.
function select(id, onChange) {
  const label = id === "map-of" ? t.options.collection : t.map.colourBy;
  const element = h("select", { id, on: { change: onChange } });
  element.holder = h("div", { class: "field" }, h("label", { htmlFor: id }, label), element);
  return element;
}

function offer(element, options, value) {
  const known = options.some(([each]) => each === value) ? options : [...options, [value, value]];
  element.replaceChildren(...known.map(([each, words]) => h("option", { value: each }, words)));
  element.value = value;
}
