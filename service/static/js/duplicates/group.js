// One group: the picture that stays beside the one that is looked at, all its pictures, and what can be decided.

import { button, h } from "../dom.js";
import { bytes } from "../format.js";
import { t } from "../strings.js";
import { listenForSwipes } from "./keys.js";
import { Members } from "./members.js";
import { freedBy } from "./review.js";
import { Stage } from "./stage.js";

export class GroupPanel {
  /** `actions` are functions by the names of the keys; `onSelect(member)` is told of a picture pointed at. */
  constructor(actions, onSelect) {
    this.title = h("h2", { tabIndex: -1 });
    this.kind = h("p", { class: "hint" });
    this.stage = new Stage();
    this.members = new Members(onSelect);
    this.accept = button(t.duplicates.accept, actions.accept, { kind: "primary", symbol: "check" });
    this.toggle = button("", actions.toggle, {});
    this.apart = button(t.duplicates.apart, actions.apart, {});
    this.apartOne = button(t.duplicates.apartOne, actions.apartOne, {});
    this.undo = button(t.duplicates.undo, actions.undo, { kind: "quiet" });
    this.help = button(t.duplicates.keysTitle, actions.help, { kind: "quiet wide-only" });
    const step = (name, symbol) =>
      button(t.duplicates[name], actions[name], { kind: "quiet close", symbol, "aria-label": t.duplicates[name] });
    const head = h(
      "header",
      { class: "group-head" },
      h("div", {}, this.title, this.kind),
      h("div", { class: "steps" }, step("previous", "back"), step("next", "forward")),
      this.stage.choice,
    );
    this.element = h(
      "section",
      { class: "panel group", "aria-label": t.duplicates.groupLabel },
      head,
      this.stage.element,
      this.members.element,
      h(
        "div",
        { class: "decide" },
        h("div", { class: "actions first-decisions" }, this.accept, this.toggle, this.undo),
        h("div", { class: "actions" }, this.apart, this.apartOne, this.help),
      ),
    );
    listenForSwipes(this.stage.panes, actions.next, actions.previous);
    listenForSwipes(head, actions.next, actions.previous);
  }

  stop() {
    this.stage.stop();
    this.members.stop();
  }

  /** Show a group of a review with one of its pictures selected; it is number `index` of `count`. */
  show(collection, review, group, selected, { index, count }) {
    const freed = review.dropped(group).reduce((sum, member) => sum + freedBy(member), 0);
    this.title.textContent = t.duplicates.groupTitle(index + 1, count);
    const sentences = [
      review.isDone(group) && `${t.duplicates.done}.`,
      `${t.pictures(group.members.length)}. ${t.duplicates.kindMeaning[group.kind]}`,
      freed > 0 && t.duplicates.goes(bytes(freed)),
    ];
    this.kind.textContent = sentences.filter(Boolean).join(" ");
    this.element.classList.toggle("done", review.isDone(group));
    const kept = review.kept(group);
    const other = selected === kept ? group.members.find((member) => member !== kept) : selected;
    const words = (member) => wordsOf(review, member);
    this.stage.show(collection, [kept, other], words);
    this.members.show(group, selected, words);
    const isDropped = review.isDropped(selected);
    this.toggle.textContent = isDropped ? t.duplicates.toKeep : t.duplicates.toDrop;
    const word = review.dropped(group).length ? t.duplicates.accept : t.duplicates.keepAll;
    this.accept.querySelector("span").textContent = word;
    this.apartOne.hidden = group.members.length < 3 || selected === group.members[0];
    this.undo.disabled = !review.hasSteps;
  }
}

/** What becomes of a picture and why, in words: `{isDropped, action, reason}`. */
export function wordsOf(review, member) {
  const isDropped = review.isDropped(member);
  const isProposed = isDropped === (member.action === "drop");
  const action = isDropped ? t.duplicates.drop : member.action === "keep" ? t.duplicates.keep : t.duplicates.stays;
  const proposed = member.reason || (member.action === "keep" ? t.duplicates.original : "");
  return { isDropped, action, reason: isProposed ? proposed : t.duplicates.chosen };
}
