// Which part of the map is seen, and how large; without elements.

const MARGIN = 28;
const MOST = 400;

export class Camera {
  #fit = 1;

  /** Pixels of the screen for the whole map, and where its corner is. */
  constructor() {
    Object.assign(this, { scale: 1, left: 0, top: 0, width: 1, height: 1 });
  }

  /** Another size of the window, in pixels; what is in its middle stays there. */
  resize(width, height) {
    const before = this.#fit;
    const [x, y] = this.toMap(this.width / 2, this.height / 2);
    Object.assign(this, { width, height });
    this.#fit = Math.max(1, Math.min(width, height) - 2 * MARGIN);
    this.scale *= this.#fit / before;
    this.left = width / 2 - x * this.scale;
    this.top = height / 2 - y * this.scale;
  }

  /** See all of it. */
  fit() {
    this.scale = this.#fit;
    this.left = (this.width - this.scale) / 2;
    this.top = (this.height - this.scale) / 2;
  }

  pan(dx, dy) {
    this.left += dx;
    this.top += dy;
    this.#hold();
  }

  /** Make it so many times as large around a pixel of the window. */
  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const scale = Math.max(this.#fit / 2, Math.min(this.#fit * MOST, this.scale * factor));
    const ratio = scale / this.scale;
    this.left = x - (x - this.left) * ratio;
    this.top = y - (y - this.top) * ratio;
    this.scale = scale;
    this.#hold();
  }

  // Some of the map stays in the window.
  #hold() {
    const [across, down] = [this.width / 2, this.height / 2];
    this.left = Math.max(across - this.scale, Math.min(across, this.left));
    this.top = Math.max(down - this.scale, Math.min(down, this.top));
  }

  toMap(x, y) {
    return [(x - this.left) / this.scale, (y - this.top) / this.scale];
  }

  toScreen(x, y) {
    return [x * this.scale + this.left, y * this.scale + this.top];
  }

  /** The part of the map that is seen. */
  get box() {
    const [left, top] = this.toMap(0, 0);
    const [right, bottom] = this.toMap(this.width, this.height);
    return { left, top, right, bottom };
  }

  /** How many times as large as when all of it is seen. */
  get factor() {
    return this.scale / this.#fit;
  }
}
