// A row of buttons that each open a panel below the row: one at a time, closed by Esc, a click elsewhere, or going on.

import { button, h, icon } from "../dom.js";
import { t } from "../strings.js";

export class DisclosureRow {
  #parts = [];

  constructor(label) {
    this.element = h("div", { class: "disclosures", role: "group", "aria-label": label });
    this.element.addEventListener("keydown", (event) => {
      const open = this.#parts.find((part) => part.element.open);
      if (event.key !== "Escape" || !open) return;
      event.stopPropagation();
      open.close();
    });
    // Who goes on with the Tab key has left it, and wants to see what it covers.
    this.element.addEventListener("focusout", (event) => {
      if (event.relatedTarget && !this.element.contains(event.relatedTarget)) this.closeAll();
    });
    document.addEventListener("pointerdown", (event) => {
      if (this.element.isConnected && !this.element.contains(event.target)) this.closeAll();
    });
  }

  /** Show these parts, in their order. */
  set(parts) {
    this.#parts = parts;
    for (const part of parts) part.onOpen = () => this.#closeOthers(part);
    this.element.replaceChildren(...parts.map(({ element }) => element));
  }

  append(...elements) {
    this.element.append(...elements);
  }

  closeAll() {
    for (const part of this.#parts) part.element.open = false;
  }

  #closeOthers(part) {
    for (const other of this.#parts) if (other !== part) other.element.open = false;
  }
}

/** One of them: a button with `label`, and a panel with `body`; `onFirst()` whenever it is opened. */
export class Disclosure {
  onOpen = () => {};

  constructor(label, body, { onOpened = () => {}, onClear = null, clearLabel = null } = {}) {
    this.name = label;
    this.badge = h("span", { class: "badge", "aria-hidden": "true", hidden: true });
    this.summary = h("summary", { class: "button small" }, h("span", {}, label), this.badge, icon("down"));
    const clear = onClear && button(t.filters.clear, onClear, { kind: "text", "aria-label": clearLabel });
    this.foot = h(
      "div",
      { class: "panel-foot" },
      clear,
      button(t.filters.done, () => this.close(), { kind: "small" }),
    );
    this.element = h(
      "details",
      { class: "disclosure" },
      this.summary,
      h("div", { class: "popup" }, h("p", { class: "popup-title", "aria-hidden": "true" }, label), body, this.foot),
    );
    this.element.addEventListener("toggle", () => {
      if (!this.element.open) return;
      this.onOpen();
      onOpened();
    });
  }

  /** Close it; who was in it goes on at its button. */
  close() {
    const hadFocus = this.element.contains(document.activeElement);
    this.element.open = false;
    if (hadFocus) this.summary.focus();
  }

  /** Say on the button how much is chosen: a number, true for "something", or 0. */
  mark(chosen) {
    this.badge.hidden = !chosen;
    this.badge.textContent = chosen === true ? "•" : String(chosen);
    this.summary.classList.toggle("active", Boolean(chosen));
    const words = chosen === true ? t.filters.active(this.name) : t.filters.chosen(this.name, chosen);
    if (chosen) this.summary.setAttribute("aria-label", words);
    else this.summary.removeAttribute("aria-label");
  }
}
