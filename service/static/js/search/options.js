// What to search and how much to show: collection, number of results, and the score below which results are hidden.

import { field, h } from "../dom.js";
import { cosineOf, short, thresholdMeaning, thresholdSource } from "../format.js";
import { t } from "../strings.js";
import { Others, othersOf } from "./others.js";

const DEFAULT_K = 20;

export class Options {
  #onChange;
  #onMinimum;

  /** `onChange()` when the search must be done anew; `onMinimum(value or null, final)` when only hiding changes. */
  constructor({ onChange, onMinimum }) {
    this.#onChange = onChange;
    this.#onMinimum = onMinimum;
    this.collection = h("select", { on: { change: () => this.#onChange() } });
    this.others = new Others({ onChange: () => this.#onChange() });
    this.k = h("input", { type: "number", min: "1", max: "1000", step: "1", inputMode: "numeric" });
    this.k.addEventListener("change", () => this.#checked());
    this.minimum = h("input", { type: "range", min: "0", max: "1", step: "0.01", value: "0" });
    this.minimum.addEventListener("input", () => this.#hid(false));
    this.minimum.addEventListener("change", () => this.#hid(true));
    this.copies = h("input", { type: "checkbox", class: "switch", on: { change: () => this.#onChange() } });
    this.output = h("output", { htmlFor: "minimum" });
    this.mark = h("span", { class: "mark", hidden: true });
    this.element = h(
      "form",
      { class: "options", "aria-label": t.options.label, on: { submit: (event) => event.preventDefault() } },
      field(t.options.collection, this.collection, { id: "collection" }),
      field(t.options.k, this.k, { id: "k" }),
      this.others.element,
      this.#more(),
    );
  }

  // Beside the results there is room for it; above them, on a small screen, it would push them away.
  #more() {
    const isWide = matchMedia("(min-width: 56.01rem)");
    const more = h("details", {}, h("summary", {}, t.options.more), this.#slider(), this.#switch());
    const adapt = () => (more.open = isWide.matches);
    isWide.addEventListener("change", adapt);
    adapt();
    return h("div", { class: "more-options" }, more);
  }

  #switch() {
    this.copies.id = "copies";
    this.copies.setAttribute("aria-describedby", "copies-hint");
    return h(
      "div",
      { class: "field copies" },
      h("label", { htmlFor: "copies" }, t.options.copies, this.copies),
      h("p", { class: "hint", id: "copies-hint" }, t.options.copiesHelp),
    );
  }

  #slider() {
    this.minimum.id = "minimum";
    this.minimum.setAttribute("aria-describedby", "minimum-hint");
    this.hint = h("p", { class: "hint", id: "minimum-hint" });
    return h(
      "div",
      { class: "field slider" },
      h("div", { class: "label-row" }, h("label", { htmlFor: "minimum" }, t.options.minimum), this.output),
      h("div", { class: "track" }, this.mark, this.minimum),
      this.hint,
    );
  }

  /**
   * Fill the choosers; a name that is not in the list stays choosable, so that the service can say what is wrong. `also`
   * are the collections that are searched too.
   */
  setCollections(list, chosen, also) {
    this.others.offer(list, chosen, also);
    const rows = list.map(({ name, ready, count, picture_problem: problem }) => {
      const label = ready ? t.options.collectionCount(name, count) : t.options.collectionNotReady(name);
      return h("option", { value: name }, problem ? t.options.collectionKeyOnly(label) : label);
    });
    if (chosen && !list.some(({ name }) => name === chosen)) rows.unshift(h("option", { value: chosen }, chosen));
    this.collection.replaceChildren(...rows);
    this.collection.value = chosen ?? "";
    this.#limit();
  }

  // Scores of several collections have no common scale, and copies are looked for in one.
  #limit() {
    this.element.classList.toggle("several", this.others.names.length > 0);
  }

  /** Show what the address says. */
  set({ k, minimum, copies }) {
    this.k.value = k;
    this.copies.checked = copies;
    this.minimum.value = minimum ?? 0;
    this.#written();
  }

  /** `{collection, also, k, minimum, copies}`, with minimum null where nothing is hidden. */
  get values() {
    const minimum = Number(this.minimum.value);
    const collection = this.collection.value;
    const also = this.others.names.filter((name) => name !== collection);
    return {
      collection,
      also,
      k: Number(this.k.value) || DEFAULT_K,
      minimum: minimum > 0 && !also.length ? minimum : null,
      copies: this.copies.checked && !also.length,
    };
  }

  /** Mark where "similar" begins; `threshold` is that of an answer of `collection`, or null. */
  setThreshold(threshold, collection = null) {
    const cosine = threshold ? cosineOf(threshold.value) : null;
    this.mark.hidden = cosine === null || cosine <= 0;
    if (cosine === null) {
      this.hint.textContent = "";
      return;
    }
    this.mark.style.setProperty("--at", String(Math.min(1, cosine)));
    const source = thresholdSource(threshold, collection);
    const meaning = thresholdMeaning(threshold);
    this.hint.textContent = t.results.threshold(short(cosine), short(threshold.value), source, meaning);
  }

  #checked() {
    const k = Number(this.k.value);
    const good = Number.isInteger(k) && k >= 1 && k <= 1000;
    this.k.setCustomValidity(good ? "" : t.options.kInvalid);
    if (good) this.#onChange();
    else this.k.reportValidity();
  }

  #hid(final) {
    this.#written();
    this.#onMinimum(this.values.minimum, final);
  }

  #written() {
    const minimum = Number(this.minimum.value);
    this.output.textContent = minimum > 0 ? short(minimum) : t.options.minimumOff;
    this.minimum.setAttribute("aria-valuetext", this.output.textContent);
  }
}

/** The options in an address, repaired where they make no sense. */
export function optionsOf({ collection, also, k, min, copies }) {
  const number = Number(k);
  const minimum = Number(min);
  return {
    collection: collection ?? null,
    also: othersOf({ also, collection }),
    k: Number.isInteger(number) && number >= 1 && number <= 1000 ? number : DEFAULT_K,
    minimum: minimum > 0 && minimum <= 1 ? minimum : null,
    copies: copies === "1",
  };
}
