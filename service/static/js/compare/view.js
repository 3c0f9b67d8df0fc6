// The comparison: two pictures, one answer.

import { api } from "../api.js";
import { button, h } from "../dom.js";
import { score } from "../format.js";
import { Notice, flash, say } from "../notice.js";
import { go } from "../route.js";
import { t } from "../strings.js";
import { Latest, patiently } from "../task.js";
import { remember, sourceOf } from "../uploads.js";
import { CompareOptions } from "./options.js";
import { EncoderTable } from "./table.js";
import { sentence, verdict } from "./verdict.js";
import { Why } from "./why.js";
import { Zone } from "./zone.js";

const SIDES = ["a", "b"];

export class CompareView {
  #latest = new Latest();
  #place = { params: {}, uploads: {} };
  #sources = { a: null, b: null };
  #encoders = [];
  #known = false;
  #pair = null;
  #asked = false;

  constructor() {
    const zone = (label, side) =>
      new Zone(label, { receive: (files) => this.#give(side, files), remove: () => this.#remove(side) });
    this.zones = { a: zone(t.compare.first, "a"), b: zone(t.compare.second, "b") };
    this.options = new CompareOptions(() => this.#goTo(this.options.values));
    this.notice = new Notice();
    this.answer = h("div", { class: "answer-slot" });
    this.why = new Why();
    this.table = new EncoderTable();
    this.all = button(t.compare.all, () => this.#tryAll(), { symbol: "table" });
    this.element = h(
      "div",
      { class: "view compare" },
      h("h1", {}, t.compare.title),
      h("p", { class: "lead" }, t.compare.lead),
      h("div", { class: "zones" }, this.zones.a.element, this.zones.b.element),
      h(
        "div",
        { class: "compare-columns" },
        h("div", { class: "panel" }, this.options.element, this.all),
        h("section", { class: "panel", "aria-label": t.compare.label }, this.notice.element, this.answer),
      ),
      this.why.element,
      this.table.element,
    );
  }

  /** The zones show by themselves where to drop. */
  get overlay() {
    return null;
  }

  title() {
    return t.titles.compare;
  }

  hide() {
    this.#latest.stop();
    this.#known = false;
  }

  /** Pictures that were dropped or pasted: for the zone under them or with the focus, else for the first free one. */
  receive(files, target) {
    const under = SIDES.find((side) => this.zones[side].element.contains(target));
    this.#give(under ?? SIDES.find((side) => !this.#usable(side)) ?? "b", files);
  }

  /** Show what the address asks for, and compare if there are two pictures. */
  async show(place) {
    this.#place = place;
    const { params, uploads } = place;
    this.#sources = {
      a: sourceOf(params.a, params.collection, uploads.a),
      b: sourceOf(params.b, params.collection, uploads.b),
    };
    for (const side of SIDES) this.zones[side].show(this.#sources[side]);
    this.options.set(params);
    const pair = JSON.stringify([params.a, params.b, params.collection, params.size, params.threshold, uploads]);
    if (pair !== this.#pair) this.table.clear();
    this.#pair = pair;
    const isPair = SIDES.every((side) => this.#usable(side));
    this.#allow();
    const signal = this.#latest.start();
    this.#loadEncoders(signal);
    if (isPair) await this.#compare(signal);
    else this.#wait();
  }

  #usable(side) {
    const source = this.#sources[side];
    return source !== null && source.kind !== "gone";
  }

  #allow() {
    this.all.disabled = !this.#encoders.length || !SIDES.every((side) => this.#usable(side));
  }

  #wait() {
    this.notice.clear();
    this.#mark([]);
    this.why.clear();
    this.answer.replaceChildren(h("p", { class: "hint waiting" }, t.compare.waiting));
  }

  async #loadEncoders(signal) {
    if (this.#known) return;
    try {
      const { encoders } = await api.encoders({ signal });
      this.#known = true;
      this.#encoders = encoders.filter(({ installed }) => installed).map(({ name }) => name);
      this.options.setEncoders(this.#encoders, this.options.values.encoder);
      this.#allow();
    } catch (error) {
      // With two pictures the comparison itself meets the same trouble and says so.
      const isPair = SIDES.every((side) => this.#usable(side));
      if (error.name !== "AbortError" && !isPair) this.notice.problem(error, () => this.show(this.#place));
    }
  }

  async #compare(signal) {
    const slow = setTimeout(() => this.notice.busy(t.compare.busy), 250);
    this.answer.classList.add("stale");
    try {
      const onWait = (problem, seconds) => {
        clearTimeout(slow);
        this.notice.wait(problem, seconds);
      };
      const explain = this.#place.params.why ? true : null;
      const work = () => this.#ask(this.options.values.encoder, signal, { explain });
      const answer = await patiently(work, { signal, onWait });
      clearTimeout(slow);
      this.notice.clear();
      this.answer.replaceChildren(this.#verdict(answer));
      this.#mark(answer.differs_at);
      say(t.compare.said(sentence(answer), score(answer.score)));
      this.#explain(answer, signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.answer.replaceChildren();
      this.why.clear();
      this.notice.problem(error, () => this.show(this.#place));
    } finally {
      clearTimeout(slow);
      if (!signal.aborted) this.answer.classList.remove("stale");
    }
  }

  #mark(places) {
    this.zones.a.mark(places.map(({ first }) => first));
    this.zones.b.mark(places.map(({ second }) => second));
  }

  #verdict(answer) {
    const { collection } = this.#place.params;
    const onWhy = () => {
      this.#asked = true;
      this.#goTo({ why: 1 });
    };
    return verdict(answer, { collection, onWhy });
  }

  #explain(answer, signal) {
    if (!answer.parts) {
      this.why.clear();
      return;
    }
    this.why.show(answer, [this.#sources.a, this.#sources.b], signal);
    // Who asked why, here or at a search result, is taken to the answer.
    if (this.#asked || this.#place.fresh) this.why.reveal();
    this.#asked = false;
  }

  #ask(encoder, signal, { explain = null } = {}) {
    const { size, threshold } = this.options.values;
    const { a, b } = this.#sources;
    const ofKey = SIDES.some((side) => this.#sources[side].kind === "key");
    return api.compare(
      {
        image_a: a.file ?? a.key,
        image_b: b.file ?? b.key,
        collection: ofKey ? this.#place.params.collection : null,
        encoder,
        input_size: size,
        threshold,
        explain,
      },
      { signal },
    );
  }

  #tryAll() {
    return this.table.fill(this.#encoders, (encoder, signal) => this.#ask(encoder, signal));
  }

  #give(side, files) {
    const [first, second] = files;
    const other = side === "a" ? "b" : "a";
    const { params, uploads } = this.#place;
    const next = { params: { ...params, [side]: null, why: null }, uploads: { ...uploads, [side]: remember(first) } };
    if (second && !this.#usable(other)) {
      next.params[other] = null;
      next.uploads[other] = remember(second);
    } else if (second) flash(t.drop.first(files.length));
    go("compare", next.params, { uploads: next.uploads });
  }

  #remove(side) {
    const { params, uploads } = this.#place;
    go("compare", { ...params, [side]: null, why: null }, { uploads: { ...uploads, [side]: undefined } });
    this.zones[side].element.focus();
  }

  #goTo(changes) {
    const { params, uploads } = this.#place;
    go("compare", { ...params, ...changes }, { uploads, replace: true });
  }
}
