// Boxes on a picture, as numbers only: [x0, y0, x1, y1], each from 0 to 1 of the upright picture.

const LEAST = 0.04;
export const FIRST = [0.2, 0.2, 0.8, 0.8];

const within = (value, low = 0, high = 1) => Math.min(high, Math.max(low, value));
const rounded = (box) => box.map((value) => Number(value.toFixed(4)));

/** The box moved by (dx, dy), kept on the picture at its size. */
export function move([x0, y0, x1, y1], dx, dy) {
  const right = within(dx, -x0, 1 - x1);
  const down = within(dy, -y0, 1 - y1);
  return rounded([x0 + right, y0 + down, x1 + right, y1 + down]);
}

/** The box with the edges named in `edges` (any of "nswe") moved by (dx, dy); it never gets smaller than LEAST. */
export function resize([x0, y0, x1, y1], edges, dx, dy) {
  return rounded([
    edges.includes("w") ? within(x0 + dx, 0, x1 - LEAST) : x0,
    edges.includes("n") ? within(y0 + dy, 0, y1 - LEAST) : y0,
    edges.includes("e") ? within(x1 + dx, x0 + LEAST, 1) : x1,
    edges.includes("s") ? within(y1 + dy, y0 + LEAST, 1) : y1,
  ]);
}

/** The box between two points, or null if it would be too small to mean anything. */
export function between([ax, ay], [bx, by]) {
  const box = [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)].map((value) => within(value));
  return box[2] - box[0] < LEAST || box[3] - box[1] < LEAST ? null : rounded(box);
}

export const format = (box) => (box ? box.join(",") : null);

/** The box in a text like "0.1,0.2,0.9,1", or null if that is none. */
export function parse(text) {
  const numbers = (text ?? "").split(",").map(Number);
  if (numbers.length !== 4 || numbers.some((value) => !(value >= 0 && value <= 1))) return null;
  const [x0, y0, x1, y1] = numbers;
  return text && x0 < x1 && y0 < y1 ? numbers : null;
}
