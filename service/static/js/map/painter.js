// Drawing the map: points as pixels that are written one by one, thumbnails and the lasso on top of them.

import { COLOURS, NONE, OTHER } from "./colours.js";

// Above this a screen has more pixels than eyes see of points.
const MOST_RATIO = 2;
const FADED = 0.22;

export class Painter {
  #context;
  #image = null;
  #pixels = null;

  constructor(canvas) {
    this.canvas = canvas;
    this.#context = canvas.getContext("2d");
  }

  /** Whether it has a size. */
  get isReady() {
    return this.#pixels !== null;
  }

  /** The canvas in pixels of the page; it is as sharp as the screen. */
  resize(width, height) {
    this.ratio = Math.min(MOST_RATIO, devicePixelRatio || 1);
    this.canvas.width = Math.max(1, Math.round(width * this.ratio));
    this.canvas.height = Math.max(1, Math.round(height * this.ratio));
    this.#image = this.#context.createImageData(this.canvas.width, this.canvas.height);
    this.#pixels = new Uint32Array(this.#image.data.buffer);
  }

  /**
   * Draw the points as a camera sees them. `selected` is a byte for each, or null where none is selected; `tiles` are
   * `[{index, image, x, y, side}]`; `lasso` is a list of pixels, `cross` whether the middle is marked.
   */
  draw(points, camera, { selected, groupCount, tiles, lasso, cross }) {
    const started = performance.now();
    this.#pixels.fill(0);
    const solid = palette(groupCount, 1);
    if (selected === null) this.#dots(points, camera, solid, null, 1);
    else {
      this.#dots(points, camera, palette(groupCount, FADED), selected, 0);
      this.#dots(points, camera, solid, selected, 1);
    }
    this.#context.putImageData(this.#image, 0, 0);
    this.#context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    const style = getComputedStyle(this.canvas);
    for (const tile of tiles) this.#tile(tile, points, groupCount, selected, style);
    if (lasso.length > 1) this.#lasso(lasso, style);
    if (cross) this.#cross(camera, style);
    this.lastMs = performance.now() - started;
  }

  // Those whose byte is `wanted`, or all.
  #dots({ x, y, groups, count }, camera, colours, selected, wanted) {
    const { width, height } = this.canvas;
    const [scale, left, top] = [camera.scale * this.ratio, camera.left * this.ratio, camera.top * this.ratio];
    const radius = this.#radius(count, camera);
    const offsets = disc(radius, width);
    const reach = Math.ceil(radius);
    const pixels = this.#pixels;
    for (let index = 0; index < count; index += 1) {
      if (selected !== null && selected[index] !== wanted) continue;
      const across = Math.round(x[index] * scale + left);
      const down = Math.round(y[index] * scale + top);
      if (across < reach || down < reach || across >= width - reach || down >= height - reach) continue;
      const at = down * width + across;
      const colour = colours[groups[index]];
      for (let each = 0; each < offsets.length; each += 1) pixels[at + offsets[each]] = colour;
    }
  }

  // Many points are small until one comes near.
  #radius(count, camera) {
    const small = count > 20000 ? 1 : count > 4000 ? 1.6 : 2.6;
    return Math.min(5, small * Math.sqrt(Math.max(1, camera.factor))) * this.ratio;
  }

  #tile({ index, image, x, y, side }, points, groupCount, selected, style) {
    const context = this.#context;
    const isFaded = selected !== null && selected[index] === 0;
    const ratio = Math.min(side / image.width, side / image.height);
    const [width, height] = [image.width * ratio, image.height * ratio];
    const [left, top] = [x - width / 2, y - height / 2];
    context.fillStyle = `rgb(${rgbOf(points.groups[index], groupCount).join(" ")})`;
    context.fillRect(left - 3, top - 3, width + 6, height + 6);
    context.drawImage(image, left, top, width, height);
    if (!isFaded) return;
    context.globalAlpha = 1 - FADED;
    context.fillStyle = style.backgroundColor;
    context.fillRect(left - 3, top - 3, width + 6, height + 6);
    context.globalAlpha = 1;
  }

  #lasso(lasso, style) {
    const context = this.#context;
    context.beginPath();
    for (const [x, y] of lasso) context.lineTo(x, y);
    context.closePath();
    context.globalAlpha = 0.12;
    context.fillStyle = style.color;
    context.fill();
    context.globalAlpha = 1;
    context.lineWidth = 2;
    context.setLineDash([6, 4]);
    context.strokeStyle = style.color;
    context.stroke();
    context.setLineDash([]);
  }

  #cross({ width, height }, style) {
    const context = this.#context;
    const [x, y] = [width / 2, height / 2];
    context.lineWidth = 2;
    context.strokeStyle = style.color;
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + 6 * dx, y + 6 * dy);
      context.lineTo(x + 16 * dx, y + 16 * dy);
    }
    context.stroke();
  }
}

/** Red, green and blue of a group: behind the groups of values come other values, and no value. */
export function rgbOf(group, groupCount) {
  if (group >= groupCount) return group === groupCount ? OTHER : NONE;
  return COLOURS[group % COLOURS.length];
}

// A pixel of each group as the canvas stores it.
function palette(groupCount, opacity) {
  const alpha = Math.round(255 * opacity) << 24;
  return Uint32Array.from({ length: groupCount + 2 }, (_, group) => {
    const [red, green, blue] = rgbOf(group, groupCount);
    return (alpha | (blue << 16) | (green << 8) | red) >>> 0;
  });
}

// The pixels of a disc, as distances in an array of rows of this width.
function disc(radius, width) {
  const offsets = [];
  const reach = Math.ceil(radius);
  for (let down = -reach; down <= reach; down += 1)
    for (let across = -reach; across <= reach; across += 1)
      if (across * across + down * down <= radius * radius + 0.5) offsets.push(down * width + across);
  return Int32Array.from(offsets);
}
