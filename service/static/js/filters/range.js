// From-to for a column of numbers or of dates.

import { field, freshId, h } from "../dom.js";
import { t } from "../strings.js";
import { rangeOf, rangeTests } from "./conditions.js";

export class Range {
  #isDate;
  #onChange;

  /** `onChange(tests)` when a bound was set or removed. */
  constructor({ isDate, onChange }) {
    this.#isDate = isDate;
    this.#onChange = onChange;
    this.from = this.#input();
    this.to = this.#input();
    this.element = h(
      "div",
      { class: "filter-body range" },
      field(t.filters.from, this.from, { id: freshId("from") }),
      field(isDate ? t.filters.upTo : t.filters.to, this.to, { id: freshId("to") }),
    );
  }

  #input() {
    const kind = this.#isDate ? { type: "date" } : { type: "number", step: "any", inputMode: "decimal" };
    return h("input", { ...kind, on: { change: () => this.#changed() } });
  }

  /** Show what is asked of the column. */
  set(tests) {
    const { from, to } = rangeOf(tests, { isDate: this.#isDate });
    this.from.value = from ?? "";
    this.to.value = to ?? "";
    this.#check();
  }

  #changed() {
    if (!this.#check()) {
      this.to.reportValidity();
      return;
    }
    const bounds = [this.from, this.to].map((input) => (input.value === "" ? null : this.#read(input)));
    this.#onChange(rangeTests(...bounds, { isDate: this.#isDate }));
  }

  #read(input) {
    return this.#isDate ? input.value : Number(input.value);
  }

  #check() {
    const [from, to] = [this.from, this.to].map((input) => (input.value === "" ? null : this.#read(input)));
    this.to.setCustomValidity(from !== null && to !== null && from > to ? t.filters.order : "");
    return [this.from, this.to].every((input) => input.checkValidity());
  }
}
