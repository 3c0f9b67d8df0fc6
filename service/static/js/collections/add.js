// Adding to a collection: one picture with its fields, or many of them.

import { api } from "../api.js";
import { nameOf } from "../card.js";
import { button, h, icon } from "../dom.js";
import { Notice, flash, say } from "../notice.js";
import { pickers } from "../picture-input.js";
import { setBlob } from "../pictures.js";
import { link } from "../route.js";
import { t } from "../strings.js";
import { Latest } from "../task.js";
import { writes } from "../writes.js";
import { CheckPanel } from "./check.js";
import { ItemForm } from "./item-form.js";

export class AddPart {
  #latest = new Latest();
  #name = null;
  #columns = [];
  #file = null;
  #onChanged;

  /** `onChanged()` after a picture was added. */
  constructor({ onChanged }) {
    this.#onChanged = onChanged;
    const receive = (files) => this.receive(files);
    this.zone = h(
      "div",
      { class: "dropzone" },
      icon("drop"),
      h("p", { class: "dropzone-title wide-only" }, t.item.drop),
      h("p", { class: "dropzone-title hand-only" }, t.item.give),
      pickers({ choose: t.item.choose, photograph: t.start.photograph, receive }),
    );
    this.notice = new Notice();
    this.preview = h("div", { class: "edit-picture" });
    this.check = new CheckPanel();
    this.form = new ItemForm({ onKey: (key) => this.#lookUp(key) });
    this.submit = h("button", { type: "submit", class: "button primary" }, t.item.add);
    const again = pickers({ choose: t.item.another, photograph: t.start.photograph, receive, kind: "small" });
    this.single = h(
      "form",
      { class: "panel add-form", hidden: true, "aria-label": t.item.addTitle },
      h("div", { class: "add-side" }, this.preview, again, this.check.element),
      h(
        "div",
        { class: "add-fields" },
        this.form.element,
        h(
          "div",
          { class: "actions" },
          this.submit,
          button(t.item.cancel, () => this.clear(), { kind: "quiet" }),
        ),
      ),
    );
    this.single.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#store();
    });
    this.element = h("div", { class: "add" }, this.zone, this.notice.element, this.single);
  }

  /** Show it for a collection. */
  show(name) {
    if (name !== this.#name) this.clear();
    this.#name = name;
  }

  describe({ columns }) {
    this.#columns = columns ?? [];
    if (this.#file === null) this.form.set(this.#columns);
  }

  stop() {
    this.#latest.stop();
  }

  /** Take a picture: it is shown with its fields, and the service says whether it is there already. */
  receive([file]) {
    this.#file = file;
    this.notice.clear();
    this.zone.hidden = true;
    this.single.hidden = false;
    const image = h("img", { alt: t.query.alt, draggable: false });
    image.addEventListener("error", () => this.preview.replaceChildren(h("p", { class: "hint" }, t.query.cannotDraw)));
    setBlob(image, file);
    this.preview.replaceChildren(image);
    this.form.set(this.#columns);
    this.form.key.value = keyOf(file.name);
    this.form.key.focus();
    this.#lookUp(this.form.key.value);
    this.check.show(this.#name, file);
  }

  clear() {
    const hadFocus = this.single.contains(document.activeElement);
    this.#latest.stop();
    this.#file = null;
    this.check.clear();
    this.notice.clear();
    this.single.hidden = true;
    this.zone.hidden = false;
    if (hadFocus) this.zone.querySelector("input").focus();
  }

  // A key that is taken means that its picture is replaced, which one should know before, and that its fields stay
  // unless they are changed.
  async #lookUp(key) {
    const signal = this.#latest.start();
    this.form.keyNote.textContent = "";
    this.submit.textContent = t.item.add;
    if (!key) return;
    const item = await api.item(this.#name, key, { signal, quiet: true }).catch(() => null);
    if (signal.aborted || item === null) return;
    this.form.keyNote.textContent = t.item.keyTaken(nameOf(item));
    this.submit.textContent = t.item.replace;
    if (this.form.isBlank) this.form.set(this.#columns, item);
  }

  async #store() {
    const fields = this.form.read();
    if (fields === null) return;
    const key = this.form.key.value.trim();
    this.submit.disabled = true;
    this.notice.busy(t.item.adding);
    try {
      const { item } = await writes.putItem(this.#name, key, { image: this.#file, ...fields });
      this.clear();
      const href = link("search", { collection: this.#name, key });
      this.notice.message(t.item.added(nameOf(item)), h("a", { class: "button small", href }, t.item.show));
      this.#onChanged();
    } catch (error) {
      this.notice.problem(error);
    } finally {
      this.submit.disabled = false;
    }
  }
}

/** A key from the name of a file: without its ending, which says nothing about what it shows. */
const keyOf = (name) => name.replace(/\.[A-Za-z0-9]{2,4}$/, "");
