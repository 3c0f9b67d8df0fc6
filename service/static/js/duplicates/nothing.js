// When there is nothing to review: what to run, or that nothing was found.

import { button, copied, h } from "../dom.js";
import { flash } from "../notice.js";
import { link } from "../route.js";
import { t } from "../strings.js";

/** For a collection that was not searched for duplicates yet; `again()` looks once more. */
export function notSearched(name, again) {
  const command = t.duplicates.command(name);
  const copy = async () => {
    if (await copied(command)) flash(t.empty.copied);
  };
  return [
    h("h2", {}, t.duplicates.notSearched(name)),
    h("p", {}, t.duplicates.notSearchedText),
    h("pre", { class: "command", tabIndex: 0 }, h("code", {}, command)),
    h(
      "div",
      { class: "actions" },
      h("a", { class: "button small primary", href: link("collections", { name, part: "jobs" }) }, t.duplicates.start),
      // Without https browsers offer no clipboard.
      navigator.clipboard && button(t.empty.copy, copy, { kind: "small", symbol: "copy" }),
      button(t.empty.again, again, { kind: "small" }),
    ),
  ];
}

/** For a collection in which nothing was found, or in which everything was decided to be no duplicate. */
export function noneFound(name, pictures) {
  return [
    h("h2", {}, t.duplicates.none),
    h("p", {}, t.duplicates.noneText(t.pictures(pictures))),
    h("a", { class: "button", href: link("collections", { name }) }, t.collections.open(name)),
  ];
}
