// The groups of a map: their colours, how many pictures each has, and a way to select one without a pointer.

import { h } from "../dom.js";
import { count } from "../format.js";
import { t } from "../strings.js";
import { rgbOf } from "./painter.js";

export class Legend {
  #onGroup;

  /** `onGroup(number)` when one was pressed. */
  constructor({ onGroup }) {
    this.#onGroup = onGroup;
    this.list = h("ul", { class: "legend-list", role: "list" });
    this.element = h(
      "section",
      { class: "panel legend", hidden: true, "aria-label": t.map.legend },
      h("h2", {}, t.map.legend),
      h("p", { class: "hint" }, t.map.legendHelp),
      this.list,
    );
  }

  /** Show the groups of the service's answer. */
  show({ field, values, others, without }) {
    this.element.hidden = field === null;
    const groups = [
      ...values.map(({ value, count: size }) => [nameOf(value), size]),
      [t.map.others, others],
      [t.map.without, without],
    ];
    const rows = groups.map(([name, size], group) => size > 0 && this.#row(name, size, group, values.length));
    this.list.replaceChildren(...rows.filter(Boolean));
  }

  /** Mark the group that is selected, or none. */
  mark(group) {
    for (const each of this.list.querySelectorAll("button")) {
      each.setAttribute("aria-pressed", String(Number(each.dataset.group) === group));
    }
  }

  #row(name, size, group, groupCount) {
    const swatch = h("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.setProperty("--swatch", `rgb(${rgbOf(group, groupCount).join(" ")})`);
    return h(
      "li",
      {},
      h(
        "button",
        {
          type: "button",
          class: "legend-row",
          "aria-pressed": "false",
          "aria-label": t.map.group(name, size),
          title: name,
          data: { group },
          on: { click: () => this.#onGroup(group) },
        },
        swatch,
        h("span", { class: "legend-name" }, name),
        h("span", { class: "legend-count" }, count(size)),
      ),
    );
  }
}

function nameOf(value) {
  if (typeof value === "boolean") return value ? t.map.yes : t.map.no;
  return String(value);
}
