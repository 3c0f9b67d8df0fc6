// Dialogs: a question before something that is hard to undo, a form, and what is to be read.

import { button, freshId, h } from "./dom.js";
import { t } from "./strings.js";

/**
 * Open a dialog with `content` below its title, and with a cross beside that if it `hasCross`. It is gone once it is
 * closed, also by Esc and by a click beside it; the focus returns to where it was. `signal` of the answer ends with it.
 */
export function openDialog(title, content, { kind = "narrow", hasCross = false } = {}) {
  const id = freshId("dialog");
  const stop = new AbortController();
  const heading = h("h2", { id }, title);
  const cross = hasCross && button(t.details.close, () => dialog.close(), { kind: "quiet close", symbol: "close" });
  const head = hasCross ? h("header", {}, heading, cross) : heading;
  const dialog = h("dialog", { class: `dialog ${kind}`, "aria-labelledby": id }, head, ...content);
  // Text that is marked up to beyond the edge ends in a click there too.
  let isBegun = false;
  dialog.addEventListener("pointerdown", (event) => (isBegun = isBeside(dialog, event)));
  dialog.addEventListener("click", (event) => isBegun && isBeside(dialog, event) && dialog.close());
  dialog.addEventListener("close", () => {
    stop.abort();
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
  return { dialog, signal: stop.signal };
}

function isBeside(dialog, { target, clientX: x, clientY: y }) {
  const { left, right, top, bottom } = dialog.getBoundingClientRect();
  return target === dialog && (x < left || x > right || y < top || y > bottom);
}

/** Ask a question; true if it was answered with `yes`. */
export function confirmed(title, text, { yes, no }) {
  return new Promise((resolve) => {
    let answer = false;
    const accept = () => {
      answer = true;
      dialog.close();
    };
    const { dialog } = openDialog(title, [
      h("p", {}, text),
      h(
        "div",
        { class: "actions" },
        button(no, () => dialog.close(), { autofocus: true }),
        button(yes, accept, { kind: "primary" }),
      ),
    ]);
    dialog.addEventListener("close", () => resolve(answer));
  });
}
