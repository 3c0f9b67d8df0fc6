// Where the person is, kept in the address: #/search?collection=shop&key=sku-1, or #/duplicates/shop. Behind the #
// because no server, and no server's log, needs to see which key was looked at.

const VIEWS = ["search", "compare", "collections", "duplicates", "map"];
// Views of one collection, whose name is a part of the path.
const NAMED = ["duplicates", "map"];
const listeners = new Set();
let seen = null;
let fresh = false;

/**
 * `{view, params, uploads, fresh}`: params is an object of strings; uploads names pictures that are only in this page;
 * fresh is whether one has just gone there, rather than come back.
 */
export function current() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [first, name = ""] = path.split(/\/(.*)/s);
  const view = VIEWS.includes(first) ? first : "search";
  const params = Object.fromEntries(new URLSearchParams(query));
  if (NAMED.includes(view) && name) params.name = decoded(name);
  return { view, params, uploads: history.state?.uploads ?? {}, fresh };
}

/** The address of a view; empty params are left out. */
export function link(view, params = {}) {
  const isNamed = NAMED.includes(view) && params.name;
  const kept = Object.entries(params).filter(
    ([name, value]) => value !== null && value !== undefined && value !== "" && !(isNamed && name === "name"),
  );
  const query = new URLSearchParams(kept).toString();
  return `#/${view}${isNamed ? `/${encodeURIComponent(params.name)}` : ""}${query ? `?${query}` : ""}`;
}

// A name that somebody typed may not be one that can be decoded.
function decoded(name) {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** Go there, as a new step that Back undoes, or in place of the present one. */
export function go(view, params = {}, { uploads = {}, replace = false } = {}) {
  const state = { uploads };
  if (replace) history.replaceState(state, "", link(view, params));
  else history.pushState(state, "", link(view, params));
  notify(!replace);
}

/** Write new params into the address and tell nobody: the view shows them already. */
export function note(params) {
  const { view, params: before, uploads } = current();
  history.replaceState({ uploads }, "", link(view, { ...before, ...params }));
  seen = fingerprint();
}

/** Called with the new place after each change of it. */
export const onRoute = (listener) => listeners.add(listener);

const fingerprint = () => `${location.hash}\n${JSON.stringify(history.state)}`;

// Browsers report one step as popstate, as hashchange, or as both.
function changed() {
  if (fingerprint() === seen) return;
  // Only the step that a link makes has no state yet.
  const isNew = history.state === null;
  if (isNew) history.replaceState({ uploads: {} }, "");
  notify(isNew);
}

/** Tell everyone where one is. */
export function notify(isNew = false) {
  fresh = isNew;
  seen = fingerprint();
  const place = current();
  for (const listener of listeners) listener(place);
}

addEventListener("popstate", changed);
addEventListener("hashchange", changed);
