// Taking a collection out of service, after its name was typed again.

import { openDialog } from "../dialogs.js";
import { button, field, freshId, h } from "../dom.js";
import { Notice, flash } from "../notice.js";
import { go } from "../route.js";
import { t } from "../strings.js";
import { writes } from "../writes.js";
import { noteDeleted } from "./restoration.js";

/** The end of a collection's page: what deleting means, and the button for it. */
export function deletionPanel(name) {
  return [
    h("h2", {}, t.collection.destroy.title),
    h("p", {}, t.collection.destroy.text),
    h(
      "div",
      { class: "actions" },
      button(t.collection.destroy.open, () => askToDelete(name), { kind: "danger" }),
    ),
  ];
}

function askToDelete(name) {
  const words = t.collection.destroy;
  const input = h("input", { type: "text", autocomplete: "off", spellcheck: false, required: true, autofocus: true });
  const notice = new Notice();
  const form = h(
    "form",
    {},
    h("p", {}, words.text),
    h("pre", { class: "command", tabIndex: 0 }, h("code", {}, words.restore(name))),
    field(words.type(name), input, { id: freshId("confirm") }),
    notice.element,
    h(
      "div",
      { class: "actions" },
      h("button", { type: "submit", class: "button danger" }, words.yes),
      button(words.cancel, () => dialog.close(), { kind: "quiet" }),
    ),
  );
  const { dialog, signal } = openDialog(words.confirm(name), [form]);
  input.addEventListener("input", () => input.setCustomValidity(""));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (input.value !== name) {
      input.setCustomValidity(words.wrong);
      input.reportValidity();
      return;
    }
    try {
      const { restorable } = await writes.deleteCollection(name, { signal });
      if (restorable) noteDeleted(name);
      dialog.close();
      flash(words.done(name));
      go("collections");
    } catch (error) {
      if (error.name !== "AbortError") notice.problem(error);
    }
  });
}
