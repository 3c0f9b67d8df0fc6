// The keyboard of the review, and the dialog that lists it.

import { openDialog } from "../dialogs.js";
import { button, h } from "../dom.js";
import { t } from "../strings.js";

const KEYS = {
  j: "next",
  k: "previous",
  ArrowRight: "right",
  l: "right",
  ArrowLeft: "left",
  h: "left",
  " ": "toggle",
  Enter: "accept",
  n: "apart",
  N: "apartOne",
  u: "undo",
  v: "mode",
  "?": "help",
};
const LISTED = ["next", "previous", "left", "right", "toggle", "accept", "apart", "apartOne", "undo", "mode", "help"];

/** Do `actions[name]()` when its key is pressed, unless `isOff()`; gives back what stops that. */
export function listenForKeys(actions, isOff) {
  const listener = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isOff()) return;
    const name = KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
    if (!name || !actions[name] || document.querySelector("dialog[open]")) return;
    if (event.target.closest("input, select, textarea")) return;
    // A button that has the focus is pressed by these itself.
    if ((event.key === " " || event.key === "Enter") && event.target.closest("button, a, summary")) return;
    event.preventDefault();
    actions[name]();
  };
  document.addEventListener("keydown", listener);
  return () => document.removeEventListener("keydown", listener);
}

/** Show which key does what. */
export function showKeys() {
  const rows = LISTED.map((name) => {
    const [keys, meaning] = t.duplicates.keys[name];
    const caps = keys.flatMap((key, index) => (index ? [` ${t.duplicates.or} `, h("kbd", {}, key)] : [h("kbd", {}, key)]));
    return h("tr", {}, h("th", { scope: "row" }, ...caps), h("td", {}, meaning));
  });
  const { dialog } = openDialog(t.duplicates.keysTitle, [
    h("table", { class: "keys" }, h("tbody", {}, ...rows)),
    h("div", { class: "actions" }, button(t.details.close, () => dialog.close(), { kind: "primary" })),
  ]);
}

/** Call these when a finger swipes over an element to the left, or to the right. */
export function listenForSwipes(element, onLeft, onRight) {
  const LEAST = 60;
  let begin = null;
  element.addEventListener("touchstart", ({ touches }) => (begin = touches.length === 1 ? touches[0] : null), {
    passive: true,
  });
  element.addEventListener(
    "touchend",
    ({ changedTouches: [end] }) => {
      if (begin === null) return;
      const [dx, dy] = [end.clientX - begin.clientX, end.clientY - begin.clientY];
      begin = null;
      if (Math.abs(dx) < LEAST || Math.abs(dx) < 2 * Math.abs(dy)) return;
      if (dx < 0) onLeft();
      else onRight();
    },
    { passive: true },
  );
}
