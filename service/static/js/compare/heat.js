// Heat maps: a small grey picture becomes a veil that is laid over the whole picture.

// Dark and nearly opaque where nothing speaks for the two being alike, clear in between, warm where most does: this
// can be read on light and dark pictures, and on light and dark pages.
const DARK = [16, 18, 26, 215];
const WARM = [255, 96, 0, 120];
const CLEAR_AT = 0.6;

/** Draw a heat map, the `data:` address of a grey picture, on a canvas that the style sheet stretches. */
export async function veil(canvas, address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < pixels.data.length; at += 4) pixels.data.set(colourOf(pixels.data[at] / 255), at);
  context.putImageData(pixels, 0, 0);
}

function colourOf(heat) {
  const [colour, part] =
    heat < CLEAR_AT ? [DARK, 1 - heat / CLEAR_AT] : [WARM, (heat - CLEAR_AT) / (1 - CLEAR_AT)];
  return [...colour.slice(0, 3), colour[3] * part];
}
