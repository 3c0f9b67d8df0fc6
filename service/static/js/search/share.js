// Taking the address along.

import { openDialog } from "../dialogs.js";
import { button, copied, h } from "../dom.js";
import { flash } from "../notice.js";
import { t } from "../strings.js";

/** Put the address on the clipboard, or show it where the browser does not allow that; `whole` if nothing is lost. */
export async function share(whole) {
  if (await copied(location.href)) flash(whole ? t.results.copied : t.results.copiedWithout);
  else showLink(whole ? t.results.linkHere : t.results.linkHereWithout);
}

function showLink(text) {
  const input = h("input", { type: "text", readOnly: true, value: location.href, "aria-label": t.results.linkField });
  const close = button(t.details.close, () => dialog.close(), { kind: "primary" });
  const { dialog } = openDialog(t.results.link, [h("p", {}, text), input, h("div", { class: "actions" }, close)]);
  input.select();
}
