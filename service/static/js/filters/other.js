// Filters that are about no column: the beginning of the key, and a condition that a person writes.

import { field, freshId, h } from "../dom.js";
import { t } from "../strings.js";

export class OtherConditions {
  /** `onChange({key, where})`, with key the beginning of the key or an empty text. */
  constructor({ onChange }) {
    this.key = h("input", { type: "text", autocomplete: "off", spellcheck: false, maxLength: 200 });
    this.where = h("input", { type: "text", autocomplete: "off", spellcheck: false, maxLength: 4000 });
    this.element = h(
      "form",
      { class: "filter-body other" },
      field(t.filters.key, this.key, { id: freshId("key-prefix"), hint: t.filters.keyHelp }),
      field(t.filters.where, this.where, { id: freshId("where"), hint: t.filters.whereHelp }),
      h("div", { class: "actions" }, h("button", { type: "submit", class: "button small" }, t.filters.apply)),
    );
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      onChange({ key: this.key.value, where: this.where.value.trim() });
    });
  }

  set({ filter, where }) {
    this.key.value = filter.key?.prefix ?? "";
    this.where.value = where;
  }
}
