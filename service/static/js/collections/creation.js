// Making an empty collection.

import { api } from "../api.js";
import { openDialog } from "../dialogs.js";
import { button, field, freshId, h } from "../dom.js";
import { Notice, flash } from "../notice.js";
import { go } from "../route.js";
import { t } from "../strings.js";
import { writes } from "../writes.js";

/** Open the dialog that makes one; then its page is shown where pictures are added. */
export function openCreation() {
  const words = t.collection.create;
  const name = h("input", { type: "text", autocomplete: "off", spellcheck: false, required: true, maxLength: 64 });
  const encoder = h("select", {}, h("option", { value: "" }, words.encoderDefault));
  const notice = new Notice();
  const form = h(
    "form",
    {},
    field(words.name, name, { id: freshId("name"), hint: words.nameHelp }),
    field(words.encoder, encoder, { id: freshId("encoder"), hint: words.encoderHelp }),
    notice.element,
    h(
      "div",
      { class: "actions" },
      h("button", { type: "submit", class: "button primary" }, words.create),
      button(words.cancel, () => dialog.close(), { kind: "quiet" }),
    ),
  );
  const { dialog, signal } = openDialog(words.title, [form]);
  offerEncoders(encoder, signal);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const wanted = name.value.trim();
    try {
      await writes.createCollection(wanted, { encoder: encoder.value }, { signal });
      dialog.close();
      flash(words.created(wanted));
      go("collections", { name: wanted, part: "add" });
    } catch (error) {
      if (error.name !== "AbortError") notice.problem(error);
    }
  });
}

// The default one does without them.
async function offerEncoders(select, signal) {
  const answer = await api.encoders({ signal, quiet: true }).catch(() => null);
  const usable = (answer?.encoders ?? []).filter(({ installed }) => installed);
  select.append(...usable.map(({ name }) => h("option", { value: name }, name)));
}
