// Setting fields of all selected pictures, in a dialog.

import { MetadataRows } from "../collections/metadata-rows.js";
import { openDialog } from "../dialogs.js";
import { button, h } from "../dom.js";
import { Notice, flash } from "../notice.js";
import { t } from "../strings.js";
import { MOST, setFields } from "./changes.js";

/** Open the dialog on items of a collection; `onDone()` when some were changed. */
export function openSetDialog(name, keys, columns, onDone) {
  const rows = new MetadataRows();
  rows.set(columns, {});
  const notice = new Notice();
  const send = h("button", { type: "submit", class: "button primary" }, t.map.setDo);
  const fields = h("fieldset", { class: "fields" }, rows.element);
  const body = h(
    "form",
    { class: "edit-form set-form" },
    h("p", { class: "hint" }, keys.length > MOST ? t.map.tooMany(MOST) : t.map.setHelp),
    fields,
    notice.element,
    h(
      "div",
      { class: "actions" },
      send,
      button(t.map.cancel, () => dialog.close(), { kind: "quiet" }),
    ),
  );
  const { dialog, signal } = openDialog(t.map.setTitle(keys.length), [body], { kind: "medium" });
  send.disabled = keys.length > MOST;
  const store = async () => {
    const metadata = rows.read();
    if (metadata === null) return;
    if (!Object.keys(metadata).length) {
      notice.message(t.map.setNothing);
      return;
    }
    send.disabled = fields.disabled = true;
    const onProgress = (done) => notice.busy(t.map.setting(done, keys.length));
    const onWait = (problem, seconds) => notice.wait(problem, seconds);
    onProgress(0);
    try {
      const { done, failed, reason } = await setFields(name, keys, metadata, { signal, onProgress, onWait });
      if (done) onDone();
      if (failed) notice.message(t.map.setFailed(done, failed, reason));
      else {
        dialog.close();
        flash(t.map.setDone(done));
      }
    } catch (error) {
      notice.problem(error);
    } finally {
      send.disabled = fields.disabled = false;
    }
  };
  body.addEventListener("submit", (event) => {
    event.preventDefault();
    store();
  });
}
