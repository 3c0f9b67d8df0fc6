// Telling people how things stand: aloud to screen readers, and in a box where the answer would be.

import { Problem } from "./api.js";
import { button, h, icon } from "./dom.js";
import { t } from "./strings.js";

const region = h("div", { class: "visually-hidden", role: "status", "aria-live": "polite" });
const toast = h("div", { class: "toast", hidden: true, "aria-hidden": "true" });
let toastTimer = 0;

export const announcer = h("div", {}, region, toast);

/** Say it to a screen reader. */
export function say(text) {
  // The same words twice in a row would not be read again.
  region.textContent = region.textContent === text ? `${text} ` : text;
}

/** Say it, and show it for a moment. */
export function flash(text) {
  say(text);
  toast.textContent = text;
  toast.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (toast.hidden = true), 5000);
}

/** A box that shows work under way, a wait, a problem, or a message; empty and hidden otherwise. */
export class Notice {
  #timer = 0;
  #online = null;

  constructor() {
    this.element = h("div", { class: "notice", hidden: true });
  }

  clear() {
    clearInterval(this.#timer);
    if (this.#online) removeEventListener("online", this.#online);
    this.#online = null;
    this.element.hidden = true;
    this.element.replaceChildren();
  }

  /** Work under way. The words are said at once and shown by the style sheet after a moment, so nothing flickers. */
  busy(text) {
    this.#show("busy", h("span", { class: "spinner", "aria-hidden": "true" }), h("p", {}, text));
    say(text);
  }

  /** A message that is no failure, with buttons. */
  message(text, ...actions) {
    this.#show("message", h("div", { class: "notice-text" }, h("p", {}, text)), ...wrapped(actions));
    say(text);
  }

  /** What went wrong, in words; `again` offers to try once more. */
  problem(error, again = null) {
    const title = titleOf(error);
    const isKey = error.status === 401;
    const retry = again && button(isKey ? t.key.enter : t.problems.again, again, { kind: "primary" });
    this.#show("problem", icon("warning"), described(error, title), ...wrapped(retry ? [retry] : []));
    say(`${title}. ${textOf(error)}`);
    if (again && error.code === "offline") {
      this.#online = again;
      addEventListener("online", again, { once: true });
    }
  }

  /** A wait that ends by itself after so many seconds, counted down. */
  wait(error, seconds) {
    const left = h("p", { class: "countdown" });
    let rest = seconds;
    const tick = () => {
      const words = t.problems.retrying(Math.max(0, rest));
      left.textContent = error.code === "starting" ? `${t.problems.waiting} ${words}` : words;
      rest -= 1;
    };
    tick();
    const text = described(error, titleOf(error));
    text.append(left);
    this.#show("wait", h("span", { class: "spinner", "aria-hidden": "true" }), text);
    say(`${titleOf(error)}. ${left.textContent}`);
    this.#timer = setInterval(tick, 1000);
  }

  #show(kind, ...content) {
    this.clear();
    this.element.className = `notice ${kind}`;
    this.element.replaceChildren(...content);
    this.element.hidden = false;
  }
}

const wrapped = (actions) => (actions.length ? [h("div", { class: "actions" }, ...actions)] : []);

function described(error, title) {
  const rows = (error.errors ?? []).map(({ field, message }) => h("li", {}, field ? `${field}: ${message}` : message));
  return h(
    "div",
    { class: "notice-text" },
    h("h3", {}, title),
    h("p", {}, textOf(error)),
    rows.length > 0 && h("ul", {}, ...rows),
    error.requestId && h("p", { class: "request" }, t.problems.request(error.requestId)),
  );
}

const titleOf = (error) => t.problems.titles[error.code] ?? t.problems.title;

/** One sentence about any failure. */
export function textOf(error) {
  if (error instanceof Problem) return textOfDetail(error.detail);
  console.error(error);
  return t.problems.script;
}

/** A detail as a sentence. The service's begin in lower case, or with the name of a file, which stays as it is. */
export function textOfDetail(text) {
  const begun = /^[a-z]+ /.test(text) ? text[0].toUpperCase() + text.slice(1) : text;
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}
