// The pictures of one collection, a page at a time.

import { api } from "../api.js";
import { browseCard } from "../card.js";
import { openDetails } from "../details.js";
import { button, facts, h, icon } from "../dom.js";
import { KeyOnlyBanner } from "../key-only.js";
import { Notice, flash, say } from "../notice.js";
import { link } from "../route.js";
import { t } from "../strings.js";
import { Latest } from "../task.js";

const PAGE = 60;

export class Browser {
  #latest = new Latest();
  #pictures = new Latest();
  #signal = null;
  #name = null;
  #snapshot = null;
  #cursor = null;
  #patiently = null;

  constructor() {
    this.title = h("h1", {});
    this.banner = new KeyOnlyBanner();
    this.facts = h("div", { class: "panel" });
    this.grid = h("ul", { class: "grid", role: "list" });
    this.notice = new Notice();
    this.more = button(t.collections.more, () => this.#load(), { kind: "more" });
    this.count = h("p", { class: "hint end" });
    this.element = h(
      "div",
      { class: "browser", hidden: true },
      h("a", { class: "back", href: link("collections") }, icon("back"), t.collections.back),
      this.title,
      this.banner.element,
      this.facts,
      this.grid,
      this.notice.element,
      h("div", { class: "end-row" }, this.more, this.count),
    );
  }

  /** Show a collection. Pages that were loaded before are still there when one comes back to it. */
  show(name, patiently) {
    this.#patiently = patiently;
    if (name === this.#name && this.grid.children.length) {
      this.more.hidden = this.#cursor === null;
      return;
    }
    this.#name = name;
    this.#snapshot = null;
    this.title.textContent = name;
    this.facts.hidden = true;
    this.banner.show(null);
    this.#empty();
    this.#load();
  }

  stop() {
    this.#latest.stop();
    this.notice.clear();
  }

  /** Show what is known about the collection, as pairs of term and description, and why it takes no pictures. */
  describe(pairs, problem) {
    this.banner.show(problem);
    this.facts.replaceChildren(facts(pairs));
    this.facts.hidden = false;
  }

  #empty() {
    this.#cursor = null;
    this.#signal = this.#pictures.start();
    this.grid.replaceChildren();
    this.count.textContent = "";
  }

  async #load() {
    const signal = this.#latest.start();
    const hadFocus = document.activeElement === this.more;
    this.more.hidden = true;
    this.notice.busy(t.collections.moreBusy);
    try {
      const wanted = { limit: PAGE, cursor: this.#cursor };
      const page = await this.#patiently(() => api.items(this.#name, wanted, { signal }), signal);
      this.notice.clear();
      if (this.#snapshot !== null && page.snapshot !== this.#snapshot) this.#startOver();
      else this.#append(page, hadFocus);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.notice.problem(error, () => this.#load());
    }
  }

  // Pages of two snapshots do not fit together.
  #startOver() {
    flash(t.collections.changed);
    this.#snapshot = null;
    this.#empty();
    this.#load();
  }

  #append(page, hadFocus) {
    this.#snapshot = page.snapshot;
    this.#cursor = page.next_cursor;
    const cards = page.items.map((row) => {
      const href = link("search", { collection: this.#name, key: row.key });
      return browseCard(row, { href, signal: this.#signal, onDetails: () => openDetails(this.#name, row, href) });
    });
    this.grid.append(...cards);
    this.more.hidden = this.#cursor === null;
    const shown = this.grid.children.length;
    if (shown === 0) this.count.textContent = t.collections.none;
    else this.count.textContent = this.#cursor === null ? t.collections.all(shown) : "";
    say(this.count.textContent || t.pictures(shown));
    // Who pressed the button goes on where the new pictures begin.
    if (hadFocus) cards[0]?.querySelector("a").focus();
  }
}
