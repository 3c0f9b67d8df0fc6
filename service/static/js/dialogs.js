// Dialogs: a question before something that is hard to undo, and a form.

import { button, freshId, h } from "./dom.js";

/**
 * Open a dialog with `content` below its title; it is gone once it is closed, also by a click beside it. `signal` of
 * the answer ends with it.
 */
export function openDialog(title, content, { kind = "narrow" } = {}) {
  const id = freshId("dialog");
  const stop = new AbortController();
  const dialog = h("dialog", { class: `dialog ${kind}`, "aria-labelledby": id }, h("h2", { id }, title), ...content);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    stop.abort();
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
  return { dialog, signal: stop.signal };
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
