// The groups at the side, a hundred at a time, and which kind of them is shown.

import { button, h, icon } from "../dom.js";
import { bytes } from "../format.js";
import { picture, sized } from "../pictures.js";
import { t } from "../strings.js";

const KINDS = ["copies", "edited", "look", "burst"];
const SIDE = 48;
const ROWS = 100;
const wide = matchMedia("(min-width: 60rem)");

export class GroupList {
  #onGo;
  #listed = [];
  #shown = [];

  /** `onGo(group)` is told of the group that somebody wants to see, `onFilter()` of another kind. */
  constructor({ onGo, onFilter }) {
    this.#onGo = onGo;
    this.kind = h("select", { id: "group-kind", on: { change: onFilter } });
    this.rows = h("ol", { class: "groups", role: "list" });
    this.element = h(
      "details",
      { class: "panel group-list", open: wide.matches },
      h("summary", {}, t.duplicates.groups),
      h("div", { class: "field" }, h("label", { htmlFor: "group-kind" }, t.duplicates.kind), this.kind),
      this.rows,
    );
    wide.addEventListener("change", () => (this.element.open = wide.matches));
  }

  clear() {
    this.#listed = [];
    this.#shown = [];
    this.rows.replaceChildren();
  }

  /** The groups that are listed: those of the kind that is chosen. */
  get listed() {
    return this.#listed;
  }

  /** List these groups, if they are of the kind that is chosen. */
  show(groups) {
    const counts = Object.fromEntries(KINDS.map((kind) => [kind, 0]));
    for (const { kind } of groups) counts[kind] += 1;
    const known = KINDS.filter((kind) => counts[kind] > 0);
    const chosen = known.includes(this.kind.value) ? this.kind.value : "";
    this.kind.replaceChildren(
      h("option", { value: "" }, t.duplicates.kindAll(groups.length)),
      ...known.map((kind) => h("option", { value: kind }, t.duplicates.kindCount(kind, counts[kind]))),
    );
    this.kind.value = chosen;
    this.#listed = groups.filter(({ kind }) => chosen === "" || kind === chosen);
  }

  /** List groups of all kinds. */
  showAll(groups) {
    this.kind.value = "";
    this.show(groups);
  }

  /** Show the part of the list that a group is in, the group marked; `isDone(group)` of each. */
  point(group, isDone) {
    const start = Math.max(0, Math.floor(this.#listed.indexOf(group) / ROWS) * ROWS);
    const part = this.#listed.slice(start, start + ROWS);
    if (part.length !== this.#shown.length || part.some((each, index) => each !== this.#shown[index])) {
      this.#shown = part;
      this.rows.replaceChildren(...part.map((each) => this.#row(each)));
      if (start > 0) this.rows.prepend(this.#part(start - ROWS));
      if (start + ROWS < this.#listed.length) this.rows.append(this.#part(start + ROWS));
    }
    const rows = this.rows.querySelectorAll(":scope > .group-item");
    for (const [index, each] of part.entries()) {
      rows[index].classList.toggle("done", isDone(each));
      if (each === group) rows[index].firstElementChild.setAttribute("aria-current", "true");
      else rows[index].firstElementChild.removeAttribute("aria-current");
    }
    this.#reveal(rows[part.indexOf(group)]);
  }

  // Only within the list: the page stays where it is.
  #reveal(row) {
    if (!row) return;
    const [top, bottom] = [row.offsetTop, row.offsetTop + row.offsetHeight];
    if (top < this.rows.scrollTop) this.rows.scrollTop = top;
    else if (bottom > this.rows.scrollTop + this.rows.clientHeight) {
      this.rows.scrollTop = bottom - this.rows.clientHeight;
    }
  }

  // A way to another part of a long list.
  #part(start) {
    const end = Math.min(start + ROWS, this.#listed.length);
    const go = () => this.#onGo(this.#listed[start]);
    return h("li", {}, button(t.duplicates.part(start + 1, end), go, { kind: "text part" }));
  }

  #row(group) {
    const count = t.pictures(group.members.length);
    const words = group.freed_bytes > 0 ? t.duplicates.frees(bytes(group.freed_bytes)) : t.duplicates.kinds[group.kind];
    return h(
      "li",
      { class: "group-item" },
      h(
        "button",
        { type: "button", class: "group-row", on: { click: () => this.#onGo(group) } },
        picture(sized(group.members[0].thumbnail_url, SIDE), ""),
        h("span", { class: "group-words" }, h("span", {}, count), h("span", { class: "hint" }, words)),
        h("span", { class: "tick" }, icon("check"), h("span", { class: "visually-hidden" }, t.duplicates.done)),
      ),
    );
  }
}
