// Adding one picture: what it is like, its key, title, product and metadata.

import { api } from "../api.js";
import { nameOf } from "../card.js";
import { button, h } from "../dom.js";
import { Notice } from "../notice.js";
import { pickers } from "../picture-input.js";
import { setBlob } from "../pictures.js";
import { link } from "../route.js";
import { t } from "../strings.js";
import { Latest } from "../task.js";
import { writes } from "../writes.js";
import { CheckPanel } from "./check.js";
import { ItemForm } from "./item-form.js";

export class SinglePicture {
  #latest = new Latest();
  #name = null;
  #columns = [];
  #file = null;
  #onAdded;
  #onClose;

  /** `onAdded()` after it was added, `onClose()` when the form goes; the notice outlives it. */
  constructor({ onAdded, onClose }) {
    this.#onAdded = onAdded;
    this.#onClose = onClose;
    this.notice = new Notice();
    this.preview = h("div", { class: "edit-picture" });
    this.check = new CheckPanel();
    this.form = new ItemForm({ onKey: (key) => this.#lookUp(key) });
    this.submit = h("button", { type: "submit", class: "button primary" }, t.item.add);
    const receive = ([file]) => this.offer(this.#name, file);
    const again = pickers({ choose: t.item.another, photograph: t.start.photograph, receive, kind: "small" });
    const cancel = button(t.item.cancel, () => this.#close(), { kind: "quiet" });
    this.element = h(
      "form",
      { class: "panel add-form", hidden: true, "aria-label": t.item.addTitle },
      h("div", { class: "add-side" }, this.preview, again, this.check.element),
      h("div", { class: "add-fields" }, this.form.element, h("div", { class: "actions" }, this.submit, cancel)),
    );
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#store();
    });
  }

  /** The columns of the collection, which the form offers. */
  setColumns(columns) {
    this.#columns = columns;
    if (this.form.isBlank) this.form.set(columns);
  }

  /** Show a picture with its fields; the service says whether it is in the collection already. */
  offer(name, file) {
    this.#name = name;
    this.#file = file;
    this.notice.clear();
    this.element.hidden = false;
    const image = h("img", { alt: t.query.alt, draggable: false });
    image.addEventListener("error", () => this.preview.replaceChildren(h("p", { class: "hint" }, t.item.cannotDraw)));
    setBlob(image, file);
    this.preview.replaceChildren(image);
    this.form.set(this.#columns);
    this.form.key.value = keyOf(file.name);
    this.form.key.focus();
    this.#lookUp(this.form.key.value);
    this.check.show(name, file);
  }

  /** Forget the picture and what was said of it. */
  clear() {
    this.#latest.stop();
    this.#file = null;
    this.check.clear();
    this.notice.clear();
    this.element.hidden = true;
  }

  #close() {
    this.clear();
    this.#onClose();
  }

  // A key that is taken means that its picture is replaced, which one should know before, and that its fields stay
  // unless they are changed.
  async #lookUp(key) {
    const signal = this.#latest.start();
    this.form.keyNote.textContent = "";
    this.submit.textContent = t.item.add;
    if (!key) return;
    const wanted = { limit: 1, filter: JSON.stringify({ key: { eq: key } }) };
    const page = await api.items(this.#name, wanted, { signal, quiet: true }).catch(() => null);
    const item = page?.items[0];
    if (signal.aborted || !item) return;
    this.form.keyNote.textContent = t.item.keyTaken(nameOf(item));
    this.submit.textContent = t.item.replace;
    if (this.form.isBlank) this.form.set(this.#columns, item);
  }

  async #store() {
    const fields = this.form.read();
    if (fields === null) return;
    const [name, key] = [this.#name, this.form.key.value.trim()];
    this.submit.disabled = true;
    this.notice.busy(t.item.adding);
    try {
      const { item } = await writes.putItem(name, key, { image: this.#file, ...fields });
      this.#close();
      const href = link("search", { collection: name, key });
      this.notice.message(t.item.added(nameOf(item)), h("a", { class: "button small", href }, t.item.show));
      this.#onAdded();
    } catch (error) {
      this.notice.problem(error);
    } finally {
      this.submit.disabled = false;
    }
  }
}

/** A key from the name of a file: without its ending, which says nothing about what it shows. */
const keyOf = (name) => name.replace(/\.[A-Za-z0-9]{2,4}$/, "");
