// Whether a picture is in the collection already, before it is added.

import { api } from "../api.js";
import { nameOf } from "../card.js";
import { h } from "../dom.js";
import { score } from "../format.js";
import { Notice, say, textOf } from "../notice.js";
import { picture, sized } from "../pictures.js";
import { link } from "../route.js";
import { t } from "../strings.js";
import { Latest } from "../task.js";

const SHOWN = 3;

export class CheckPanel {
  #latest = new Latest();

  constructor() {
    this.notice = new Notice();
    this.text = h("p", { class: "check-text" });
    this.list = h("ul", { class: "check-matches", role: "list" });
    this.element = h("div", { class: "check-panel" }, this.notice.element, this.text, this.list);
  }

  clear() {
    this.#latest.stop();
    this.notice.clear();
    this.text.textContent = "";
    this.list.replaceChildren();
  }

  /** Ask about a file and show the answer. The picture can be added without it. */
  async show(collection, file) {
    this.clear();
    const signal = this.#latest.start();
    this.notice.busy(t.check.busy);
    try {
      const { verdict, matches } = await api.check(collection, file, { signal });
      this.notice.clear();
      this.text.textContent = t.check.verdicts[verdict];
      this.element.dataset.verdict = verdict;
      this.list.replaceChildren(...matches.slice(0, SHOWN).map((match) => row(collection, match, signal)));
      say(t.check.verdicts[verdict]);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.notice.message(`${t.check.failed} ${textOf(error)}`);
    }
  }
}

function row(collection, match, signal) {
  const words = t.check.match(nameOf(match), t.tiers[match.tier], score(match.score));
  return h(
    "li",
    {},
    h(
      "a",
      { href: link("search", { collection, key: match.key }), target: "_blank", rel: "noopener" },
      picture(sized(match.thumbnail_url, 96), "", { signal }),
      h("span", {}, words),
    ),
  );
}
