// Which filters are active, each to be removed; how many pictures pass; and the filter as text for the API.

import { button, copied, h, icon } from "../dom.js";
import { flash } from "../notice.js";
import { t } from "../strings.js";
import { chipsOf, textOf } from "./conditions.js";

export class Chips {
  #onChange;

  /** `onChange(conditions)` when one was removed. */
  constructor({ onChange }) {
    this.#onChange = onChange;
    this.list = h("ul", { class: "chips", role: "list", "aria-label": t.filters.chips });
    this.passing = h("p", { class: "passing", tabIndex: -1 });
    this.code = h("code", { tabIndex: 0, "aria-label": t.filters.text });
    const copy = async () => {
      if (await copied(this.code.textContent)) flash(t.filters.copied);
      else getSelection().selectAllChildren(this.code);
    };
    this.text = h(
      "p",
      { class: "filter-text" },
      this.code,
      button(t.filters.copy, copy, { kind: "text", symbol: "copy" }),
    );
    this.element = h("div", { class: "active-filters", hidden: true }, this.passing, this.list, this.text);
  }

  show(conditions) {
    const chips = chipsOf(conditions);
    const at = [...this.list.children].findIndex((each) => each.contains(document.activeElement));
    this.element.hidden = chips.length === 0;
    const all = () => this.#onChange({ filter: {}, where: "" });
    this.list.replaceChildren(
      ...chips.map(({ label, rest }) =>
        h(
          "li",
          {},
          chip(label, () => this.#onChange(rest)),
        ),
      ),
      chips.length > 1 ? h("li", {}, button(t.filters.clearAll, all, { kind: "text" })) : "",
    );
    this.code.textContent = textOf(conditions);
    // Who removed one goes on at the next one.
    if (at >= 0) (this.list.children[Math.min(at, chips.length - 1)]?.firstChild ?? this.passing).focus();
  }

  /** Say how many of how many pass; null while that is not known. */
  setPassing(passing, count) {
    const known = passing !== null && passing !== undefined && count !== null;
    this.passing.textContent = known ? t.filters.passing(passing, count) : "";
  }
}

function chip(label, remove) {
  const attributes = { type: "button", class: "chip", "aria-label": t.filters.remove(label), on: { click: remove } };
  return h("button", attributes, h("span", {}, label), icon("close"));
}
