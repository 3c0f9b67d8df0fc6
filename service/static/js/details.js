// All that is known about one picture of a collection, in a dialog.

import { api, blob } from "./api.js";
import { nameOf, verdictOf } from "./card.js";
import { openDialog } from "./dialogs.js";
import { button, facts, h, save } from "./dom.js";
import { bytes, score, sure } from "./format.js";
import { Notice, say } from "./notice.js";
import { picture } from "./pictures.js";
import { t } from "./strings.js";

/** Open the dialog on a row of `collection`, a search result or an item; `href` searches from it. */
export function openDetails(collection, row, href) {
  const body = h("div", { class: "details-facts" });
  const notice = new Notice();
  const frame = h("div", { class: "details-picture" });
  const search = h("a", { class: "button primary", href, on: { click: () => dialog.close() } }, t.details.search);
  const keep = button(t.details.save, () => keepPicture(row, notice, signal), { symbol: "save" });
  const content = h(
    "div",
    { class: "details-body" },
    frame,
    h("div", {}, body, h("div", { class: "actions" }, search, keep), notice.element),
  );
  describe(body, row);
  const { dialog, signal } = openDialog(nameOf(row), [content], { kind: "details", hasCross: true });
  frame.append(picture(`${row.thumbnail_url}?size=1024`, "", { signal, eager: true }));
  if (row.width === undefined) complete(collection, row, body, notice, signal);
}

// A search result says how alike, the item says what the file is: together they are everything.
async function complete(collection, row, body, notice, signal) {
  try {
    const item = await api.item(collection, row.key, { signal });
    describe(body, { ...item, ...row });
  } catch (error) {
    if (error.name !== "AbortError") notice.problem(error);
  }
}

function describe(body, row) {
  const metadata = Object.entries(row.metadata ?? {});
  body.replaceChildren(
    facts([
      [t.details.rank, text(row.rank)],
      [t.details.score, row.score === undefined ? null : score(row.score)],
      [t.details.normalised, row.normalized_score === undefined ? null : score(row.normalized_score)],
      [t.details.verdict, row.similar === undefined ? null : verdictOf(row)],
      [t.details.confidence, isAbsent(row.confidence) ? null : t.confidence.meaning(sure(row.confidence))],
      [t.details.tier, row.tier ? t.tiers[row.tier] : row.tier_problem],
      [t.details.key, row.key],
      [t.details.title, row.title || null],
      [t.details.product, row.product_id || null],
      [t.details.size, row.width === undefined ? null : t.details.pixels(row.width, row.height)],
      [t.details.format, row.format ?? null],
      [t.details.bytes, row.byte_size === undefined ? null : bytes(row.byte_size)],
      [t.details.digest, row.content_digest ?? null],
    ]),
    h("h3", {}, t.details.metadata),
    metadata.length
      ? facts(metadata.map(([name, value]) => [name, text(value) ?? t.details.nothing]))
      : h("p", { class: "hint" }, t.details.noMetadata),
  );
}

const isAbsent = (value) => value === null || value === undefined;

function text(value) {
  if (isAbsent(value)) return null;
  if (typeof value === "boolean") return value ? t.details.yes : t.details.no;
  if (Array.isArray(value)) return value.join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

async function keepPicture(row, notice, signal) {
  notice.clear();
  say(t.details.saving);
  try {
    save(await blob(row.image_url, { signal }), fileName(row.key));
  } catch (error) {
    if (error.name !== "AbortError") notice.problem(error, () => keepPicture(row, notice, signal));
  }
}

// The last part of a key is a file's name in folders, and anything at all in manifests.
const fileName = (key) => key.split("/").pop().replaceAll(/[^\p{L}\p{N}. _-]/gu, "_") || "picture";
