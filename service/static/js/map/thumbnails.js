// The small pictures of a map: which of the points that are seen get one, and fetching them.

import { blob, thumbnailOf } from "../api.js";

/** How many are on the screen at most. */
export const MOST = 200;
// Where more points than that are seen they stay points.
const MOST_POINTS = 900;
const AT_ONCE = 6;
// Those of a few screens, so that going back and forth fetches nothing.
const KEPT = 500;
const SIDE = 68;
const GAP = 8;

export class Thumbnails {
  #collection = null;
  #images = new Map();
  #wanted = [];
  #running = 0;
  #stop = new AbortController();
  #onImage;

  /** `onImage()` when one more is there. */
  constructor({ onImage }) {
    this.#onImage = onImage;
  }

  /** Of another collection, or of the same anew. */
  reset(collection) {
    this.#stop.abort();
    this.#stop = new AbortController();
    for (const image of this.#images.values()) image?.close();
    this.#images.clear();
    this.#wanted = [];
    this.#collection = collection;
  }

  /** The pictures to draw, `[{index, image, x, y, side}]`; those that are not here yet are fetched. */
  tiles(points, camera) {
    const chosen = choose(points, camera);
    this.#wanted = chosen.filter(({ index }) => !this.#images.has(points.keys[index])).map(({ index }) => points.keys[index]);
    this.#fetch();
    return chosen
      .map((tile) => ({ ...tile, image: this.#take(points.keys[tile.index]) }))
      .filter(({ image }) => image !== null);
  }

  // What was used last is at the end.
  #take(key) {
    const image = this.#images.get(key) ?? null;
    if (image !== null) {
      this.#images.delete(key);
      this.#images.set(key, image);
    }
    return image;
  }

  #fetch() {
    while (this.#running < AT_ONCE && this.#wanted.length) this.#load(this.#wanted.shift());
  }

  async #load(key) {
    const { signal } = this.#stop;
    this.#running += 1;
    // One that cannot be had stays a point.
    this.#images.set(key, null);
    try {
      const size = (devicePixelRatio || 1) > 1 ? 256 : 128;
      const data = await blob(`${thumbnailOf(this.#collection, key)}?size=${size}`, { signal, quiet: true });
      const image = await createImageBitmap(data);
      if (signal.aborted) image.close();
      else this.#images.set(key, image);
      this.#forget();
    } catch (error) {
      // A service that is at capacity will have it later.
      if (error.status === 429 && !signal.aborted) setTimeout(() => this.#images.delete(key), 2000);
    } finally {
      this.#running -= 1;
      if (!signal.aborted) {
        this.#fetch();
        this.#onImage();
      }
    }
  }

  #forget() {
    for (const [key, image] of this.#images) {
      if (this.#images.size <= KEPT) return;
      image?.close();
      this.#images.delete(key);
    }
  }
}

// Points in their order, each that leaves those before it free: the same ones wherever the window is.
function choose(points, camera) {
  const seen = points.within(camera.box, MOST_POINTS);
  if (seen.length > MOST_POINTS) return [];
  const taken = new Map();
  const chosen = [];
  for (const index of seen) {
    const [x, y] = camera.toScreen(points.x[index], points.y[index]);
    if (!isFree(taken, x, y)) continue;
    const tile = { index, x, y, side: SIDE };
    const cell = `${Math.floor(x / (SIDE + GAP))},${Math.floor(y / (SIDE + GAP))}`;
    taken.set(cell, [...(taken.get(cell) ?? []), tile]);
    chosen.push(tile);
    if (chosen.length === MOST) break;
  }
  return chosen;
}

function isFree(taken, x, y) {
  const [column, row] = [Math.floor(x / (SIDE + GAP)), Math.floor(y / (SIDE + GAP))];
  for (let down = row - 1; down <= row + 1; down += 1)
    for (let across = column - 1; across <= column + 1; across += 1)
      for (const tile of taken.get(`${across},${down}`) ?? [])
        if (Math.abs(tile.x - x) < SIDE + GAP && Math.abs(tile.y - y) < SIDE + GAP) return false;
  return true;
}
