// What a person said of hits: more like this, less like this. Each picture is shown and can be taken back.

import { thumbnailOf } from "../api.js";
import { button, h, icon } from "../dom.js";
import { shortKey } from "../format.js";
import { flash, say } from "../notice.js";
import { picture, sized } from "../pictures.js";
import { t } from "../strings.js";
import { Latest } from "../task.js";

const MOST = 16;
const NONE = { liked: [], disliked: [] };

export class Feedback {
  #latest = new Latest();
  #votes = NONE;
  #drawn = "";
  #onChange;

  /** `onChange(votes)` when something was said or taken back. */
  constructor({ onChange }) {
    this.#onChange = onChange;
    this.liked = h("ul", { class: "votes", role: "list", "aria-label": t.feedback.liked });
    this.disliked = h("ul", { class: "votes", role: "list", "aria-label": t.feedback.disliked });
    this.rows = [
      h("div", {}, h("h3", {}, t.feedback.liked), this.liked),
      h("div", {}, h("h3", {}, t.feedback.disliked), this.disliked),
    ];
    const clear = button(t.feedback.clear, () => this.#change(NONE), { kind: "text" });
    const head = h("div", { class: "label-row" }, h("h2", {}, t.feedback.title), clear);
    this.element = h(
      "section",
      { class: "feedback", "aria-label": t.feedback.title, hidden: true },
      head,
      ...this.rows,
      h("p", { class: "hint" }, t.feedback.order),
    );
  }

  /** Show these votes on pictures of a collection. */
  set(collection, votes) {
    this.#votes = votes;
    this.element.hidden = votes.liked.length + votes.disliked.length === 0;
    const drawn = JSON.stringify([collection, votes]);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    const signal = this.#latest.start();
    for (const [index, kind] of ["liked", "disliked"].entries()) {
      this.rows[index].hidden = votes[kind].length === 0;
      this[kind].replaceChildren(...votes[kind].map((key) => this.#row(collection, kind, key, signal)));
    }
  }

  /** What a card needs to show and change the vote on its picture. */
  of({ key }, name) {
    const isLiked = this.#votes.liked.includes(key);
    const isDisliked = this.#votes.disliked.includes(key);
    return {
      isLiked,
      isDisliked,
      onLike: () => (isLiked ? this.#take(key, name) : this.#add("liked", key, t.feedback.saidLiked(name))),
      onDislike: () => (isDisliked ? this.#take(key, name) : this.#add("disliked", key, t.feedback.saidDisliked(name))),
    };
  }

  #add(kind, key, words) {
    const rest = this.#without(key);
    if (rest[kind].length >= MOST) {
      flash(t.feedback.limit(MOST));
      return;
    }
    this.#change({ ...rest, [kind]: [...rest[kind], key] });
    say(words);
  }

  #take(key, name) {
    this.#change(this.#without(key));
    say(t.feedback.saidRemoved(name));
  }

  #without(key) {
    const others = (keys) => keys.filter((other) => other !== key);
    return { liked: others(this.#votes.liked), disliked: others(this.#votes.disliked) };
  }

  #change(votes) {
    this.#onChange(votes);
  }

  #row(collection, kind, key, signal) {
    const label = kind === "liked" ? t.feedback.unlike(key) : t.feedback.undislike(key);
    const remove = () => this.#take(key, shortKey(key));
    return h(
      "li",
      {},
      h(
        "button",
        { type: "button", class: "vote-row", "aria-label": label, title: shortKey(key), on: { click: remove } },
        picture(sized(thumbnailOf(collection, key), 64), "", { signal }),
        icon("close"),
      ),
    );
  }
}

/** The votes in an address: lists of keys as JSON. */
export const votesOf = ({ like, unlike }) => ({ liked: keysOf(like), disliked: keysOf(unlike) });

/** The same as parameters of an address, and as the service takes them. */
export const votesAsText = ({ liked, disliked }) => ({
  like: liked.length ? JSON.stringify(liked) : null,
  unlike: disliked.length ? JSON.stringify(disliked) : null,
});

function keysOf(text) {
  try {
    const keys = JSON.parse(text ?? "[]");
    return Array.isArray(keys) ? keys.filter((key) => typeof key === "string").slice(0, MOST) : [];
  } catch {
    return [];
  }
}
