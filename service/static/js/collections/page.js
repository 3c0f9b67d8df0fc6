// The page of one collection, in parts: its pictures, adding to them, what it is, its snapshots, its jobs.

import { api } from "../api.js";
import { h, icon } from "../dom.js";
import { JobForms } from "../jobs/forms.js";
import { JobList } from "../jobs/list.js";
import { KeyOnlyBanner } from "../key-only.js";
import { go, link } from "../route.js";
import { t } from "../strings.js";
import { AboutPart } from "./about.js";
import { AddPart } from "./add.js";
import { Browser } from "./browse.js";
import { SnapshotsPart } from "./snapshots.js";

const PARTS = ["pictures", "add", "about", "snapshots", "jobs"];
const WITH_JOBS = ["add", "jobs"];

export class CollectionPage {
  #params = {};

  constructor() {
    const onChanged = () => this.#refresh();
    this.title = h("h1", {});
    this.count = h("p", { class: "hint" });
    this.search = h("a", { class: "button small" }, icon("search"), h("span", {}, t.collection.searchIn));
    this.links = PARTS.map((part) => h("a", {}, t.collection.parts[part]));
    this.nav = h("nav", { class: "parts-nav", "aria-label": t.collection.parts.label }, ...this.links);
    this.banner = new KeyOnlyBanner();
    this.jobs = new JobList({ onDone: () => this.#changed() });
    const onJob = (job) => this.jobs.begin(job);
    this.parts = {
      pictures: new Browser({ onFilter: (params) => this.#goTo(params), onChanged }),
      add: new AddPart({ onChanged: () => this.#changed(), onJob }),
      about: new AboutPart({ onChanged: () => this.#refresh() }),
      snapshots: new SnapshotsPart({ onChanged: () => this.#changed() }),
      jobs: new JobForms({ onJob }),
    };
    this.element = h(
      "div",
      { class: "collection-page", hidden: true },
      h("a", { class: "back", href: link("collections") }, icon("back"), t.collections.back),
      h("div", { class: "collection-head" }, h("div", {}, this.title, this.count), this.search),
      this.nav,
      this.banner.element,
      ...PARTS.map((part) => this.parts[part].element),
      this.jobs.element,
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
    this.#reveal(this.links[PARTS.indexOf(this.part)]);
    if (this.part === "pictures") this.parts.pictures.show(name, params, patiently);
    if (this.part === "add") this.parts.add.show(name);
    if (this.part === "jobs") this.parts.jobs.show(name);
    if (WITH_JOBS.includes(this.part)) this.jobs.show(name);
    else this.jobs.hide();
    if (this.part === "snapshots") this.parts.snapshots.show(name);
    const about = await patiently(() => api.collection(name, { signal }), signal);
    this.#describe(about);
    return about;
  }

  // On a small screen the row of links is wider than that.
  #reveal({ offsetLeft, offsetWidth }) {
    this.nav.scrollLeft = offsetLeft + offsetWidth - this.nav.offsetLeft - this.nav.clientWidth;
  }

  /** Take files, `[{file, path}]`, where they are added. */
  receive(given) {
    this.parts.add.receive(given);
  }

  stop() {
    for (const part of Object.values(this.parts)) part.stop?.();
    this.jobs.stop();
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
    this.parts.jobs.describe(about);
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
