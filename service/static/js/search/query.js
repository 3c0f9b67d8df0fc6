// The picture that is searched for: its preview with the box on it, and what is known about it.

import { titleOf } from "../api.js";
import { Cropper } from "../cropper.js";
import { button, h, icon } from "../dom.js";
import { pickers } from "../picture-input.js";
import { large, picture, setBlob } from "../pictures.js";
import { t } from "../strings.js";
import { Latest } from "../task.js";

export class QueryPanel {
  #latest = new Latest();
  #shown = null;
  #keyOnly = false;
  #onName;

  /** `onBox(box or null)` after the box was changed; `onName(title)`; `receive(files)` for another picture. */
  constructor({ onBox, onName, receive }) {
    this.#onName = onName;
    this.preview = h("div", { class: "preview" });
    this.cropper = new Cropper(this.preview, (box) => {
      this.#buttons();
      onBox(box);
    });
    this.name = h("p", { class: "query-name" });
    this.about = h("p", { class: "hint" });
    this.part = button(t.query.part, () => this.#begin(), { kind: "small", symbol: "crop" });
    this.whole = button(t.query.whole, () => this.cropper.clear(), { kind: "small", symbol: "whole" });
    this.pickers = pickers({ choose: t.query.another, photograph: t.start.photograph, receive, kind: "small" });
    this.element = h(
      "section",
      { class: "query", "aria-label": t.query.label },
      this.preview,
      h("div", { class: "query-text" }, this.name, this.about),
      h(
        "div",
        { class: "actions" },
        this.part,
        this.whole,
        this.pickers,
      ),
    );
  }

  /** Show a source and a box on it. The same source again keeps its picture. */
  show(source, box) {
    const id = source.kind === "file" ? source.id : JSON.stringify([source.collection, source.key]);
    if (id !== this.#shown) this.#replace(source);
    this.#shown = id;
    this.cropper.show(box);
    this.#buttons();
  }

  /** Offer no other picture and no part of this one, where a collection takes no pictures. */
  setKeyOnly(is) {
    this.pickers.hidden = is;
    this.#keyOnly = is;
    this.#buttons();
  }

  /** What the answer said about the picture. */
  setSize({ width, height }) {
    this.about.textContent = t.query.size(width, height);
  }

  #replace(source) {
    const signal = this.#latest.start();
    this.name.textContent = source.name;
    this.name.title = source.name;
    this.about.textContent = "";
    this.part.disabled = false;
    if (source.kind === "file") this.#showFile(source.file);
    else this.#showItem(source, signal);
  }

  #showFile(file) {
    const image = h("img", { alt: t.query.alt, draggable: false });
    image.addEventListener("error", () => this.#cannotDraw(t.query.cannotDraw));
    setBlob(image, file);
    this.#stage(image);
  }

  async #showItem(source, signal) {
    const frame = picture(large(source.collection, source.key), t.query.alt, { signal, eager: true });
    frame.firstChild.addEventListener("error", () => this.#cannotDraw(t.query.missing));
    this.#stage(frame);
    const title = await titleOf(source, signal);
    if (signal.aborted || title === null) return;
    this.name.textContent = title;
    this.#onName(title);
  }

  #stage(content) {
    this.cropper.stage.querySelector(":scope > img, :scope > .frame")?.remove();
    this.cropper.stage.prepend(content);
    this.preview.replaceChildren(this.cropper.stage);
  }

  #cannotDraw(text) {
    this.preview.replaceChildren(h("div", { class: "undrawn" }, icon("missing"), h("p", {}, text)));
    this.part.disabled = true;
  }

  #begin() {
    this.cropper.begin();
    this.#buttons();
  }

  #buttons() {
    this.part.hidden = this.#keyOnly || this.cropper.box !== null;
    this.whole.hidden = this.cropper.box === null;
    this.element.classList.toggle("cropping", this.cropper.box !== null);
  }
}
