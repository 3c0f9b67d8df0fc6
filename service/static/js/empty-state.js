// When there is nothing to search yet: what to run, and what works already.

import { button, copied, h } from "./dom.js";
import { flash, say } from "./notice.js";
import { link } from "./route.js";
import { collections } from "./store.js";
import { t } from "./strings.js";

const EVERY = 5000;

/** The panel, hidden at first; `again()` looks for collections once more. While it is seen it looks by itself. */
export function emptyState(again) {
  const panel = makePanel(again);
  setInterval(async () => {
    if (document.hidden || panel.hidden || !panel.isConnected) return;
    // A service that does not answer now may answer the next time.
    const list = await collections({ fresh: true, quiet: true }).catch(() => []);
    if (list.some(({ ready }) => ready) && panel.isConnected && !panel.hidden) again();
  }, EVERY);
  return panel;
}

function makePanel(again) {
  const copy = async () => {
    if (await copied(t.empty.command)) flash(t.empty.copied);
  };
  return h(
    "div",
    { class: "panel nothing", hidden: true },
    h("h2", {}, t.empty.title),
    h("p", {}, t.empty.text),
    h("pre", { class: "command", tabIndex: 0 }, h("code", {}, t.empty.command)),
    h(
      "div",
      { class: "actions" },
      // Without https browsers offer no clipboard.
      navigator.clipboard && button(t.empty.copy, copy, { kind: "small", symbol: "copy" }),
      button(t.empty.again, again, { kind: "small" }),
    ),
    h("ul", { class: "problems", hidden: true }),
    h("p", { class: "aside" }, t.empty.compareText),
    h("a", { class: "button primary", href: link("compare") }, t.empty.compare),
  );
}

/** Say in the panel why collections that exist cannot be searched. */
export function showReason(panel, list) {
  const problems = panel.querySelector(".problems");
  const rows = list.map(({ name, problem }) => t.empty.notReady(name, problem?.detail ?? t.collections.notReady));
  panel.querySelector("h2").textContent = list.length ? t.empty.titleNotReady : t.empty.title;
  problems.hidden = rows.length === 0;
  problems.replaceChildren(...rows.map((text) => h("li", {}, text)));
  if (!panel.hidden) say(panel.querySelector("h2").textContent);
}
