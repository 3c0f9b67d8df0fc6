// The pictures of one collection, a page at a time, those that pass its filters; each can be edited and removed.

import { api } from "../api.js";
import { browseCard, nameOf } from "../card.js";
import { openDetails } from "../details.js";
import { button, h } from "../dom.js";
import { FilterBar } from "../filters/bar.js";
import { conditionsOf, paramsOf, wireOf } from "../filters/conditions.js";
import { Notice, flash, say } from "../notice.js";
import { link } from "../route.js";
import { t } from "../strings.js";
import { Latest } from "../task.js";
import { openEditor } from "./edit.js";
import { removeItem } from "./removal.js";

const PAGE = 60;
// The service lists no more at once.
const MOST = 500;

export class Browser {
  #latest = new Latest();
  #pictures = new Latest();
  #changes = new Latest();
  #signal = null;
  #name = null;
  #columns = [];
  #wire = null;
  #cursor = null;
  #patiently = null;
  #onChanged;

  /** `onFilter(params)` when the filters were changed, `onChanged()` after a picture was changed or removed. */
  constructor({ onFilter, onChanged }) {
    this.#onChanged = onChanged;
    this.bar = new FilterBar({ onChange: (conditions) => onFilter(paramsOf(conditions)) });
    this.removed = new Notice();
    this.removal = h("div", { class: "bar-notice" }, this.removed.element);
    this.grid = h("ul", { class: "grid", role: "list" });
    this.notice = new Notice();
    this.more = button(t.collections.more, () => this.#load(), { kind: "more" });
    this.count = h("p", { class: "hint end" });
    this.element = h(
      "div",
      { class: "browser" },
      this.bar.element,
      this.removal,
      this.grid,
      this.notice.element,
      h("div", { class: "end-row" }, this.more, this.count),
    );
  }

  /** Show a collection. Pages that were loaded before are still there when one comes back to it. */
  show(name, params, patiently) {
    this.#patiently = patiently;
    const conditions = conditionsOf(params);
    const wire = wireOf(conditions);
    if (name !== this.#name) this.bar.close();
    this.bar.set(conditions);
    if (name === this.#name && wire === this.#wire && this.grid.children.length) {
      this.more.hidden = this.#cursor === null;
      return;
    }
    this.#name = name;
    this.#wire = wire;
    this.removed.clear();
    this.#empty();
    this.#load();
  }

  /** What the service says of the collection: its columns are offered as filters. */
  describe(about) {
    this.#columns = about.columns ?? [];
    this.bar.open(about);
  }

  /** Load everything anew when it is shown again. */
  forget() {
    this.#name = null;
    this.#empty();
  }

  stop() {
    this.#latest.stop();
    this.bar.row.closeAll();
    this.notice.clear();
  }

  #empty() {
    this.#cursor = null;
    this.#signal = this.#pictures.start();
    this.grid.replaceChildren();
    this.count.textContent = "";
    this.bar.setPassing(null);
  }

  async #load() {
    const signal = this.#latest.start();
    const hadFocus = document.activeElement === this.more;
    this.more.hidden = true;
    this.notice.busy(t.collections.moreBusy);
    try {
      const page = await this.#fetch(PAGE, this.#cursor, signal);
      this.notice.clear();
      this.#append(page, hadFocus);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.code === "cursor-outdated") await this.#startOver(hadFocus, signal);
      else this.notice.problem(error, () => this.#load());
    }
  }

  #fetch(limit, cursor, signal) {
    const wanted = { limit, cursor, filter: this.#wire };
    return this.#patiently(() => api.items(this.#name, wanted, { signal }), signal);
  }

  // A cursor ends with its snapshot. What was shown stays until as much of the new list is there, and one page more.
  async #startOver(hadFocus, signal) {
    const before = new Set(this.#keys);
    const pages = [];
    try {
      for (let [wanted, cursor] = [before.size + PAGE, null]; wanted > 0; wanted -= pages.at(-1).items.length) {
        pages.push(await this.#fetch(Math.min(MOST, wanted), cursor, signal));
        cursor = pages.at(-1).next_cursor;
        if (cursor === null) break;
      }
      this.notice.clear();
      this.#empty();
      for (const page of pages) this.#append(page, false);
      flash(t.collections.changed);
      // Who pressed the button goes on where the new pictures begin.
      if (hadFocus) this.#focus(this.#keys.findIndex((key) => !before.has(key)));
    } catch (error) {
      if (error.name !== "AbortError") this.notice.problem(error, () => this.#load());
    }
  }

  get #keys() {
    return [...this.grid.children].map(({ dataset }) => dataset.key);
  }

  #focus(index) {
    this.grid.children[index]?.querySelector("a").focus();
  }

  #append(page, hadFocus) {
    this.#cursor = page.next_cursor;
    if (this.#wire !== null) this.bar.setPassing(page.count);
    const first = this.grid.children.length;
    this.grid.append(...page.items.map((row) => this.#card(row)));
    this.more.hidden = this.#cursor === null;
    this.#sayCount();
    if (hadFocus) this.#focus(first);
  }

  #sayCount() {
    const shown = this.grid.querySelectorAll(":scope > :not([hidden])").length;
    if (shown === 0) this.count.textContent = this.#wire === null ? t.collections.none : t.collection.noneFiltered;
    else this.count.textContent = this.#cursor === null ? t.collections.all(shown) : "";
    say(this.count.textContent || t.pictures(shown));
  }

  #card(row) {
    const href = link("search", { collection: this.#name, key: row.key });
    const card = browseCard(row, {
      href,
      signal: this.#signal,
      onDetails: () => openDetails(this.#name, row, href),
      onEdit: () => openEditor(this.#name, row, this.#columns, (item) => this.#replace(card, item)),
      onRemove: () => this.#remove(card, row),
    });
    return card;
  }

  #replace(card, item) {
    const other = this.#card(item);
    card.replaceWith(other);
    other.querySelector("a").focus();
    this.#onChanged();
  }

  async #remove(card, row) {
    const name = nameOf(row);
    const signal = this.#changes.start();
    this.removed.busy(t.collection.removing(name));
    try {
      const removal = await removeItem(this.#name, row, { signal });
      this.removed.clear();
      if (removal === null) return;
      card.hidden = true;
      const undo = () => this.#putBack(card, removal.restore, name);
      const actions = removal.restore ? [button(t.collection.undo, undo, { kind: "small", symbol: "back" })] : [];
      this.removed.message(t.collection.removed(name), ...actions);
      this.#sayCount();
      say(t.collection.removed(name));
      // Who pressed Remove is where it can be undone, or at the picture that came after it.
      const next = card.nextElementSibling ?? card.previousElementSibling;
      const target = this.removed.element.querySelector("button") ?? next?.querySelector("a");
      target?.focus({ preventScroll: true });
      this.#onChanged();
    } catch (error) {
      if (error.name !== "AbortError") this.removed.problem(error);
    }
  }

  async #putBack(card, restore, name) {
    this.removed.busy(t.item.adding);
    try {
      const item = await restore();
      this.removed.clear();
      this.#replace(card, item);
      flash(t.collection.undone(name));
    } catch (error) {
      this.removed.problem(error, () => this.#putBack(card, restore, name));
    }
  }
}
