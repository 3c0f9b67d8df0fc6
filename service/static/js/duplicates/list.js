// The groups at the side, and which kind of them is shown.

import { h, icon } from "../dom.js";
import { bytes } from "../format.js";
import { picture, sized } from "../pictures.js";
import { t } from "../strings.js";

const KINDS = ["copies", "edited", "look", "burst"];
const SIDE = 48;
const wide = matchMedia("(min-width: 60rem)");

export class GroupList {
  #rows = new Map();
  #onGo;

  /** `onGo(group)` is told of the group that somebody wants to see, `onFilter()` of another kind. */
  constructor({ onGo, onFilter }) {
    this.#onGo = onGo;
    this.kind = h("select", { id: "group-kind", on: { change: onFilter } });
    this.rows = h("ol", { class: "groups", role: "list" });
    this.summary = h("summary", {}, t.duplicates.groups);
    this.element = h(
      "details",
      { class: "panel group-list", open: wide.matches },
      this.summary,
      h("div", { class: "field" }, h("label", { htmlFor: "group-kind" }, t.duplicates.kind), this.kind),
      this.rows,
    );
    wide.addEventListener("change", () => (this.element.open = wide.matches));
  }

  clear() {
    this.#rows.clear();
    this.rows.replaceChildren();
  }

  /** Whether groups of this kind are shown. */
  shows(group) {
    return this.kind.value === "" || group.kind === this.kind.value;
  }

  /** Show these groups; rows that were drawn before are used again. */
  show(groups, isDone) {
    const counts = Object.fromEntries(KINDS.map((kind) => [kind, groups.filter((each) => each.kind === kind).length]));
    const chosen = this.kind.value;
    const known = KINDS.filter((kind) => counts[kind] > 0);
    this.kind.replaceChildren(
      h("option", { value: "" }, t.duplicates.kindAll(groups.length)),
      ...known.map((kind) => h("option", { value: kind }, t.duplicates.kindCount(kind, counts[kind]))),
    );
    this.kind.value = known.includes(chosen) ? chosen : "";
    const rows = groups.filter((group) => this.shows(group)).map((group) => this.#row(group, isDone(group)));
    this.rows.replaceChildren(...rows);
  }

  /** Mark a group as done, or not. */
  mark(group, isDone) {
    this.#rows.get(group.id)?.element.classList.toggle("done", isDone);
  }

  /** Mark the group that is shown, and bring it into the list's view. */
  point(group) {
    this.rows.querySelector("[aria-current]")?.removeAttribute("aria-current");
    const row = group && this.#rows.get(group.id)?.element;
    if (!row) return;
    row.firstElementChild.setAttribute("aria-current", "true");
    const [top, bottom] = [row.offsetTop - this.rows.offsetTop, row.offsetTop - this.rows.offsetTop + row.offsetHeight];
    if (top < this.rows.scrollTop) this.rows.scrollTop = top;
    else if (bottom > this.rows.scrollTop + this.rows.clientHeight) {
      this.rows.scrollTop = bottom - this.rows.clientHeight;
    }
  }

  #row(group, isDone) {
    let row = this.#rows.get(group.id);
    if (row?.group !== group) {
      row = { group, element: this.#draw(group) };
      this.#rows.set(group.id, row);
    }
    row.element.classList.toggle("done", isDone);
    return row.element;
  }

  #draw(group) {
    const count = t.pictures(group.members.length);
    const words = group.freed_bytes > 0 ? t.duplicates.frees(bytes(group.freed_bytes)) : t.duplicates.kinds[group.kind];
    return h(
      "li",
      {},
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
