// Mouse, wheel, fingers and keys on the map: what each of them does to the camera, and the lasso that is drawn.

const CLICK = 5;
const STEP = 60;
const KEYS = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };

export class Gestures {
  #pointers = new Map();
  #camera;
  #on;
  #canvas;
  #isLasso = false;
  #moved = 0;
  lasso = [];
  mode = "move";
  /** Whether keys are what the map is moved with. */
  byKeys = false;

  /** `on` has `change()`, `pick(x, y)`, `select(polygon in pixels, isAdded)` and `clear()`. */
  constructor(canvas, camera, on) {
    this.#canvas = canvas;
    this.#camera = camera;
    this.#on = on;
    const listen = (type, listener, options) => canvas.addEventListener(type, listener, options);
    listen("pointerdown", (event) => this.#down(event));
    listen("pointermove", (event) => this.#move(event));
    listen("pointerup", (event) => this.#up(event));
    listen("pointercancel", (event) => this.#cancel(event));
    listen("wheel", (event) => this.#wheel(event), { passive: false });
    listen("keydown", (event) => this.#key(event));
    listen("blur", () => this.#setByKeys(false));
  }

  #place({ clientX, clientY }) {
    const { left, top } = this.#canvas.getBoundingClientRect();
    return [clientX - left, clientY - top];
  }

  #down(event) {
    if (event.button !== 0) return;
    this.#setByKeys(false);
    this.#canvas.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, this.#place(event));
    if (this.#pointers.size > 1) {
      // Two fingers always move the map.
      this.#isLasso = false;
      this.lasso = [];
      this.#moved = Infinity;
      return;
    }
    this.#moved = 0;
    this.#isLasso = this.mode === "lasso" || event.shiftKey;
    if (this.#isLasso) this.lasso = [this.#place(event)];
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (before === undefined) return;
    const place = this.#place(event);
    const [dx, dy] = [place[0] - before[0], place[1] - before[1]];
    this.#moved += Math.hypot(dx, dy);
    if (this.#pointers.size > 1) this.#pinch(event.pointerId, before, place);
    else if (this.#isLasso) this.lasso.push(place);
    else if (this.#moved > CLICK) this.#camera.pan(dx, dy);
    this.#pointers.set(event.pointerId, place);
    this.#on.change();
  }

  #pinch(id, before, place) {
    const [other] = [...this.#pointers].filter(([each]) => each !== id).map(([, at]) => at);
    const spread = (at) => Math.max(1, Math.hypot(at[0] - other[0], at[1] - other[1]));
    const middle = (at) => [(at[0] + other[0]) / 2, (at[1] + other[1]) / 2];
    const [from, to] = [middle(before), middle(place)];
    this.#camera.pan(to[0] - from[0], to[1] - from[1]);
    this.#camera.zoom(spread(place) / spread(before), ...to);
  }

  #up(event) {
    if (!this.#pointers.delete(event.pointerId)) return;
    const place = this.#place(event);
    if (this.#pointers.size) return;
    const lasso = this.lasso;
    this.lasso = [];
    if (this.#moved <= CLICK) this.#on.pick(...place);
    else if (this.#isLasso) this.#on.select(lasso, event.ctrlKey || event.metaKey);
    this.#on.change();
  }

  #cancel(event) {
    this.#pointers.delete(event.pointerId);
    this.lasso = [];
    this.#on.change();
  }

  #wheel(event) {
    event.preventDefault();
    // A wheel with lines, or pages, moves in larger steps than one with pixels.
    const pixels = event.deltaY * (event.deltaMode === 1 ? 30 : event.deltaMode === 2 ? 300 : 1);
    this.#camera.zoom(Math.exp(-Math.max(-200, Math.min(200, pixels)) / 300), ...this.#place(event));
    this.#on.change();
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { width, height } = this.#camera;
    if (event.key in KEYS) this.#camera.pan(...KEYS[event.key]);
    else if (event.key === "+" || event.key === "=") this.#camera.zoom(1.4);
    else if (event.key === "-") this.#camera.zoom(1 / 1.4);
    else if (event.key === "0") this.#camera.fit();
    else if (event.key === "Enter") this.#on.pick(width / 2, height / 2);
    else if (event.key === "Escape") this.#on.clear();
    else return;
    event.preventDefault();
    this.#setByKeys(true);
    this.#on.change();
  }

  #setByKeys(is) {
    if (this.byKeys === is) return;
    this.byKeys = is;
    this.#on.change();
  }
}
