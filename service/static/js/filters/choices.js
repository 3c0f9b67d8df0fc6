// Values of a column to tick, each with how many pictures have it among those that pass the other filters.

import { button, freshId, h } from "../dom.js";
import { count } from "../format.js";
import { textOf } from "../notice.js";
import { t } from "../strings.js";
import { settled } from "../task.js";
import { shown, testsOf, valuesOf } from "./conditions.js";

const FIRST = 20;
const MOST = 1000;
const PAUSE = 250;

export class Choices {
  #name;
  #onChange;
  #fetch;
  #chosen = [];
  #rows = [];
  #request = 0;

  /**
   * `fetch(limit, prefix)` answers `{values, distinct}` of the column, with `prefix` of those that begin so;
   * `onChange(tests)` when something was ticked.
   */
  constructor(name, { fetch, onChange }) {
    this.#name = name;
    this.#fetch = fetch;
    this.#onChange = onChange;
    this.status = h("p", { class: "hint", role: "status" });
    this.list = h("ul", { class: "choices", role: "list", "aria-label": t.filters.values(name) });
    this.find = h("input", { type: "text", autocomplete: "off", spellcheck: false, id: freshId("find") });
    this.find.addEventListener(
      "input",
      settled(() => this.#search(), PAUSE),
    );
    this.findLabel = h("label", { htmlFor: this.find.id }, t.filters.find);
    this.findField = h("div", { class: "field find", hidden: true }, this.findLabel, this.find);
    this.element = h("div", { class: "filter-body" }, this.findField, this.list, this.status);
  }

  /** Show what is asked of the column, and count its values. */
  async load(tests) {
    this.#chosen = valuesOf(tests);
    if (!this.#rows.length) this.status.textContent = t.filters.busy;
    await this.#fill("", FIRST);
  }

  /** Show other ticks, as after a filter was removed elsewhere. */
  set(tests) {
    this.#chosen = valuesOf(tests);
    for (const box of this.list.querySelectorAll("input")) box.checked = this.#chosen.includes(JSON.parse(box.value));
  }

  async #search() {
    await this.#fill(this.find.value.trim(), this.find.value.trim() ? MOST : FIRST);
  }

  async #fill(words, limit) {
    const request = ++this.#request;
    const prefix = words && this.distinct > MOST ? words : null;
    const facet = await this.#fetch(limit, prefix).catch((error) => this.#failed(error));
    if (request !== this.#request || !facet) return;
    if (!words) {
      this.distinct = facet.distinct;
      this.findField.hidden = facet.distinct <= FIRST;
      this.findLabel.textContent = facet.distinct > MOST ? t.filters.findPrefix : t.filters.find;
    }
    const lower = words.toLocaleLowerCase();
    const matching = facet.values.filter(({ value }) => shown(value).toLocaleLowerCase().includes(lower));
    this.#draw(matching.slice(0, FIRST), matching.length + facet.distinct - facet.values.length, words);
  }

  #failed(error) {
    if (error.name !== "AbortError") this.status.textContent = textOf(error);
  }

  #draw(values, all, words) {
    const listed = values.map(({ value }) => value);
    const others = words ? [] : this.#chosen.filter((value) => !listed.includes(value));
    this.#rows = [...others.map((value) => ({ value, count: null })), ...values];
    const focused = this.list.contains(document.activeElement) ? document.activeElement.value : null;
    this.list.replaceChildren(...this.#rows.map((row) => this.#row(row)));
    if (focused !== null) [...this.list.querySelectorAll("input")].find(({ value }) => value === focused)?.focus();
    if (words && this.#rows.every(({ value }) => typeof value === "string")) this.list.append(this.#prefixRow(words));
    this.status.textContent = this.#statusOf(all - values.length, words);
  }

  #statusOf(rest, words) {
    if (!this.#rows.length) return words ? t.filters.noMatch : t.filters.none;
    return rest > 0 ? t.filters.more(rest) : "";
  }

  #row({ value, count: items }) {
    const box = h("input", { type: "checkbox", value: JSON.stringify(value), checked: this.#chosen.includes(value) });
    box.addEventListener("change", () => {
      const rest = this.#chosen.filter((other) => other !== value);
      this.#chosen = box.checked ? [...rest, value] : rest;
      this.#onChange(testsOf(this.#chosen));
    });
    return h(
      "li",
      {},
      h(
        "label",
        { class: "choice" },
        box,
        h("span", { class: "choice-name" }, shown(value)),
        items !== null && h("span", { class: "choice-count" }, count(items)),
      ),
    );
  }

  #prefixRow(words) {
    const apply = () => {
      this.#chosen = [];
      this.#onChange({ prefix: words });
    };
    return h("li", { class: "prefix" }, button(t.filters.prefix(words), apply, { kind: "small" }));
  }
}
