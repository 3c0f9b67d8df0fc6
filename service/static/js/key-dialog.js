// Asking for the key, once for all requests that need it.

import { openDialog } from "./dialogs.js";
import { button, field, h } from "./dom.js";
import { setKey } from "./session.js";
import { t } from "./strings.js";

let asking = null;

/** The key that the person gave, or null. `refused` is the problem with the one before, if there was one. */
export function askForKey(refused) {
  asking ??= ask(refused).finally(() => (asking = null));
  return asking;
}

function ask(refused) {
  const input = h("input", { type: "password", required: true, autocomplete: "off", spellcheck: false });
  const words = refused?.code === "forbidden" ? t.key.mayNot : t.key.refused;
  const form = h(
    "form",
    {},
    h("p", {}, t.key.text),
    refused && h("p", { class: "invalid", role: "alert" }, words),
    field(t.key.label, input, { id: "key" }),
    h(
      "div",
      { class: "actions" },
      h("button", { type: "submit", class: "button primary" }, t.key.use),
      button(t.key.cancel, () => dialog.close(), { kind: "quiet" }),
    ),
  );
  const { dialog } = openDialog(t.key.title, [form]);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close(input.value.trim());
  });
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const key = dialog.returnValue || null;
      if (key) setKey(key);
      resolve(key);
    });
  });
}
