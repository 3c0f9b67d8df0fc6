// The filters of one collection: a button for each of its columns, what is active, and how many pictures pass.

import { api } from "../api.js";
import { button, h } from "../dom.js";
import { t } from "../strings.js";
import { Latest } from "../task.js";
import { Chips } from "./chips.js";
import { Choices } from "./choices.js";
import { conditionsOf, fieldOf, valuesOf, wireOf, without, withTests } from "./conditions.js";
import { Disclosure, DisclosureRow } from "./disclosure.js";
import { OtherConditions } from "./other.js";
import { Range } from "./range.js";

const SHOWN = 8;

export class FilterBar {
  #latest = new Latest();
  #name = null;
  #count = null;
  #passing = null;
  #conditions = conditionsOf({});
  #fields = [];
  #extra;
  #onChange;

  /** `onChange(conditions)` when a person has changed them; `extra` are disclosures that follow the columns. */
  constructor({ onChange, extra = [] }) {
    this.#onChange = (conditions) => {
      this.set(conditions);
      onChange(conditions);
    };
    this.#extra = extra;
    this.row = new DisclosureRow(t.filters.columns);
    this.chips = new Chips({ onChange: this.#onChange });
    this.other = new OtherConditions({ onChange: (values) => this.#setOther(values) });
    this.otherPart = new Disclosure(t.filters.other, this.other.element);
    this.element = h(
      "section",
      { class: "filter-bar", "aria-label": t.filters.label },
      this.row.element,
      this.chips.element,
    );
  }

  /** Show the filters of a collection; `about` is what the service says of it. The same one again keeps its panels. */
  open({ name, columns, count }) {
    const same = name === this.#name && this.#fields.length === (columns ?? []).length;
    this.#count = count;
    this.setPassing(this.#passing);
    if (same) return;
    this.#latest.stop();
    this.#name = name;
    this.#fields = (columns ?? []).map((column) => this.#part(column));
    this.#arrange(this.#fields.length <= SHOWN);
    this.set(this.#conditions);
  }

  close() {
    this.#latest.stop();
    this.row.closeAll();
    this.#name = null;
    this.#count = null;
    this.#fields = [];
    this.row.set([]);
  }

  /** What the service says about another state of the same collection is asked for anew. */
  forget() {
    this.#name = null;
  }

  /** Show these conditions. */
  set(conditions) {
    this.#conditions = conditions;
    for (const { field, part, control } of this.#fields) {
      const tests = conditions.filter[field] ?? null;
      control.set(tests);
      part.mark(valuesOf(tests).length || tests !== null);
    }
    this.other.set(conditions);
    this.otherPart.mark(Boolean(conditions.where || conditions.filter.key));
    this.chips.show(conditions);
  }

  /** How many pictures pass; null while that is not known. */
  setPassing(passing) {
    this.#passing = passing;
    this.chips.setPassing(passing, this.#count);
  }

  get conditions() {
    return this.#conditions;
  }

  #arrange(all) {
    const parts = all ? this.#fields : this.#fields.slice(0, SHOWN);
    this.row.set([...parts.map(({ part }) => part), this.otherPart, ...this.#extra]);
    if (all) return;
    const showAll = button(
      t.filters.all(this.#fields.length),
      () => {
        this.#arrange(true);
        this.#fields[SHOWN].part.summary.focus();
      },
      { kind: "text" },
    );
    this.row.append(showAll);
  }

  #part({ name, types }) {
    const field = fieldOf(name);
    const onChange = (tests) => this.#onChange(withTests(this.#conditions, field, tests));
    const control = this.#control(name, field, types, onChange);
    const part = new Disclosure(name, control.element, {
      // Browsers tell that it was opened a moment later, when somebody may have begun to fill in numbers.
      onOpened: () => control.load?.(this.#conditions.filter[field] ?? null),
      onClear: () => onChange(null),
      clearLabel: t.filters.clearColumn(name),
    });
    return { field, part, control };
  }

  #control(name, field, types, onChange) {
    const only = (type) => types.length === 1 && types[0] === type;
    if (only("number") || only("date")) return new Range({ isDate: only("date"), onChange });
    return new Choices(name, { onChange, fetch: (limit, prefix) => this.#facet(field, limit, prefix) });
  }

  // What is chosen of a column says nothing about which other values of it there are to choose.
  async #facet(field, limit, prefix) {
    const others = without(this.#conditions, field);
    const filter = wireOf(prefix === null ? others : withTests(others, field, { prefix }));
    const signal = this.#latest.start();
    const answer = await api.facets(this.#name, { names: [field], filter, limit }, { signal });
    return answer.facets[field];
  }

  #setOther({ key, where }) {
    this.#onChange(withTests({ ...this.#conditions, where }, "key", key ? { prefix: key } : null));
  }
}
