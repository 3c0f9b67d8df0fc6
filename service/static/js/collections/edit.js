// Changing the title, product and metadata of one picture, in a dialog.

import { nameOf } from "../card.js";
import { openDialog } from "../dialogs.js";
import { button, h } from "../dom.js";
import { Notice, flash } from "../notice.js";
import { picture, sized } from "../pictures.js";
import { t } from "../strings.js";
import { itemWithTag, writes } from "../writes.js";
import { ItemForm } from "./item-form.js";

/** Open the dialog on an item of a collection; `onSaved(item)` with the item as it is then. */
export function openEditor(collection, row, columns, onSaved) {
  const form = new ItemForm();
  const notice = new Notice();
  const save = h("button", { type: "submit", class: "button primary", disabled: true }, t.item.save);
  // What was typed before the item is here would be lost when it comes.
  const fields = h("fieldset", { class: "fields", disabled: true }, form.element);
  const preview = picture(sized(row.thumbnail_url, 256), "", { eager: true });
  const body = h(
    "form",
    { class: "edit-form" },
    h("div", { class: "edit-picture" }, preview),
    fields,
    notice.element,
    h(
      "div",
      { class: "actions" },
      save,
      button(t.item.cancel, () => dialog.close(), { kind: "quiet" }),
    ),
  );
  const { dialog, signal } = openDialog(t.item.editTitle(nameOf(row)), [body], { kind: "medium" });
  let tag = null;
  const load = async () => {
    notice.clear();
    try {
      const loaded = await itemWithTag(collection, row.key, { signal });
      tag = loaded.tag;
      form.set(columns, loaded.item);
      fields.disabled = save.disabled = false;
      form.title.focus();
    } catch (error) {
      if (error.name !== "AbortError") notice.problem(error, load);
    }
  };
  const store = async () => {
    const changes = form.changes();
    if (changes === null) return;
    if (Object.values(changes).every((value) => value === null)) {
      dialog.close();
      return;
    }
    save.disabled = true;
    notice.busy(t.item.saving);
    try {
      const { item } = await writes.patchItem(collection, row.key, changes, { tag, signal });
      dialog.close();
      onSaved(item);
      flash(t.collection.saved(nameOf(item)));
    } catch (error) {
      if (error.name === "AbortError") return;
      save.disabled = false;
      if (error.code === "version-mismatch") notice.message(t.item.conflict);
      else notice.problem(error);
    }
  };
  body.addEventListener("submit", (event) => {
    event.preventDefault();
    store();
  });
  load();
}
