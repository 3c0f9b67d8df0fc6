// Bringing back a collection that was deleted.

import { openDialog } from "../dialogs.js";
import { button, field, freshId, h } from "../dom.js";
import { Notice, flash } from "../notice.js";
import { go } from "../route.js";
import { t } from "../strings.js";
import { writes } from "../writes.js";

let last = "";

/** Offer this one first: it was deleted just now. */
export const noteDeleted = (name) => {
  last = name;
};

/** Open the dialog that asks which one; then its page is shown. */
export function openRestoration() {
  const words = t.collection.restore;
  const name = h("input", {
    type: "text",
    value: last,
    autocomplete: "off",
    spellcheck: false,
    required: true,
    maxLength: 64,
  });
  const notice = new Notice();
  const form = h(
    "form",
    {},
    h("p", {}, words.text),
    field(words.name, name, { id: freshId("name") }),
    notice.element,
    h(
      "div",
      { class: "actions" },
      h("button", { type: "submit", class: "button primary" }, words.yes),
      button(words.cancel, () => dialog.close(), { kind: "quiet" }),
    ),
  );
  const { dialog, signal } = openDialog(words.title, [form]);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const wanted = name.value.trim();
    notice.busy(words.busy);
    try {
      await writes.restoreCollection(wanted, { signal });
      last = "";
      dialog.close();
      flash(words.done(wanted));
      go("collections", { name: wanted });
    } catch (error) {
      if (error.name !== "AbortError") notice.problem(error);
    }
  });
}
