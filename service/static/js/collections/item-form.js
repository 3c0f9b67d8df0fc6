// The fields of an item: its key where it is new, title, product, metadata.

import { field, freshId, h } from "../dom.js";
import { t } from "../strings.js";
import { MetadataRows } from "./metadata-rows.js";

export class ItemForm {
  #before = null;

  /** `onKey(key)` when the key of a new item was changed. */
  constructor({ onKey = null } = {}) {
    const text = () => h("input", { type: "text", autocomplete: "off", maxLength: 2048 });
    this.key = h("input", { type: "text", autocomplete: "off", spellcheck: false, required: true, maxLength: 1024 });
    this.key.addEventListener("change", () => onKey?.(this.key.value.trim()));
    this.title = text();
    this.product = text();
    this.metadata = new MetadataRows();
    this.keyNote = h("p", { class: "hint", role: "status" });
    this.element = h(
      "div",
      { class: "item-form" },
      onKey &&
        h("div", {}, field(t.item.key, this.key, { id: freshId("item-key"), hint: t.item.keyHelp }), this.keyNote),
      field(t.item.title, this.title, { id: freshId("item-title") }),
      field(t.item.product, this.product, { id: freshId("item-product"), hint: t.item.productHelp }),
      this.metadata.element,
    );
  }

  /** Fill it with an item, or with nothing; the columns are those of its collection. */
  set(columns, item = null) {
    this.#before = item;
    this.title.value = item?.title ?? "";
    this.product.value = item?.product_id ?? "";
    this.metadata.set(columns, item?.metadata ?? {});
  }

  /** Whether nothing is filled in beside the key. */
  get isBlank() {
    const metadata = this.metadata.read();
    return !this.title.value && !this.product.value && metadata !== null && Object.keys(metadata).length === 0;
  }

  /** All fields of a new item, or null where one cannot be read, which is said in its place. */
  read() {
    const metadata = this.metadata.read();
    if (metadata === null) return null;
    return { title: this.title.value.trim() || null, product_id: this.product.value.trim() || null, metadata };
  }

  /** What was changed of the item that it was filled with: null for what stays, and for a column that goes. */
  changes() {
    const metadata = this.metadata.read();
    if (metadata === null) return null;
    const { title, product_id: product, metadata: before } = this.#before;
    const changed = {};
    for (const [name, value] of Object.entries(metadata)) if (!same(value, before[name])) changed[name] = value;
    for (const name of Object.keys(before)) if (!(name in metadata)) changed[name] = null;
    return {
      title: changedText(this.title.value, title),
      product_id: changedText(this.product.value, product),
      metadata: Object.keys(changed).length ? changed : null,
    };
  }
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
const changedText = (text, before) => (text.trim() === (before ?? "") ? null : text.trim());
