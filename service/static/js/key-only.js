// A collection that cannot be searched with pictures, for its encoder is not here any more: why, and what mends it.

import { button, copied, h, icon } from "./dom.js";
import { flash, say, textOfDetail } from "./notice.js";
import { t } from "./strings.js";

/** The banner that says so; hidden while there is nothing to say. */
export class KeyOnlyBanner {
  constructor() {
    this.element = h("section", { class: "notice key-only", role: "note", hidden: true });
  }

  /** Show a collection's `picture_problem`, or null for none. */
  show(problem) {
    const isNews = Boolean(problem) && this.element.hidden;
    this.element.hidden = !problem;
    this.element.replaceChildren(...(problem ? content(problem) : []));
    if (isNews) say(t.keyOnly.title);
  }
}

function content({ detail, command }) {
  return [
    icon("warning"),
    h(
      "div",
      { class: "notice-text" },
      h("h2", {}, t.keyOnly.title),
      h("p", {}, textOfDetail(detail)),
      h("p", {}, t.keyOnly.works),
      ...(command ? remedy(command) : []),
    ),
  ];
}

function remedy(command) {
  const copy = async () => {
    if (await copied(command)) flash(t.empty.copied);
  };
  return [
    h("p", {}, t.keyOnly.mend),
    h("pre", { class: "command", tabIndex: 0 }, h("code", {}, command)),
    // Without https browsers offer no clipboard.
    navigator.clipboard && h("div", {}, button(t.empty.copy, copy, { kind: "small", symbol: "copy" })),
  ];
}

/** Why a collection of a list cannot be searched with pictures, or null if it can. */
export const pictureProblemOf = (list, name) => list.find((each) => each.name === name)?.picture_problem ?? null;

/** Say why a picture that was given is not searched with. */
export const refusePicture = (name) => flash(t.keyOnly.refused(name));
