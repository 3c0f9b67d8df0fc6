// The collections that are searched beside the chosen one.

import { h } from "../dom.js";
import { t } from "../strings.js";

export class Others {
  #names = [];
  #onChange;

  /** `onChange()` when one was ticked or left out. */
  constructor({ onChange }) {
    this.#onChange = onChange;
    this.summary = h("summary", {});
    this.list = h("ul", { class: "choices", role: "list", "aria-label": t.options.othersList });
    this.element = h(
      "details",
      { class: "others", hidden: true },
      this.summary,
      this.list,
      h("p", { class: "hint" }, t.options.othersHelp),
    );
  }

  /** Offer the collections of a list beside `home`; those of `names` are ticked. */
  offer(list, home, names) {
    this.#names = names;
    const rows = list.filter(({ name, ready }) => name !== home && (ready || names.includes(name)));
    for (const name of names) if (!rows.some((row) => row.name === name)) rows.push({ name, count: null });
    this.element.hidden = rows.length === 0;
    const hadFocus = this.list.contains(document.activeElement) ? document.activeElement.value : null;
    this.list.replaceChildren(...rows.map((row) => this.#row(row)));
    if (hadFocus) this.list.querySelector(`input[value="${CSS.escape(hadFocus)}"]`)?.focus();
    this.#write();
  }

  /** The names that are ticked. */
  get names() {
    return this.#names;
  }

  #row({ name, count }) {
    const box = h("input", { type: "checkbox", value: name, checked: this.#names.includes(name) });
    box.addEventListener("change", () => {
      const others = this.#names.filter((other) => other !== name);
      this.#names = box.checked ? [...others, name] : others;
      this.#write();
      this.#onChange();
    });
    return h("li", {}, h("label", { class: "choice" }, box, h("span", {}, t.options.collectionCount(name, count))));
  }

  #write() {
    this.summary.textContent = this.#names.length ? t.options.othersAre(this.#names) : t.options.others;
  }
}

/** The names in an address, between commas. */
export const othersOf = ({ also, collection }) => [
  ...new Set((also ?? "").split(",").filter((name) => name && name !== collection)),
];
