// The pictures of one group as a list of options: which one is looked at, and which go.

import { h } from "../dom.js";
import { bytes } from "../format.js";
import { picture, sized } from "../pictures.js";
import { t } from "../strings.js";
import { Latest } from "../task.js";

const SIDE = 220;

export class Members {
  #latest = new Latest();
  #onSelect;
  #group = null;

  /** `onSelect(member)` is told of the picture that somebody points at. */
  constructor(onSelect) {
    this.#onSelect = onSelect;
    this.element = h("div", {
      class: "members",
      role: "listbox",
      tabIndex: 0,
      "aria-label": t.duplicates.membersLabel,
      "aria-orientation": "horizontal",
    });
  }

  stop() {
    this.#latest.stop();
  }

  /** Show a group; what has been drawn of it stays. `words(member)` say what becomes of a picture, and why. */
  show(group, selected, words) {
    if (group !== this.#group) {
      this.#group = group;
      const signal = this.#latest.start();
      const options = group.members.map((member, index) => this.#option(member, index, signal));
      this.element.replaceChildren(...options);
    }
    for (const [index, member] of group.members.entries()) {
      const option = this.element.children[index];
      option.setAttribute("aria-selected", String(member === selected));
      const { isDropped, action, reason } = words(member);
      option.classList.toggle("dropped", isDropped);
      const badge = option.querySelector(".verdict");
      badge.textContent = action;
      badge.className = `verdict ${isDropped ? "no" : "yes"}`;
      option.querySelector(".reason").textContent = reason;
    }
    const current = this.element.children[group.members.indexOf(selected)];
    this.element.setAttribute("aria-activedescendant", current.id);
    reveal(this.element, current);
  }

  focus() {
    this.element.focus({ preventScroll: true });
  }

  #option(member, index, signal) {
    const size = `${t.details.pixels(member.width, member.height)}, ${bytes(member.byte_size)}`;
    return h(
      "div",
      {
        class: "member",
        role: "option",
        id: `member-${index}`,
        data: { key: member.key },
        on: { click: () => this.#onSelect(member) },
      },
      picture(sized(member.thumbnail_url, SIDE), "", { signal }),
      h("span", { class: "verdict" }),
      h("span", { class: "member-key", title: member.key }, member.key),
      h("span", { class: "hint" }, size),
      h("span", { class: "hint reason" }),
    );
  }
}

// Only within the row: the page stays where it is.
function reveal(row, option) {
  const [left, right] = [option.offsetLeft - row.offsetLeft, option.offsetLeft - row.offsetLeft + option.offsetWidth];
  if (left < row.scrollLeft) row.scrollLeft = left;
  else if (right > row.scrollLeft + row.clientWidth) row.scrollLeft = right - row.clientWidth;
}
