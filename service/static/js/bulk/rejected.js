// Files that could not be used, with their reasons, as a table to read and one to save.

import { csvOf } from "../csv.js";
import { button, h, save } from "../dom.js";
import { textOfDetail } from "../notice.js";
import { t } from "../strings.js";

const SHOWN = 200;

export class RejectedTable {
  #rows = [];
  #collection = "";

  constructor() {
    this.title = h("summary", {});
    this.body = h("tbody", {});
    this.more = h("p", { class: "hint" });
    const head = [t.upload.key, t.upload.reason].map((name) => h("th", { scope: "col" }, name));
    const table = h("table", {}, h("thead", {}, h("tr", {}, ...head)), this.body);
    const saveAll = button(t.upload.save, () => this.#save(), { kind: "small", symbol: "save" });
    this.element = h(
      "details",
      { class: "rejected", hidden: true },
      this.title,
      h("div", { class: "table-scroll", tabIndex: 0 }, table),
      this.more,
      saveAll,
    );
  }

  /** Show rows of `{key, code, message}`. */
  show(collection, rows) {
    this.#collection = collection;
    // Only what is new is drawn: the list grows while one reads it.
    if (rows.length < this.#rows.length) this.body.replaceChildren();
    const drawn = this.body.children.length;
    this.#rows = [...rows];
    this.element.hidden = rows.length === 0;
    this.title.textContent = t.upload.rejected(rows.length);
    this.body.append(...rows.slice(drawn, SHOWN).map(rowOf));
    this.more.textContent = rows.length > SHOWN ? t.upload.more(rows.length - SHOWN) : "";
  }

  #save() {
    const rows = this.#rows.map(({ key, code, message }) => [key, code, message]);
    const text = csvOf([["key", "code", "message"], ...rows]);
    save(new Blob([text], { type: "text/csv;charset=utf-8" }), t.upload.file(this.#collection));
  }
}

function rowOf({ key, code, message }) {
  const title = t.problems.titles[code];
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, key),
    h("td", {}, title && h("strong", {}, `${title}. `), textOfDetail(message ?? code)),
  );
}
