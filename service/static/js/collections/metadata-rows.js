// Metadata as rows to fill in: a column, its type, its value.

import { button, freshId, h, icon } from "../dom.js";
import { isDay } from "../format.js";
import { t } from "../strings.js";

const TYPES = ["text", "number", "boolean", "date", "list"];
const MOST_OFFERED = 12;

export class MetadataRows {
  #rows = [];

  constructor() {
    this.list = h("ul", { class: "meta-rows", role: "list", "aria-label": t.item.metadata });
    const add = () => this.#add("", "text", null, { isNew: true }).name.focus();
    this.element = h(
      "div",
      { class: "metadata" },
      h("h3", {}, t.item.metadata),
      this.list,
      button(t.item.addColumn, add, { kind: "small", symbol: "more" }),
    );
  }

  /** Show rows for what an item has, and for the columns of its collection that it could have. */
  set(columns, metadata = {}) {
    this.#rows = [];
    this.list.replaceChildren();
    const offered = (columns ?? []).filter(({ name }) => !(name in metadata)).slice(0, MOST_OFFERED);
    for (const [name, value] of Object.entries(metadata)) this.#add(name, typeOf(value), value);
    for (const { name, types } of offered) this.#add(name, typeOfColumn(types), null);
  }

  /** What is filled in, by column; null where something cannot be read, which is said in its place. */
  read() {
    const values = {};
    for (const row of this.#rows) {
      const name = row.name.value.trim();
      if (!name) continue;
      const isTwice = name in values;
      row.name.setCustomValidity(isTwice ? t.item.twice(name) : "");
      if (isTwice || !row.name.reportValidity() || !row.value.reportValidity()) return null;
      values[name] = row.read();
    }
    return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
  }

  #add(name, type, value, { isNew = false } = {}) {
    const row = { name: nameInput(name, isNew), isNumbers: Array.isArray(value) && value.every(Number.isFinite) };
    const holder = h("div", { class: "meta-value" });
    const select = h("select", { "aria-label": t.item.typeOf(name || t.item.newColumn) });
    select.append(...TYPES.map((each) => h("option", { value: each }, t.item.types[each])));
    select.value = type;
    const fill = (filling) => {
      row.value = control(select.value, filling, row.name);
      const before = row.value.value;
      // What was not touched stays exactly what it is, also where its text could be read in another way.
      row.read = () =>
        filling !== null && row.value.value === before ? filling : readValue(select.value, row.value, row.isNumbers);
      holder.replaceChildren(row.value);
    };
    select.addEventListener("change", () => fill(null));
    fill(value);
    const remove = () => this.#remove(row);
    row.element = h(
      "li",
      { class: "meta-row" },
      row.name,
      select,
      holder,
      h(
        "button",
        {
          type: "button",
          class: "button quiet close",
          "aria-label": t.item.removeColumn(name || t.item.newColumn),
          on: { click: remove },
        },
        icon("close"),
      ),
    );
    this.#rows.push(row);
    this.list.append(row.element);
    return row;
  }

  #remove(row) {
    const at = this.#rows.indexOf(row);
    this.#rows.splice(at, 1);
    row.element.remove();
    const next = this.#rows[Math.min(at, this.#rows.length - 1)];
    (next?.value ?? this.element.querySelector(":scope > .button")).focus();
  }
}

function nameInput(name, isNew) {
  const id = freshId("column");
  return h("input", {
    type: "text",
    id,
    value: name,
    readOnly: !isNew,
    "aria-label": t.item.columnName,
    maxLength: 200,
  });
}

function control(type, value, name) {
  const label = { "aria-label": t.item.valueOf(name.value || t.item.newColumn) };
  if (type === "boolean") {
    const select = h("select", label);
    const options = [
      ["", t.item.unset],
      ["true", t.filters.yes],
      ["false", t.filters.no],
    ];
    select.append(...options.map(([key, words]) => h("option", { value: key }, words)));
    select.value = value === null ? "" : String(value);
    return select;
  }
  const text = value === null ? "" : Array.isArray(value) ? value.join(", ") : String(value);
  const kinds = { number: { type: "number", step: "any", inputMode: "decimal" }, date: { type: "date" } };
  const kind = kinds[type] ?? { type: "text", placeholder: type === "list" ? t.item.listHelp : "" };
  return h("input", { ...label, ...kind, value: text });
}

function readValue(type, input, isNumbers) {
  const text = input.value.trim();
  if (text === "") return null;
  if (type === "number") return Number(text);
  if (type === "boolean") return text === "true";
  if (type !== "list") return text;
  const parts = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  return isNumbers && parts.every((part) => Number.isFinite(Number(part))) ? parts.map(Number) : parts;
}

function typeOf(value) {
  if (Array.isArray(value)) return "list";
  if (typeof value === "string") return isDay(value) ? "date" : "text";
  return typeof value === "number" ? "number" : typeof value === "boolean" ? "boolean" : "text";
}

function typeOfColumn(types) {
  if (types.some((type) => type.startsWith("list"))) return "list";
  return types.length === 1 && TYPES.includes(types[0]) ? types[0] : "text";
}
