// A picture of a collection as a card: the picture itself is a link that searches from it.

import { button, h, icon } from "./dom.js";
import { score, shortKey, sure } from "./format.js";
import { picture, sized } from "./pictures.js";
import { t } from "./strings.js";

const SIDE = 256;

/** What to call a row: its title, or else its key. */
export const nameOf = ({ title, key }) => title || key;

/** A title as it is, which the style sheet cuts at its end; a key without what would push its own end off the card. */
const shownName = ({ title, key }) => title || shortKey(key);

/** The picture of a row as a link to `href`, with its name below. */
export function tile(row, href, { signal, label = t.start.searchFrom(nameOf(row)) }) {
  return h(
    "a",
    { class: "tile", href, "aria-label": label, draggable: false },
    picture(sized(row.thumbnail_url, SIDE), "", { signal }),
  );
}

/**
 * A card of a search result. `threshold` is the cosine where "similar" begins, `origin` its collection if there are
 * several, `votes` what a person may say of it, or null, `onGroup` shows all pictures of its group, or is null.
 */
export function resultCard(result, { href, threshold, origin, signal, votes, onGroup, onCompare, onWhy, onDetails }) {
  const name = nameOf(result);
  return h(
    "li",
    { class: "card", data: { key: result.key, score: result.score } },
    h(
      "div",
      { class: "card-picture" },
      tile(result, href, { signal, label: labelOf(result, origin) }),
      votes && voteButtons(votes, name),
    ),
    h(
      "div",
      { class: "card-score" },
      bar(result.score, threshold),
      h("span", { class: "number" }, score(result.score)),
      confidenceOf(result),
      badge(result),
    ),
    h("p", { class: "card-name", title: name }, shownName(result)),
    origin && h("p", { class: "hint card-origin" }, t.results.from(origin)),
    onGroup && groupButton(result, name, onGroup),
    result.passed_filter === false && h("p", { class: "hint" }, t.results.notPassing),
    h(
      "div",
      { class: "card-actions" },
      button(t.results.compare, onCompare, { kind: "text", "aria-label": t.results.compareWith(name) }),
      onWhy && button(t.results.why, onWhy, { kind: "text", "aria-label": t.results.whyOf(name) }),
      button(t.results.details, onDetails, { kind: "text", "aria-label": t.results.detailsOf(name) }),
    ),
  );
}

function voteButtons({ isLiked, isDisliked, onLike, onDislike }, name) {
  const vote = (symbol, words, isPressed, listener) =>
    h(
      "button",
      {
        type: "button",
        class: "vote",
        "aria-label": words,
        title: words,
        "aria-pressed": String(isPressed),
        on: { click: listener },
      },
      icon(symbol),
    );
  return h(
    "div",
    { class: "card-votes" },
    vote("more", t.feedback.like(name), isLiked, onLike),
    vote("less", t.feedback.dislike(name), isDisliked, onDislike),
  );
}

function groupButton({ group }, name, onGroup) {
  const label = t.arrange.groupLabel(group, name);
  return button(t.arrange.groupOf(group), onGroup, { kind: "text card-group", "aria-label": label });
}

// What the eye takes from the number, the per cent and the badge below the picture.
function labelOf(result, origin) {
  const { confidence } = result;
  const known = confidence === null ? [] : [t.confidence.meaning(sure(confidence))];
  const from = origin === null ? [] : [t.results.from(origin)];
  return [t.results.searchFrom(nameOf(result)), ...from, t.results.score(score(result.score)), ...known].join(", ");
}

/** The verdict in a word: the tier where it is known, else what the score says. */
export function badge(result) {
  const { similar, tier } = result;
  const isCopy = similar && tier !== null && tier !== "similar";
  const kind = isCopy ? "copy" : similar ? "yes" : "no";
  const word = tier === null || tier === "different" ? verdictOf(result) : t.tiers[tier];
  return h("span", { class: `verdict ${kind}` }, word);
}

/** Whether a score is below the threshold, and yet as likely as not one of a pair that shows the same thing. */
export const isPerhaps = ({ similar, confidence }) => !similar && (confidence ?? 0) >= 0.5;

/** What a score says in a word. */
export function verdictOf(result) {
  if (result.similar) return t.verdict.similar;
  return isPerhaps(result) ? t.verdict.perhaps : t.verdict.different;
}

function confidenceOf({ confidence }) {
  if (confidence === null) return null;
  const percent = sure(confidence);
  return h("span", { class: "sure", title: t.confidence.meaning(percent) }, percent);
}

/** A card that shows the picture and its name, for browsing. */
export function browseCard(row, { href, signal, onDetails, onEdit, onRemove }) {
  const name = nameOf(row);
  return h(
    "li",
    { class: "card", data: { key: row.key } },
    tile(row, href, { signal }),
    h("p", { class: "card-name", title: name }, shownName(row)),
    h(
      "div",
      { class: "card-actions" },
      button(t.results.details, onDetails, { kind: "text", "aria-label": t.results.detailsOf(name) }),
      button(t.collection.edit, onEdit, { kind: "text", "aria-label": t.collection.editWhich(name) }),
      button(t.collection.remove, onRemove, { kind: "text", "aria-label": t.collection.removeWhich(name) }),
    ),
  );
}

/** A bar from 0 to 1 with a tick where "similar" begins. The number beside it says the same. */
export function bar(value, threshold) {
  const kind = value >= threshold ? "yes" : "no";
  const element = h("span", { class: `bar ${kind}`, "aria-hidden": "true" }, h("span", {}));
  element.style.setProperty("--value", String(Math.min(1, Math.max(0, value))));
  element.style.setProperty("--at", String(Math.min(1, Math.max(0, threshold))));
  return element;
}
