// Showing pictures. Without a key the browser fetches them; with one the page must, because an <img> sends no header.

import { blob, thumbnailOf } from "./api.js";
import { h, icon } from "./dom.js";
import { currentKey } from "./session.js";
import { t } from "./strings.js";

const waiting = new Map();
const watcher = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      watcher.unobserve(entry.target);
      const fetchIt = waiting.get(entry.target);
      waiting.delete(entry.target);
      fetchIt?.();
    }
  },
  { rootMargin: "400px" },
);

/**
 * A frame with the picture at `url` of the service, fetched when it comes near the screen. A picture that cannot be
 * shown leaves a sign in its place. `signal` stops fetching.
 */
export function picture(url, alt, { signal = null, eager = false } = {}) {
  const image = h("img", { alt, draggable: false, decoding: "async" });
  const frame = h("span", { class: "frame" }, image);
  image.addEventListener("load", () => frame.classList.add("loaded"));
  image.addEventListener("error", () => missing(frame));
  if (!currentKey()) {
    if (!eager) image.loading = "lazy";
    image.src = url;
    return frame;
  }
  const fetchIt = () => fetchInto(image, url, signal).catch((error) => error.name !== "AbortError" && missing(frame));
  if (eager) {
    fetchIt();
    return frame;
  }
  waiting.set(frame, fetchIt);
  watcher.observe(frame);
  signal?.addEventListener("abort", () => {
    watcher.unobserve(frame);
    waiting.delete(frame);
  });
  return frame;
}

async function fetchInto(image, url, signal) {
  const data = await blob(url, { signal, quiet: true });
  setBlob(image, data);
}

/** Show a file or a blob in an <img>; its address is given back as soon as the pixels are there, or cannot be. */
export function setBlob(image, data) {
  const url = URL.createObjectURL(data);
  const release = () => URL.revokeObjectURL(url);
  image.addEventListener("load", release, { once: true });
  image.addEventListener("error", release, { once: true });
  image.src = url;
}

function missing(frame) {
  frame.classList.add("missing");
  frame.replaceChildren(icon("missing"), h("span", { class: "visually-hidden" }, t.results.noPicture));
}

/** The address of a small picture, in pixels that suit this screen. */
export function sized(url, side) {
  const wanted = side * Math.min(2, window.devicePixelRatio || 1);
  const size = wanted <= 256 ? 256 : wanted <= 512 ? 512 : 1024;
  return `${url}?size=${size}`;
}

/** The address of a large picture of an item. */
export const large = (collection, key) => `${thumbnailOf(collection, key)}?size=1024`;
