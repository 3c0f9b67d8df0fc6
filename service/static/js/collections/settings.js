// What a collection is told: how many snapshots stay, and which types its columns have.

import { button, field, freshId, h, icon } from "../dom.js";
import { Notice, flash } from "../notice.js";
import { t } from "../strings.js";
import { writes } from "../writes.js";

const SINGLE = ["text", "number", "boolean", "date"];
const TYPES = [...SINGLE, ...SINGLE.map((type) => `list of ${type}`)];

export class SettingsPanel {
  #about = null;
  #shown = null;
  #rows = [];
  #onSaved;

  /** `onSaved()` after settings were changed. */
  constructor({ onSaved }) {
    this.#onSaved = onSaved;
    const words = t.collection.settings;
    this.keep = h("input", { type: "number", min: "2", max: "1000", step: "1", required: true, inputMode: "numeric" });
    this.list = h("ul", { class: "meta-rows", role: "list", "aria-label": words.types });
    this.notice = new Notice();
    this.save = h("button", { type: "submit", class: "button primary" }, words.save);
    this.element = h(
      "form",
      { class: "panel settings", "aria-label": words.title },
      h("h2", {}, words.title),
      field(words.keep, this.keep, { id: freshId("keep"), hint: words.keepHelp }),
      h("div", {}, h("h3", {}, words.types), h("p", { class: "hint" }, words.typesHelp)),
      this.list,
      button(words.add, () => this.#add("", null).name.focus(), { kind: "small", symbol: "more" }),
      this.notice.element,
      h("div", { class: "actions" }, this.save),
    );
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#store();
    });
  }

  /** Show what the service says of the collection. What was filled in stays while that says nothing new. */
  show(about) {
    const { name, keep, columns } = about;
    const shown = JSON.stringify([name, keep, (columns ?? []).map((column) => ({ ...column, count: null }))]);
    this.#about = about;
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.keep.value = keep;
    this.notice.clear();
    this.#rows = [];
    this.list.replaceChildren();
    for (const { name: column, types, declared } of columns ?? []) this.#add(column, declared ? types[0] : null, types);
  }

  #add(name, declared, types = []) {
    const words = t.collection.settings;
    const isNew = name === "";
    const input = h("input", {
      type: "text",
      value: name,
      readOnly: !isNew,
      maxLength: 200,
      spellcheck: false,
      autocomplete: "off",
      "aria-label": t.item.columnName,
    });
    const select = h("select", { "aria-label": t.item.typeOf(name || t.item.newColumn) });
    if (!isNew) select.append(h("option", { value: "" }, words.free(types.join(", "))));
    select.append(...TYPES.map((type) => h("option", { value: type }, words.type(type))));
    select.value = declared ?? (isNew ? TYPES[0] : "");
    const row = { name: input, select, before: declared };
    const element = h("li", { class: "meta-row" }, input, h("div", { class: "meta-value" }, select));
    if (isNew) element.append(this.#removal(row, element));
    this.list.append(element);
    this.#rows.push(row);
    return row;
  }

  #removal(row, element) {
    const remove = () => {
      this.#rows = this.#rows.filter((other) => other !== row);
      element.remove();
      this.list.nextElementSibling.focus();
    };
    const label = t.item.removeColumn(t.item.newColumn);
    return h("button", { type: "button", class: "button quiet close", "aria-label": label, on: { click: remove } }, icon("close"));
  }

  // Types that were changed, null for those that are no longer declared.
  get #changes() {
    const changes = {};
    for (const { name, select, before } of this.#rows) {
      const declared = select.value || null;
      if (name.value.trim() && declared !== before) changes[name.value.trim()] = declared;
    }
    return changes;
  }

  async #store() {
    const { name, keep } = this.#about;
    const columns = this.#changes;
    const fields = {
      columns: Object.keys(columns).length ? JSON.stringify(columns) : null,
      keep: Number(this.keep.value) === keep ? null : this.keep.value,
    };
    if (Object.values(fields).every((value) => value === null)) {
      flash(t.collection.settings.unchanged);
      return;
    }
    this.save.disabled = true;
    this.notice.busy(t.item.saving);
    try {
      await writes.configureCollection(name, fields);
      this.notice.clear();
      await this.#onSaved();
      flash(t.collection.settings.saved);
    } catch (error) {
      this.notice.problem(error);
    } finally {
      this.save.disabled = false;
      this.save.focus({ preventScroll: true });
    }
  }
}
