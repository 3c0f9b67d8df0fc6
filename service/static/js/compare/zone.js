// One of the two pictures to compare: a place to drop, paste or choose it.

import { titleOf } from "../api.js";
import { button, h, icon } from "../dom.js";
import { pickers } from "../picture-input.js";
import { large, picture, setBlob } from "../pictures.js";
import { t } from "../strings.js";
import { Latest } from "../task.js";

export class Zone {
  #latest = new Latest();
  #shown = undefined;

  /** `receive(files)` gets what was chosen here; `remove()` empties it. */
  constructor(label, { receive, remove }) {
    this.view = h("div", { class: "zone-view" });
    this.name = h("p", { class: "query-name" });
    this.remove = button(t.compare.remove, remove, {
      kind: "small quiet",
      symbol: "close",
      "aria-label": t.compare.removeWhich(label),
    });
    this.empty = h(
      "div",
      { class: "zone-empty" },
      icon("drop"),
      h("p", { class: "hint" }, t.compare.drop),
      pickers({ choose: t.compare.choose, photograph: t.compare.photograph, receive, kind: "" }),
    );
    this.full = h("div", { class: "zone-full" }, this.view, h("div", { class: "zone-foot" }, this.name, this.remove));
    this.notice = h("p", { class: "invalid", hidden: true });
    this.element = h(
      "section",
      { class: "zone", tabIndex: 0, "aria-label": label },
      h("h2", {}, label),
      this.notice,
      this.empty,
      this.full,
    );
    this.show(null);
  }

  /** Show a source (see uploads.js), or the way to give one. */
  show(source) {
    const isGone = source?.kind === "gone";
    this.notice.hidden = !isGone;
    this.notice.textContent = isGone ? t.compare.gone : "";
    const usable = isGone ? null : source;
    this.empty.hidden = usable !== null;
    this.full.hidden = usable === null;
    this.element.classList.toggle("full", usable !== null);
    const same = JSON.stringify(usable) === this.#shown;
    this.#shown = JSON.stringify(usable);
    if (same) return;
    const signal = this.#latest.start();
    this.name.textContent = usable?.name ?? "";
    this.name.title = usable?.name ?? "";
    if (usable === null) this.view.replaceChildren();
    else if (usable.kind === "file") this.#showFile(usable.file);
    else this.#showItem(usable, signal);
  }

  /** Draw boxes ([x0, y0, x1, y1] as fractions) over the picture, in place of those there. */
  mark(boxes) {
    const places = boxes.map(([left, top, right, bottom]) => {
      const place = h("span", { class: "differs" });
      const percent = (part) => `${(100 * part).toFixed(2)}%`;
      Object.assign(place.style, {
        left: percent(left),
        top: percent(top),
        width: percent(right - left),
        height: percent(bottom - top),
      });
      return place;
    });
    for (const place of this.view.querySelectorAll(".differs")) place.remove();
    this.view.firstElementChild?.append(...places);
  }

  #frame(image) {
    this.view.replaceChildren(h("div", { class: "zone-picture" }, image));
  }

  async #showItem(source, signal) {
    const { collection, key } = source;
    this.#frame(picture(large(collection, key), key, { signal, eager: true }));
    const title = await titleOf(source, signal);
    if (!signal.aborted && title !== null) this.name.textContent = title;
  }

  #showFile(file) {
    const image = h("img", { alt: file.name, draggable: false });
    image.addEventListener("error", () =>
      this.view.replaceChildren(h("div", { class: "undrawn" }, icon("missing"), h("p", {}, t.compare.cannotDraw))),
    );
    setBlob(image, file);
    this.#frame(image);
  }
}
