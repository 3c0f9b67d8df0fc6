// The map itself: the canvas, its tools, and when it is drawn anew.

import { button, h } from "../dom.js";
import { flash } from "../notice.js";
import { t } from "../strings.js";
import { Camera } from "./camera.js";
import { Gestures } from "./gestures.js";
import { Painter } from "./painter.js";
import { Thumbnails } from "./thumbnails.js";

// How far from a point a click may be, in pixels; the middle of the window is no aim.
const REACH = 14;
const REACH_OF_KEYS = 60;
const ZOOM = 1.5;

export class Stage {
  #points = null;
  #groupCount = 0;
  #selected = null;
  #isDue = false;
  #camera = new Camera();
  #on;

  /** `on` has `pick(index)`, `select(indices, isAdded)` and `clear()`. */
  constructor(on) {
    this.#on = on;
    this.canvas = h("canvas", { class: "map-canvas", tabIndex: 0, role: "application" });
    this.canvas.setAttribute("aria-describedby", "map-help");
    this.help = h("p", { class: "hint", id: "map-help" }, t.map.help);
    this.painter = new Painter(this.canvas);
    this.thumbnails = new Thumbnails({ onImage: () => this.redraw() });
    this.gestures = new Gestures(this.canvas, this.#camera, {
      change: () => this.redraw(),
      pick: (x, y) => this.#pick(x, y),
      select: (lasso, isAdded) => this.#select(lasso, isAdded),
      clear: () => on.clear(),
    });
    this.modes = ["move", "lasso"].map((mode) =>
      button(t.map[mode], () => this.#setMode(mode), { kind: "small", symbol: mode, "aria-pressed": "false" }),
    );
    const zoom = (factor) => () => {
      this.#camera.zoom(factor);
      this.redraw();
    };
    this.tools = h(
      "div",
      { class: "map-tools", role: "group", "aria-label": t.map.tools },
      ...this.modes,
      this.#tool(t.map.closer, "more", zoom(ZOOM)),
      this.#tool(t.map.farther, "less", zoom(1 / ZOOM)),
      this.#tool(t.map.whole, "whole", () => this.fit()),
    );
    this.frame = h("div", { class: "map-frame" }, this.canvas);
    this.element = h("div", { class: "map-stage" }, this.tools, this.frame, this.help);
    new ResizeObserver(() => this.#resize()).observe(this.frame);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
    this.#setMode("move");
  }

  /** Show points, coloured in so many groups; the window stays where it is if they are of the `same` collection. */
  show(points, groupCount, { name, same }) {
    this.#points = points;
    this.#groupCount = groupCount;
    this.canvas.setAttribute("aria-label", t.map.label(name, points.count));
    if (!same) {
      this.thumbnails.reset(name);
      this.#camera.fit();
    }
    this.redraw();
  }

  /** Mark these points, or none. */
  mark(indices) {
    this.#selected = indices.length ? new Uint8Array(this.#points.count) : null;
    for (const index of indices) this.#selected[index] = 1;
    this.redraw();
  }

  fit() {
    this.#camera.fit();
    this.redraw();
  }

  /** Draw it before the screen is drawn next. */
  redraw() {
    // Until the page has room for it there is nothing to draw on.
    if (this.#isDue || this.#points === null || !this.painter.isReady) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#draw();
    });
  }

  #draw() {
    const { lasso, byKeys } = this.gestures;
    const tiles = this.thumbnails.tiles(this.#points, this.#camera);
    const [selected, groupCount] = [this.#selected, this.#groupCount];
    this.painter.draw(this.#points, this.#camera, { selected, groupCount, tiles, lasso, cross: byKeys });
    this.canvas.dataset.frameMs = this.painter.lastMs.toFixed(2);
    this.canvas.dataset.tiles = String(tiles.length);
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.frame;
    if (!width || !height) return;
    this.painter.resize(width, height);
    this.#camera.resize(width, height);
    this.redraw();
  }

  #tool(label, symbol, listener) {
    const tool = button(label, listener, { kind: "small", symbol, title: label, "aria-label": label });
    tool.classList.add("map-zoom");
    return tool;
  }

  #setMode(mode) {
    this.gestures.mode = mode;
    this.canvas.dataset.mode = mode;
    for (const [index, each] of this.modes.entries()) {
      each.setAttribute("aria-pressed", String(["move", "lasso"][index] === mode));
    }
  }

  #pick(x, y) {
    if (this.#points === null) return;
    const reach = this.gestures.byKeys ? REACH_OF_KEYS : REACH;
    const tile = this.gestures.byKeys ? null : this.#tileAt(x, y);
    const [across, down] = this.#camera.toMap(x, y);
    const index = tile ?? this.#points.nearest(across, down, reach / this.#camera.scale);
    if (index !== null) this.#on.pick(index);
    else if (this.gestures.byKeys) flash(t.map.nothingHere);
  }

  #tileAt(x, y) {
    const tiles = this.thumbnails.tiles(this.#points, this.#camera);
    const hit = tiles.find((tile) => Math.abs(tile.x - x) <= tile.side / 2 && Math.abs(tile.y - y) <= tile.side / 2);
    return hit?.index ?? null;
  }

  #select(lasso, isAdded) {
    const polygon = lasso.map(([x, y]) => this.#camera.toMap(x, y));
    this.#on.select(this.#points.inside(polygon), isAdded);
  }
}
