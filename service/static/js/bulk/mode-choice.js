// One of several ways to do something: a radio button, what it is, and what it means.

import { h } from "../dom.js";

/** The label around a radio button. */
export function modeChoice(input, words, help) {
  const text = h("span", {}, h("strong", {}, words), h("span", { class: "hint" }, help));
  return h("label", { class: "mode" }, input, text);
}
