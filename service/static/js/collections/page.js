// The page of one collection, in parts: its pictures, adding to them, what it is, its snapshots.

import { api } from "../api.js";
import { h, icon } from "../dom.js";
import { KeyOnlyBanner } from "../key-only.js";
import { go, link } from "../route.js";
import { t } from "../strings.js";
import { AboutPart } from "./about.js";
import { AddPart } from "./add.js";
import { Browser } from "./browse.js";
import { SnapshotsPart } from "./snapshots.js";

const PARTS = ["pictures", "add", "about", "snapshots"];

export class CollectionPage {
  #params = {};

  constructor() {
    const onChanged = () => this.#refresh();
    this.title = h("h1", {});
    this.count = h("p", { class: "hint" });
    this.search = h("a", { class: "button small" }, icon("search"), h("span", {}, t.collection.searchIn));
    this.links = PARTS.map((part) => h("a", {}, t.collection.parts[part]));
    this.banner = new KeyOnlyBanner();
    this.parts = {
      pictures: new Browser({ onFilter: (params) => this.#goTo(params), onChanged }),
      add: new AddPart({ onChanged: () => this.#changed() }),
      about: new AboutPart(),
      snapshots: new SnapshotsPart({ onChanged: () => this.#changed() }),
    };
    this.element = h(
      "div",
      { class: "collection-page", hidden: true },
      h("a", { class: "back", href: link("collections") }, icon("back"), t.collections.back),
      h("div", { class: "collection-head" }, h("div", {}, this.title, this.count), this.search),
      h("nav", { class: "parts-nav", "aria-label": t.collection.parts.label }, ...this.links),
      this.banner.element,
      ...PARTS.map((part) => this.parts[part].element),
    );
  }

  /** Which part is shown. */
  get part() {
    return PARTS.includes(this.#params.part) ? this.#params.part : "pictures";
  }

  /** Whether a file that is given here is added, rather than searched with. */
  get takesFiles() {
    return !this.element.hidden && this.part === "add";
  }

  /** Show the collection and the part of it that the address names; answers what the service says of it. */
  async show(params, patiently, signal) {
    const { name } = params;
    if (name !== this.#params.name) this.#blank(name);
    this.#params = params;
    for (const [index, part] of PARTS.entries()) {
      this.links[index].href = link("collections", { name, part: index ? part : null });
      if (part === this.part) this.links[index].setAttribute("aria-current", "page");
      else this.links[index].removeAttribute("aria-current");
      this.parts[part].element.hidden = part !== this.part;
    }
    if (this.part === "pictures") this.parts.pictures.show(name, params, patiently);
    if (this.part === "add") this.parts.add.show(name);
    if (this.part === "snapshots") this.parts.snapshots.show(name);
    const about = await patiently(() => api.collection(name, { signal }), signal);
    this.#describe(about);
    return about;
  }

  /** Take files, `[{file, path}]`, where they are added. */
  receive(given) {
    this.parts.add.receive(given);
  }

  stop() {
    for (const part of Object.values(this.parts)) part.stop();
  }

  #blank(name) {
    this.title.textContent = name;
    this.count.textContent = "";
    this.search.href = link("search", { collection: name });
    this.banner.show(null);
  }

  #describe(about) {
    this.banner.show(about.picture_problem);
    this.count.textContent = t.collection.count(about.count, about.pending, about.pinned);
    this.parts.pictures.describe(about);
    this.parts.add.describe(about);
    if (this.part === "about") this.parts.about.show(about);
    this.parts.snapshots.describe(about);
  }

  // What the service says now; the page is good without it.
  async #refresh() {
    const about = await api.collection(this.#params.name).catch(() => null);
    if (about !== null && about.name === this.#params.name) this.#describe(about);
  }

  // Pictures that came or went are not among those that were loaded before.
  #changed() {
    this.parts.pictures.forget();
    return this.#refresh();
  }

  #goTo(params) {
    go("collections", { ...this.#params, ...params }, { replace: true });
  }
}
