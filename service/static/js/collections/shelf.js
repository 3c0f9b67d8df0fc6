// All collections as cards.

import { api } from "../api.js";
import { facts, h } from "../dom.js";
import { date } from "../format.js";
import { picture, sized } from "../pictures.js";
import { link } from "../route.js";
import { t } from "../strings.js";
import { briefFacts } from "./facts.js";

// A card shows a few pictures, not all of the first product.
const COVERS = 4;
const EVERY = 4;

/** The card of a collection in the list of them. */
export function shelfCard({ name, ready, count: items, snapshot, encoder, created_at: made, problem, ...rest }) {
  const known = facts([
    [t.collections.encoder, encoder],
    [t.collections.snapshot, snapshot === null ? null : String(snapshot)],
    [t.collections.made, made ? date(made) : null],
  ]);
  const title = h("h2", {}, name);
  const size = h("p", { class: "size" }, items === null ? t.collections.notReady : t.pictures(items));
  if (!ready) {
    const why = problem && h("p", { class: "invalid" }, problem.detail);
    // An older snapshot may be served where this one cannot.
    const href = link("collections", { name, part: "snapshots" });
    const back = h("a", { href, "aria-label": t.collection.snapshotsOf(name) }, t.collection.snapshots.title);
    return h("li", { class: "panel shelf-card" }, title, size, why, known, h("p", {}, back));
  }
  const covers = h("div", { class: "covers", "aria-hidden": "true" });
  const open = h("a", { href: link("collections", { name }), class: "cover", "aria-label": t.collections.open(name) });
  const limit = rest.picture_problem && h("p", { class: "invalid" }, t.keyOnly.short);
  return h("li", { class: "panel shelf-card" }, open, covers, title, size, limit, known);
}

/** Add to a card what the list leaves out and the collection itself says. The card is good without it. */
export async function completeCard(name, card, signal) {
  if (signal.aborted) return;
  const [about, page] = await Promise.allSettled([
    api.collection(name, { signal }),
    api.items(name, { limit: COVERS * EVERY }, { signal }),
  ]);
  if (signal.aborted) return;
  if (about.value) card.querySelector(".facts").replaceWith(facts(briefFacts(about.value)));
  const rows = (page.value?.items ?? []).filter((_, index) => index % EVERY === 0);
  const covers = rows.map((row) => picture(sized(row.thumbnail_url, 96), "", { signal }));
  card.querySelector(".covers").replaceChildren(...covers);
}
