// Why two pictures are alike: both under their heat maps, and what each part of the encoder has to say.

import { bar } from "../card.js";
import { h, icon } from "../dom.js";
import { score } from "../format.js";
import { say } from "../notice.js";
import { large, picture, setBlob } from "../pictures.js";
import { t } from "../strings.js";
import { veil } from "./heat.js";

const STRENGTH = 85;
const NAMED_STAGES = [4, 5];
const LEAST = 0.0005;

export class Why {
  constructor() {
    this.title = h("h2", { tabIndex: -1 }, t.why.title);
    this.most = h("p", {});
    this.strength = h("input", { type: "range", id: "heat", min: "0", max: "100", step: "5", value: String(STRENGTH) });
    this.strength.addEventListener("input", () => this.#strengthen());
    this.output = h("output", { htmlFor: "heat" });
    this.pictures = h("div", { class: "why-pictures" });
    this.rows = h("tbody", {});
    const heads = ["part", "score", "share"].map((name) => h("th", { scope: "col" }, t.why.columns[name]));
    const labels = h("div", { class: "label-row" }, h("label", { htmlFor: "heat" }, t.why.strength), this.output);
    this.element = h(
      "section",
      { class: "panel why", hidden: true, "aria-label": t.why.title },
      this.title,
      h("p", { class: "hint" }, t.why.lead),
      this.pictures,
      h("div", { class: "field slider" }, labels, this.strength),
      this.most,
      h("table", { class: "parts" }, h("thead", {}, h("tr", {}, ...heads)), this.rows),
    );
    this.#strengthen();
  }

  clear() {
    this.element.hidden = true;
    this.pictures.replaceChildren();
    this.rows.replaceChildren();
  }

  /** Show the explanation in an answer of /compare; `sources` are the two pictures, see uploads.js. */
  show(answer, sources, signal) {
    const labels = [t.compare.first, t.compare.second];
    const shown = sources.map((source, side) => heated(source, answer.heat_maps[side], labels[side], signal));
    this.pictures.replaceChildren(...shown);
    const { parts } = answer;
    const best = parts.reduce((most, part) => (part.share > most.share ? part : most));
    this.most.hidden = best.share < answer.score / 2 || answer.score <= 0;
    this.most.textContent = t.why.most(nameOf(best, parts), score(best.share), score(answer.score));
    this.rows.replaceChildren(
      ...parts.map((part) => row(nameOf(part, parts), part)),
      ...(Math.abs(answer.rest) < LEAST ? [] : [sumRow(t.why.rest, signed(answer.rest))]),
      sumRow(t.why.sum, score(answer.score), "sum"),
    );
    this.element.hidden = false;
  }

  /** Bring it on the screen, and go on from there. */
  reveal() {
    this.title.focus({ preventScroll: true });
    this.element.scrollIntoView({ block: "start" });
    say(t.why.said);
  }

  #strengthen() {
    this.element.style.setProperty("--strength", String(this.strength.value / 100));
    this.output.textContent = t.why.strengthIs(this.strength.value);
    this.strength.setAttribute("aria-valuetext", this.output.textContent);
  }
}

// Of four stages one knows what each tends to look at; of others only which they are.
function nameOf({ name }, parts) {
  const stages = parts.filter((part) => part.name.startsWith("stage-")).length;
  const known = !name.startsWith("stage-") || NAMED_STAGES.includes(stages);
  return (known && t.why.parts[name]) || t.why.stage(name.replace("stage-", ""));
}

const signed = (share) => (share < 0 ? score(share) : `+${score(share)}`);

function row(name, part) {
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, name, bar(part.score, 0)),
    h("td", {}, score(part.score)),
    h("td", {}, signed(part.share)),
  );
}

function sumRow(name, value, kind = null) {
  return h("tr", { class: kind }, h("th", { scope: "row", colSpan: 2 }, name), h("td", {}, value));
}

function heated(source, map, label, signal) {
  const content = drawn(source, signal);
  const stage = h("div", { class: "stage" }, content);
  const image = content.querySelector("img") ?? content;
  // Small pictures are enlarged, so that the map on them can be read; the style sheet needs to know their shape.
  const shape = () => stage.style.setProperty("--shape", String(image.naturalWidth / image.naturalHeight));
  image.addEventListener("load", shape);
  const canvas = h("canvas", { role: "img", "aria-label": t.why.heated(label, source.name) });
  veil(canvas, map);
  stage.append(canvas);
  return h("figure", {}, stage, h("figcaption", { class: "hint" }, label));
}

function drawn(source, signal) {
  if (source.kind === "key") return picture(large(source.collection, source.key), "", { signal, eager: true });
  const image = h("img", { alt: "", draggable: false });
  image.addEventListener("error", () =>
    image.replaceWith(h("div", { class: "undrawn" }, icon("missing"), h("p", {}, t.why.cannotDraw))),
  );
  setBlob(image, source.file);
  return image;
}
