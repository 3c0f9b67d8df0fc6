// A box on a picture that mouse, finger and keyboard can draw, move and resize.

import * as geometry from "./geometry.js";
import { freshId, h } from "./dom.js";
import { percent } from "./format.js";
import { say } from "./notice.js";
import { settled } from "./task.js";
import { t } from "./strings.js";

const STEP = 0.02;
const CORNERS = ["nw", "ne", "sw", "se"];
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Cropper {
  #box = null;
  #onChange;
  #told = null;
  #later = settled(() => this.#tell(), 350);

  #area;

  /**
   * `area` is what holds the stage: a box may be drawn from just outside the picture. `onChange(box or null)` is called
   * when a gesture has ended, not during it.
   */
  constructor(area, onChange) {
    this.#area = area;
    this.#onChange = onChange;
    const help = h("span", { class: "visually-hidden", id: freshId("crop-help") }, t.crop.help);
    const handles = CORNERS.map((corner) => h("span", { class: `handle ${corner}`, data: { edges: corner } }));
    this.frame = h(
      "div",
      { class: "crop", tabIndex: 0, role: "application", hidden: true, "aria-describedby": help.id },
      ...handles,
    );
    this.stage = h("div", { class: "stage" }, this.frame, help);
    area.addEventListener("pointerdown", (event) => this.#grab(event));
    this.frame.addEventListener("keydown", (event) => this.#key(event));
  }

  get box() {
    return this.#box;
  }

  /** Show this box, or none, without telling anyone. */
  show(box) {
    this.#draw(box);
    this.#told = geometry.format(box);
  }

  /** Begin with a box in the middle, ready for the keyboard. */
  begin() {
    this.#draw(geometry.FIRST);
    this.frame.focus();
    this.#tell();
  }

  clear() {
    this.#draw(null);
    this.#tell();
  }

  #draw(box) {
    this.#box = box;
    this.frame.hidden = box === null;
    if (box === null) return;
    const [x0, y0, x1, y1] = box;
    const style = this.frame.style;
    [style.left, style.top] = [`${x0 * 100}%`, `${y0 * 100}%`];
    [style.width, style.height] = [`${(x1 - x0) * 100}%`, `${(y1 - y0) * 100}%`];
    this.frame.setAttribute("aria-label", t.crop.label(this.#words()));
  }

  #words() {
    const [x0, y0, x1, y1] = this.#box;
    return t.crop.region(percent(x0), percent(y0), percent(x1 - x0), percent(y1 - y0));
  }

  #tell() {
    const now = geometry.format(this.#box);
    if (now === this.#told) return;
    this.#told = now;
    say(this.#box ? this.#words() : t.crop.cleared);
    this.#onChange(this.#box);
  }

  #key(event) {
    if (event.key === "Escape" && this.#box) {
      event.preventDefault();
      this.clear();
      return;
    }
    const arrow = ARROWS[event.key];
    if (!arrow || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const [dx, dy] = arrow.map((step) => step * STEP);
    this.#draw(event.shiftKey ? geometry.resize(this.#box, "se", dx, dy) : geometry.move(this.#box, dx, dy));
    this.#later();
  }

  #grab(event) {
    const onFrame = this.frame.contains(event.target);
    // A finger on the bare picture scrolls the page; the button beside it makes the first box.
    if (!this.stage.isConnected || event.button !== 0 || (event.pointerType === "touch" && !onFrame)) return;
    event.preventDefault();
    const bounds = this.stage.getBoundingClientRect();
    const point = (at) => [(at.clientX - bounds.left) / bounds.width, (at.clientY - bounds.top) / bounds.height];
    const start = point(event);
    const before = this.#box;
    const edges = event.target.dataset.edges;
    const follow = (at) => {
      const here = point(at);
      const [dx, dy] = [here[0] - start[0], here[1] - start[1]];
      if (!onFrame) this.#draw(geometry.between(start, here));
      else this.#draw(edges ? geometry.resize(before, edges, dx, dy) : geometry.move(before, dx, dy));
    };
    this.#followPointer(event, follow, before);
  }

  #followPointer(event, follow, before) {
    const area = this.#area;
    area.setPointerCapture(event.pointerId);
    const end = (ended) => {
      area.removeEventListener("pointermove", follow);
      area.removeEventListener("pointerup", end);
      area.removeEventListener("pointercancel", end);
      if (ended.type === "pointercancel" || !this.#box) this.#draw(before);
      if (this.#box) this.frame.focus({ preventScroll: true });
      this.#tell();
    };
    area.addEventListener("pointermove", follow);
    area.addEventListener("pointerup", end);
    area.addEventListener("pointercancel", end);
  }
}
