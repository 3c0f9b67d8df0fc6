// Building elements. Text always becomes text nodes, so a key or a title can never become markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element with properties and children. `on` maps event names to listeners, `data` fills the dataset, what the
 * element knows as a property is set as such, and everything else becomes an attribute. Null and false are left out.
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "class") element.className = value;
    else if (name in element && !name.startsWith("aria") && name !== "list") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Take the icons into the page, so that those for bad news are there when the service is not. */
export async function fetchIcons() {
  const text = await (await fetch(new URL("../icons.svg", import.meta.url))).text();
  const sprite = document.importNode(new DOMParser().parseFromString(text, "image/svg+xml").documentElement, true);
  sprite.setAttribute("class", "visually-hidden");
  sprite.setAttribute("aria-hidden", "true");
  document.body.append(sprite);
}

/** An icon of the sprite, which says nothing to a screen reader. */
export const icon = (name) =>
  svg("svg", { class: "icon", "aria-hidden": "true" }, svg("use", { href: `#icon-${name}` }));

/** An element of a drawing. */
export function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** A button; `kind` is a class such as "primary" or "quiet". */
export function button(label, listener, { kind = "", symbol = null, ...rest } = {}) {
  const content = symbol ? [icon(symbol), h("span", {}, label)] : [label];
  return h("button", { type: "button", class: `button ${kind}`.trim(), on: { click: listener }, ...rest }, ...content);
}

/** Pairs of term and description as a definition list; pairs whose description is null are left out. */
export function facts(pairs) {
  const rows = pairs
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value)));
  return h("dl", { class: "facts" }, ...rows);
}

/** A form field: label above, hint below, both tied to the control. */
export function field(label, control, { id, hint = null } = {}) {
  control.id = id;
  if (hint) control.setAttribute("aria-describedby", `${id}-hint`);
  return h(
    "div",
    { class: "field" },
    h("label", { htmlFor: id }, label),
    control,
    hint && h("p", { class: "hint", id: `${id}-hint` }, hint),
  );
}

let nextId = 0;

/** An id that nothing else on the page has. */
export const freshId = (stem) => `${stem}-${++nextId}`;

/** Hand a blob to the browser's downloads under this name. */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 30_000);
}

/** Put a text on the clipboard; false where the browser does not allow that, as without https. */
export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
