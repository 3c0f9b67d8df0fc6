// How hits are arranged: one for each product, no file twice, more or less alike among themselves.

import { field, freshId, h } from "../dom.js";
import { Disclosure } from "../filters/disclosure.js";
import { fieldOf } from "../filters/conditions.js";
import { short } from "../format.js";
import { t } from "../strings.js";

const PRODUCT = "product_id";

export class Arrange {
  #onChange;

  /** `onChange()` after a choice. */
  constructor({ onChange }) {
    this.#onChange = onChange;
    this.group = h("select", { on: { change: () => this.#changed() } });
    this.dedupe = h("input", {
      type: "checkbox",
      class: "switch",
      id: "dedupe",
      on: { change: () => this.#changed() },
    });
    this.diversity = h("input", { type: "range", min: "0", max: "0.9", step: "0.1", value: "0" });
    this.diversity.addEventListener("input", () => this.#write());
    this.diversity.addEventListener("change", () => this.#changed());
    this.output = h("output", { htmlFor: "diversity" });
    this.slider = this.#slider();
    const body = h(
      "div",
      { class: "filter-body arrange" },
      field(t.arrange.group, this.group, { id: freshId("group"), hint: t.arrange.groupHelp }),
      this.slider,
      h("div", { class: "field copies" }, h("label", { htmlFor: "dedupe" }, t.arrange.dedupe, this.dedupe)),
    );
    this.part = new Disclosure(t.arrange.label, body);
    this.setColumns([]);
  }

  #slider() {
    this.diversity.id = "diversity";
    this.diversity.setAttribute("aria-describedby", "diversity-hint");
    return h(
      "div",
      { class: "field slider" },
      h("div", { class: "label-row" }, h("label", { htmlFor: "diversity" }, t.arrange.diversity), this.output),
      h("div", { class: "track" }, this.diversity),
      h("p", { class: "hint", id: "diversity-hint" }, t.arrange.diversityHelp),
    );
  }

  /** Offer the columns that pictures can be grouped by: those without lists. */
  setColumns(columns) {
    const usable = (columns ?? []).filter(({ types }) => types.every((type) => !type.startsWith("list")));
    const before = this.group.value;
    this.group.replaceChildren(
      h("option", { value: "" }, t.arrange.groupNone),
      h("option", { value: PRODUCT }, t.arrange.product),
      ...usable.map(({ name }) => h("option", { value: fieldOf(name) }, name)),
    );
    this.#choose(before);
  }

  /** Show what the address says; several collections have no scale in common on which hits could be unlike. */
  set({ group, dedupe, diversity }, isSeveral) {
    this.slider.hidden = isSeveral;
    this.#choose(group ?? "");
    this.dedupe.checked = dedupe;
    this.diversity.value = diversity;
    this.#write();
  }

  /** `{group, dedupe, diversity}`, with group null where nothing is grouped. */
  get values() {
    return {
      group: this.group.value || null,
      dedupe: this.dedupe.checked,
      diversity: Number(this.diversity.value),
    };
  }

  // A group that is in the address alone stays choosable, so that the service can say what is wrong with it.
  #choose(group) {
    const known = [...this.group.options].some(({ value }) => value === group);
    if (!known) this.group.append(h("option", { value: group }, group));
    this.group.value = group;
  }

  #changed() {
    this.#write();
    this.#onChange();
  }

  #write() {
    const { group, dedupe, diversity } = this.values;
    this.output.textContent = diversity > 0 ? short(diversity) : t.arrange.diversityOff;
    this.diversity.setAttribute("aria-valuetext", this.output.textContent);
    this.part.mark(group !== null || dedupe || diversity > 0);
  }
}

/** How an address wants hits arranged, repaired where it makes no sense. */
export function arrangementOf({ group, dedupe, diversity }) {
  const number = Number(diversity);
  return { group: group || null, dedupe: dedupe === "1", diversity: number > 0 && number <= 1 ? number : 0 };
}
