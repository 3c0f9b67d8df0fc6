// What is selected on the map: how many pictures, what can be done with them, and the pictures as a list.

import { api } from "../api.js";
import { browseCard, nameOf } from "../card.js";
import { openEditor } from "../collections/edit.js";
import { removeItem } from "../collections/removal.js";
import { csvOf } from "../csv.js";
import { openDetails } from "../details.js";
import { button, h, save } from "../dom.js";
import { Notice, flash, say } from "../notice.js";
import { link } from "../route.js";
import { t } from "../strings.js";
import { Latest, patiently } from "../task.js";
import { openSetDialog } from "./set-dialog.js";

const PAGE = 48;
// Keys go in the address of a request, which services and proxies take only so long.
const MOST_LETTERS = 5000;

export class Selection {
  #latest = new Latest();
  #name = null;
  #keys = [];
  #columns = [];
  #shown = 0;
  #onChanged;

  /** `onClear()` when the selection is to end, `onChanged()` after pictures were changed. */
  constructor({ onClear, onChanged }) {
    this.#onChanged = onChanged;
    this.words = h("p", { class: "selection-words", role: "status" }, t.map.noSelection);
    this.actions = h(
      "div",
      { class: "actions", hidden: true },
      button(t.map.list, () => this.#list(), { kind: "small primary", symbol: "collections" }),
      button(t.map.export, () => this.#export(), { kind: "small", symbol: "save" }),
      button(t.map.set, () => openSetDialog(this.#name, this.#keys, this.#columns, this.#onChanged), { kind: "small" }),
      button(t.map.clear, onClear, { kind: "small quiet" }),
    );
    this.element = h(
      "section",
      { class: "panel selection", "aria-label": t.map.selection },
      h("h2", {}, t.map.selection),
      this.words,
      this.actions,
    );
    this.heading = h("h2", { tabIndex: -1 });
    this.grid = h("ul", { class: "grid", role: "list" });
    this.notice = new Notice();
    this.removed = new Notice();
    this.more = button(t.map.more, () => this.#load(), { kind: "more", hidden: true });
    this.listElement = h(
      "section",
      { class: "selection-list", hidden: true },
      this.heading,
      h("div", { class: "bar-notice" }, this.removed.element),
      this.grid,
      this.notice.element,
      h("div", { class: "end-row" }, this.more),
    );
  }

  /** Of which collection; `columns` are those of its metadata. */
  open(name, columns) {
    this.#name = name;
    this.#columns = columns;
  }

  /** Select the items with these keys. */
  show(keys) {
    this.#keys = keys;
    this.words.textContent = keys.length ? t.map.selected(keys.length) : t.map.noSelection;
    this.actions.hidden = keys.length === 0;
    this.#closeList();
  }

  stop() {
    this.#latest.stop();
  }

  #closeList() {
    this.#latest.stop();
    this.notice.clear();
    this.removed.clear();
    this.grid.replaceChildren();
    this.#shown = 0;
    this.listElement.hidden = true;
  }

  #export() {
    const table = csvOf([["key"], ...this.#keys.map((key) => [key])]);
    save(new Blob([table], { type: "text/csv" }), `${this.#name}-selection.csv`);
  }

  async #list() {
    this.#closeList();
    this.listElement.hidden = false;
    this.heading.textContent = t.map.listTitle(this.#keys.length);
    this.heading.focus({ preventScroll: true });
    this.listElement.scrollIntoView({ block: "start" });
    await this.#load();
  }

  async #load() {
    const signal = this.#latest.start();
    this.more.hidden = true;
    const keys = pageOf(this.#keys, this.#shown);
    this.notice.busy(t.collections.moreBusy);
    try {
      const onWait = (problem, seconds) => this.notice.wait(problem, seconds);
      const page = await patiently(() => api.itemsOf(this.#name, keys, { signal }), { signal, onWait });
      this.notice.clear();
      this.#shown += keys.length;
      this.grid.append(...page.items.map((row) => this.#card(row, signal)));
      this.more.hidden = this.#shown >= this.#keys.length;
      if (page.missing.length) this.notice.message(t.map.gone(page.missing.length));
      say(t.pictures(this.grid.children.length));
    } catch (error) {
      if (error.name !== "AbortError") this.notice.problem(error, () => this.#load());
    }
  }

  #card(row, signal) {
    const href = link("search", { collection: this.#name, key: row.key });
    const card = browseCard(row, {
      href,
      signal,
      onDetails: () => openDetails(this.#name, row, href),
      onEdit: () =>
        openEditor(this.#name, row, this.#columns, (item) => {
          card.replaceWith(this.#card(item, signal));
          this.#onChanged();
        }),
      onRemove: () => this.#remove(card, row),
    });
    return card;
  }

  async #remove(card, row) {
    const name = nameOf(row);
    try {
      const removal = await removeItem(this.#name, row, { signal: this.#latest.signal ?? this.#latest.start() });
      if (removal === null) return;
      card.hidden = true;
      const undo = () => this.#putBack(card, removal.restore, name);
      const actions = removal.restore ? [button(t.collection.undo, undo, { kind: "small", symbol: "back" })] : [];
      this.removed.message(t.collection.removed(name), ...actions);
      this.removed.element.querySelector("button")?.focus({ preventScroll: true });
      this.#onChanged();
    } catch (error) {
      if (error.name !== "AbortError") this.removed.problem(error);
    }
  }

  async #putBack(card, restore, name) {
    this.removed.busy(t.item.adding);
    try {
      await restore();
      this.removed.clear();
      card.hidden = false;
      flash(t.collection.undone(name));
      this.#onChanged();
    } catch (error) {
      this.removed.problem(error, () => this.#putBack(card, restore, name));
    }
  }
}

// The next keys, fewer if they are long.
function pageOf(keys, start) {
  let [end, letters] = [start, 0];
  while (end < keys.length && end - start < PAGE) {
    letters += encodeURIComponent(keys[end]).length + 9;
    if (end > start && letters > MOST_LETTERS) break;
    end += 1;
  }
  return keys.slice(start, end);
}
