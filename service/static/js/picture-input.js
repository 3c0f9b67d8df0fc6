// Ways of giving a picture: drop it anywhere, paste it, choose it, photograph it.

import { chosenFiles, droppedFiles } from "./bulk/files.js";
import { h, icon } from "./dom.js";
import { flash } from "./notice.js";
import { t } from "./strings.js";

export const ACCEPT = "image/*,.tif,.tiff,.webp,.avif,.bmp,.ico,.jp2,.heic";

/** The pictures among files. Says which file is none, if there is no picture at all. */
function picturesOf(files) {
  const all = [...files];
  // A browser that does not know a format leaves its type empty: the service will know.
  const good = all.filter((file) => file.type === "" || file.type.startsWith("image/"));
  if (good.length === 0 && all.length > 0) flash(t.drop.noPicture(all[0].name));
  return good;
}

/**
 * Listen on the whole page. `receive(files, target)` gets pictures and the element they were meant for; while
 * `takesAll()`, `receiveAll(given)` gets files of all kinds, those in folders too, with their paths. `overlay()` gives the
 * words to show while something is dragged, or null for none.
 */
export function listenForPictures({ receive, receiveAll, takesAll, overlay }) {
  const words = h("p", {});
  const curtain = h("div", { class: "curtain", hidden: true, "aria-hidden": "true" }, icon("drop"), words);
  document.body.append(curtain);
  let depth = 0;
  const lift = () => {
    depth = 0;
    curtain.hidden = true;
    document.body.classList.remove("dragging");
  };
  const carries = (event, ...kinds) => kinds.some((kind) => event.dataTransfer?.types.includes(kind));

  document.addEventListener("dragenter", (event) => {
    if (!carries(event, "Files")) return;
    event.preventDefault();
    depth += 1;
    const text = overlay();
    curtain.hidden = text === null;
    words.textContent = text ?? "";
    document.body.classList.add("dragging");
  });
  // Words may be dropped into the fields as ever; a link to a picture is told apart from the picture.
  document.addEventListener("dragover", (event) => carries(event, "Files", "text/uri-list") && event.preventDefault());
  document.addEventListener("dragleave", () => {
    depth -= 1;
    if (depth <= 0) lift();
  });
  document.addEventListener("drop", (event) => {
    lift();
    if (!carries(event, "Files", "text/uri-list")) return;
    event.preventDefault();
    const files = event.dataTransfer?.files ?? [];
    if (files.length === 0) flash(t.drop.noFile);
    else if (takesAll()) droppedFiles(event.dataTransfer).then(receiveAll, () => flash(t.drop.unreadable));
    else give(files, event.target, receive);
  });
  document.addEventListener("paste", (event) => {
    const files = event.clipboardData?.files ?? [];
    if (files.length === 0) return;
    event.preventDefault();
    if (takesAll()) receiveAll(chosenFiles(files));
    else give(files, document.activeElement, receive);
  });
}

function give(files, target, receive) {
  const pictures = picturesOf(files);
  if (pictures.length > 0) receive(pictures, target);
}

/** "Choose a picture" and, where there is a camera to hold, "Take a photo"; both are labels around a file input. */
export function pickers({ choose, photograph, receive, kind = "primary" }) {
  return h(
    "div",
    { class: "pickers" },
    picker(choose, "picture", { receive, kind }),
    picker(photograph, "camera", { receive, kind: kind === "primary" ? "camera" : `${kind} camera`, capture: true }),
  );
}

function picker(label, symbol, { receive, kind, capture = false }) {
  const attributes = capture ? { accept: "image/*", capture: "environment" } : { accept: ACCEPT };
  const onFiles = (files) => {
    const pictures = picturesOf(files);
    if (pictures.length > 0) receive(pictures);
  };
  return filePicker(label, symbol, { kind, attributes, receive: onFiles });
}

/** A label around a file input; `receive(files)` with what was chosen, whatever it is. */
export function filePicker(label, symbol, { receive, kind, attributes = {} }) {
  const input = h("input", { type: "file", class: "visually-hidden" });
  for (const [name, value] of Object.entries(attributes)) input.setAttribute(name, value);
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = "";
    if (files.length > 0) receive(files);
  });
  return h("label", { class: `button ${kind}` }, input, icon(symbol), h("span", {}, label));
}
