// What is done with all groups at once, how far one has come, and what to take along.

import { button, h } from "../dom.js";
import { bytes, count } from "../format.js";
import { t } from "../strings.js";

const TIERS = ["same-bytes", "same-pixels", "near-duplicate"];

export class Tools {
  /** `onAcceptAll(tier)`, `onTable()` and `onScript()` do what the buttons say. */
  constructor({ onAcceptAll, onTable, onScript }) {
    this.bar = h("progress", { max: 1, value: 0, "aria-label": t.duplicates.progressLabel });
    this.words = h("p", { class: "progress-words" });
    this.bulk = TIERS.map((tier) => button("", () => onAcceptAll(tier), { kind: "small", data: { tier } }));
    this.table = button(t.duplicates.table, onTable, { kind: "small", symbol: "table" });
    this.script = button(t.duplicates.saveScript, onScript, { kind: "small", symbol: "save" });
    this.hint = h("p", { class: "hint" });
    this.progress = h("div", { class: "progress" }, this.bar, this.words);
    this.element = h(
      "div",
      { class: "panel tools" },
      h("div", { class: "actions", role: "group", "aria-label": t.duplicates.bulkLabel }, ...this.bulk),
      h("div", { class: "actions", role: "group", "aria-label": t.duplicates.exportLabel }, this.table, this.script),
      this.hint,
    );
  }

  /** Show how a review stands; `isWhole` is whether all groups are there, `folder` where their pictures are. */
  show(review, { isWhole, folder }) {
    const { done, total, pictures, bytes: freed } = review.progress;
    this.bar.max = Math.max(1, total);
    this.bar.value = done;
    this.words.textContent = t.duplicates.progress(count(done), count(total), count(pictures), bytes(freed));
    const open = review.countsUpTo();
    for (const [index, tier] of TIERS.entries()) {
      this.bulk[index].textContent = t.duplicates.bulk[tier](open[tier]);
      // A button that does what the one before it does says nothing.
      this.bulk[index].hidden = open[tier] === 0 || open[tier] === open[TIERS[index - 1]];
      this.bulk[index].disabled = !isWhole;
    }
    this.table.disabled = !isWhole || done === 0;
    this.script.disabled = !isWhole || pictures === 0 || folder === null;
    this.hint.textContent = folder === null ? t.duplicates.noScript : t.duplicates.nothingDeleted;
  }
}
