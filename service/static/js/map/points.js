// The items of a map as numbers, and which of them are where; without elements.

const CELLS = 128;

export class Points {
  /** `answer` is the service's map; coordinates become those of a square from 0 to 1. */
  constructor({ keys, x, y, groups, values }) {
    this.keys = keys;
    this.count = keys.length;
    this.x = Float32Array.from(x, (value) => value / 65535);
    this.y = Float32Array.from(y, (value) => value / 65535);
    // Behind the groups of the values come the other values, and then no value.
    const last = values.length + 1;
    this.groups = Uint16Array.from(keys, (_, index) => (groups.length ? (groups[index] < 0 ? last : groups[index]) : last));
    this.#index();
  }

  // Which points are in which cell of a grid: `#members` has them cell after cell, `#starts` where each begins.
  #starts = new Uint32Array(CELLS * CELLS + 1);
  #members = new Uint32Array(0);

  #index() {
    const cells = Uint32Array.from({ length: this.count }, (_, index) => cellOf(this.y[index]) * CELLS + cellOf(this.x[index]));
    for (const cell of cells) this.#starts[cell + 1] += 1;
    for (let cell = 0; cell < CELLS * CELLS; cell += 1) this.#starts[cell + 1] += this.#starts[cell];
    const next = this.#starts.slice();
    this.#members = new Uint32Array(this.count);
    for (const [index, cell] of cells.entries()) this.#members[next[cell]++] = index;
  }

  /** The points of a box, ascending, but for none if they are more than `most`. */
  within({ left, top, right, bottom }, most = Infinity) {
    const found = [];
    for (let row = cellOf(top); row <= cellOf(bottom); row += 1) {
      const from = this.#starts[row * CELLS + cellOf(left)];
      const to = this.#starts[row * CELLS + cellOf(right) + 1];
      for (let at = from; at < to; at += 1) {
        const index = this.#members[at];
        const [x, y] = [this.x[index], this.y[index]];
        if (x >= left && x <= right && y >= top && y <= bottom) found.push(index);
      }
      if (found.length > most) return [];
    }
    return found.sort((one, other) => one - other);
  }

  /** The point nearest to (x, y) that is no farther than `reach`, or null. */
  nearest(x, y, reach) {
    let [best, least] = [null, reach];
    for (const index of this.within({ left: x - reach, top: y - reach, right: x + reach, bottom: y + reach })) {
      const distance = Math.hypot(this.x[index] - x, this.y[index] - y);
      if (distance <= least) [best, least] = [index, distance];
    }
    return best;
  }

  /** The points inside of a polygon, `[[x, y], ...]`, by how often a ray from them crosses its edge. */
  inside(polygon) {
    if (polygon.length < 3) return [];
    const [xs, ys] = [polygon.map(([x]) => x), polygon.map(([, y]) => y)];
    const box = { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) };
    return this.within(box).filter((index) => isInside(this.x[index], this.y[index], xs, ys));
  }

  /** The points of a group. */
  ofGroup(group) {
    const found = [];
    for (let index = 0; index < this.count; index += 1) if (this.groups[index] === group) found.push(index);
    return found;
  }
}

const cellOf = (value) => Math.max(0, Math.min(CELLS - 1, Math.floor(value * CELLS)));

function isInside(x, y, xs, ys) {
  let odd = false;
  for (let at = 0, before = xs.length - 1; at < xs.length; before = at, at += 1) {
    const crosses = ys[at] > y !== ys[before] > y;
    if (crosses && x < ((xs[before] - xs[at]) * (y - ys[at])) / (ys[before] - ys[at]) + xs[at]) odd = !odd;
  }
  return odd;
}
