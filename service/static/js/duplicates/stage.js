// Two pictures of a group: side by side, in turns, or what differs between them, with a box at each place.

import { Problem, api } from "../api.js";
import { button, h } from "../dom.js";
import { bytes } from "../format.js";
import { textOf, textOfDetail } from "../notice.js";
import { large, picture } from "../pictures.js";
import { t } from "../strings.js";
import { Latest } from "../task.js";

const MODES = ["beside", "blink", "difference"];
const WAIT = 150;
const TURN = 800;
const SAME_SHAPE = 0.03;
const EQUAL = ["same-bytes", "same-pixels"];
const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Stage {
  #latest = new Latest();
  #answers = new Map();
  #mode = "beside";
  #pair = null;
  #timer = 0;

  constructor() {
    this.modes = MODES.map((mode) =>
      button(t.duplicates.modes[mode], () => this.setMode(mode), { kind: "small", data: { mode } }),
    );
    this.turn = button(t.duplicates.turn, () => this.#swap(), { kind: "small turn" });
    this.panes = h("div", { class: "panes", on: { click: () => this.#mode === "blink" && this.#swap() } });
    this.note = h("p", { class: "hint stage-note" });
    this.choice = h(
      "div",
      { class: "actions modes", role: "group", "aria-label": t.duplicates.modesLabel },
      ...this.modes,
      this.turn,
    );
    this.element = h("div", { class: "duo" }, this.panes, this.note);
  }

  stop() {
    this.#latest.stop();
    clearInterval(this.#timer);
  }

  /** Show two members of a group; `words(member)` say what becomes of a picture. */
  show(collection, members, words) {
    this.#pair = { collection, members, words };
    this.#draw();
    this.#compare();
  }

  /** The next way to look at them. */
  cycle() {
    this.setMode(MODES[(MODES.indexOf(this.#mode) + 1) % MODES.length]);
  }

  setMode(mode) {
    this.#mode = mode;
    if (this.#pair) this.#draw();
  }

  #draw() {
    clearInterval(this.#timer);
    for (const each of this.modes) each.setAttribute("aria-pressed", String(each.dataset.mode === this.#mode));
    this.turn.hidden = this.#mode !== "blink";
    this.panes.className = `panes ${this.#mode}`;
    const { members } = this.#pair;
    const figures = members.map((member, side) => this.#figure(member, side));
    if (this.#mode === "beside") {
      this.panes.replaceChildren(...figures);
    } else {
      const [first, second] = figures;
      const [pane, other] = [first.querySelector(".pane"), second.querySelector(".pane")];
      const isAlike = Math.abs(shapeOf(members[0]) / shapeOf(members[1]) - 1) < SAME_SHAPE;
      pane.classList.toggle("fitted", !isAlike);
      pane.append(...[...other.children].map((child) => (child.classList.add("second"), child)));
      first.append(second.querySelector("figcaption"));
      this.panes.replaceChildren(first);
      if (this.#mode === "blink" && !still.matches) this.#timer = setInterval(() => this.#swap(), TURN);
    }
    this.#mark();
  }

  #figure(member, side) {
    const { collection, words } = this.#pair;
    const { isDropped, action } = words(member);
    const pane = h("div", { class: "pane" }, picture(large(collection, member.key), "", { eager: true }));
    pane.style.setProperty("--shape", String(shapeOf(member)));
    const size = `${t.details.pixels(member.width, member.height)}, ${bytes(member.byte_size)}`;
    return h(
      "figure",
      { class: side === 1 ? "other" : null },
      pane,
      h(
        "figcaption",
        {},
        h("span", { class: `verdict ${isDropped ? "no" : "yes"}` }, action),
        h("span", { class: "pane-key" }, member.key),
        h("span", { class: "hint" }, size),
      ),
    );
  }

  #swap() {
    this.panes.classList.toggle("turned");
  }

  async #compare() {
    const { collection, members } = this.#pair;
    const [first, second] = members;
    const signal = this.#latest.start();
    const name = JSON.stringify([collection, first.key, second.key]);
    const tier = [first, second].map((member) => member.tier).find((each) => EQUAL.includes(each));
    this.note.textContent = tier ? t.duplicates.equal[tier] : t.duplicates.comparing;
    if (tier) return;
    try {
      if (!this.#answers.has(name)) {
        // Who leafs through pictures quickly wants none of those in between compared.
        await pause(WAIT, signal);
        this.#answers.set(name, await api.difference(collection, first.key, second.key, { signal }));
      }
      if (signal.aborted) return;
      this.note.textContent = noteOf(this.#answers.get(name));
      this.#mark();
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted) return;
      this.note.textContent = error instanceof Problem ? t.duplicates.notCompared(textOf(error)) : textOf(error);
    }
  }

  // The boxes at the places that differ, in either picture.
  #mark() {
    const { collection, members } = this.#pair;
    const answer = this.#answers.get(JSON.stringify([collection, ...members.map(({ key }) => key)]));
    for (const place of this.panes.querySelectorAll(".place")) place.remove();
    if (!answer || this.#mode === "difference") return;
    const panes = [...this.panes.querySelectorAll(".pane")];
    for (const { first, second } of answer.differs_at) {
      panes[0].append(placeAt(first, ""));
      panes.at(-1).append(placeAt(second, "second"));
    }
  }
}

const shapeOf = ({ width, height }) => width / height;

function placeAt([x0, y0, x1, y1], kind) {
  const place = h("span", { class: `place ${kind}`.trim(), "aria-hidden": "true" });
  const edges = { left: x0, top: y0, width: x1 - x0, height: y1 - y0 };
  for (const [name, value] of Object.entries(edges)) place.style.setProperty(name, `${100 * value}%`);
  return place;
}

function noteOf({ tier, tier_problem: problem, keep_both: both, differs_at: places }) {
  if (problem) return t.duplicates.notCompared(textOfDetail(problem));
  if (places.length) return t.duplicates.differs(places.length);
  if (both) return textOfDetail(both);
  return t.duplicates.equal[tier] ?? t.duplicates.compared[tier];
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
