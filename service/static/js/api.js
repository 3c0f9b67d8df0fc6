// Talking to the service: one way out, one shape of failure.

import { currentKey } from "./session.js";
import { t } from "./strings.js";

/** A request that did not work. `detail` is a sentence for people, `retryAfter` seconds or null. */
export class Problem extends Error {
  constructor({ status, code, detail, requestId = null, retryAfter = null, errors = [] }) {
    super(detail);
    Object.assign(this, { name: "Problem", status, code, detail, requestId, retryAfter, errors });
  }
}

let askForKey = async () => null;

/** Who asks the person for a key: `async (refused) => key or null`; refused is the problem with the one there is. */
export const setKeyAsker = (asker) => {
  askForKey = asker;
};

/**
 * The JSON answer of a request. `form` (an object, files allowed) makes it a POST, unless `method` says another; `body`
 * and `headers` are sent as they are. Raises Problem, or AbortError. `quiet` leaves a missing key unasked for.
 */
export async function call(path, options = {}) {
  const answer = await send(path, options);
  try {
    return await answer.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ status: answer.status, code: "unreadable", detail: t.problems.unreadable });
  }
}

/** The bytes of an answer, for pictures. */
export async function blob(path, options = {}) {
  return (await send(path, options)).blob();
}

/** The answer itself, for what is in its headers. */
export async function send(path, { quiet = false, ...options } = {}) {
  for (;;) {
    const key = currentKey();
    const answer = await attempt(path, options, key);
    if (answer.ok) return answer;
    const problem = await problemOf(answer);
    // A key that may only read is refused by what writes, and another one may do.
    const isKeyWanted = answer.status === 401 || (problem.code === "forbidden" && key !== null);
    if (!isKeyWanted || quiet) throw problem;
    // Another request may have got a new key while this one was under way.
    if (currentKey() === key && !(await askForKey(key === null ? null : problem))) throw problem;
    options.signal?.throwIfAborted();
  }
}

async function attempt(path, { form = null, method = null, body = null, headers = {}, signal = null }, key) {
  const init = { headers: { Accept: "application/json, */*;q=0.5", ...headers }, signal, credentials: "same-origin" };
  if (key) init.headers.Authorization = `Bearer ${key}`;
  if (form) Object.assign(init, { method: "POST", body: formOf(form) });
  if (method) init.method = method;
  if (body !== null) init.body = body;
  try {
    return await fetch(path, init);
  } catch (error) {
    throw brokenOff(error);
  }
}

/** What to raise for a request, or a stream, that broke off. */
export function brokenOff(error) {
  if (error.name === "AbortError") return error;
  const detail = navigator.onLine ? t.problems.offline : t.problems.deviceOffline;
  return new Problem({ status: 0, code: "offline", detail });
}

function formOf(fields) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value === null || value === undefined || value === "") continue;
    if (value instanceof Blob) form.append(name, value, value.name || t.drop.pasted);
    else if (Array.isArray(value)) for (const each of value) form.append(name, each);
    else form.append(name, String(value));
  }
  return form;
}

async function problemOf(answer) {
  const retryAfter = retryAfterOf(answer.headers.get("Retry-After"));
  const fallback = {
    status: answer.status,
    code: answer.status === 429 ? "overloaded" : `status-${answer.status}`,
    detail: t.problems.status(answer.status),
    requestId: answer.headers.get("X-Request-ID"),
    retryAfter,
  };
  const isProblem = (answer.headers.get("Content-Type") ?? "").startsWith("application/problem+json");
  const body = isProblem ? await answer.json().catch(() => null) : null;
  if (!body) return new Problem(fallback);
  return new Problem({
    status: answer.status,
    code: body.code ?? fallback.code,
    detail: body.detail ?? body.title ?? fallback.detail,
    requestId: body.request_id ?? fallback.requestId,
    retryAfter,
    errors: body.errors ?? [],
  });
}

// Retry-After is seconds, or a date where a proxy wrote it.
function retryAfterOf(text) {
  if (text === null) return null;
  const seconds = /^\d+$/.test(text) ? Number(text) : Math.ceil((Date.parse(text) - Date.now()) / 1000);
  return Number.isFinite(seconds) ? Math.max(0, seconds) : null;
}

/** Fields as a query string, without those that are null. */
const queryOf = (fields) => new URLSearchParams(Object.entries(fields).filter(([, value]) => value !== null));

// This module is below the service's own path, which is not the root where a proxy shows it below another path.
export const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/** Where the service has a collection. */
export const at = (collection) => `${ROOT}/collections/${encodeURIComponent(collection)}`;
/** Where the service has an item of it. */
export const itemAt = (collection, key) => `${at(collection)}/items/${encodeURIComponent(key)}`;

export const api = {
  version: (options) => call(`${ROOT}/version`, { quiet: true, ...options }),
  health: (options) => call(`${ROOT}/health`, { quiet: true, ...options }),
  ready: (options) => call(`${ROOT}/ready`, options),
  encoders: (options) => call(`${ROOT}/encoders`, options),
  collections: (options) => call(`${ROOT}/collections`, options),
  collection: (name, options) => call(at(name), options),
  items: (name, { limit, cursor = null, filter = null }, options) =>
    call(`${at(name)}/items?${queryOf({ limit, cursor, filter })}`, options),
  facets: (name, { names, filter = null, limit }, options) =>
    call(`${at(name)}/facets?${queryOf({ names: JSON.stringify(names), filter, limit })}`, options),
  itemsOf: (name, keys, options) => call(`${at(name)}/items?${queryOf({ keys: JSON.stringify(keys) })}`, options),
  map: (name, { field = null, groups }, options) => call(`${at(name)}/map?${queryOf({ field, groups })}`, options),
  item: (name, key, options) => call(itemAt(name, key), options),
  duplicates: (name, { limit, cursor = null }, options) =>
    call(`${at(name)}/duplicates?${queryOf({ limit, cursor })}`, options),
  decide: (name, keys, decision, options) =>
    call(`${at(name)}/duplicates/decisions`, { form: { key: keys, decision }, ...options }),
  difference: (name, first, second, options) =>
    call(`${at(name)}/duplicates/difference?${new URLSearchParams({ first, second })}`, options),
  check: (name, image, options) => call(`${at(name)}/check`, { form: { image }, ...options }),
  snapshots: (name, options) => call(`${at(name)}/snapshots`, options),
  calibration: (name, options) => call(`${at(name)}/calibration`, options),
  search: (form, options) => call(`${ROOT}/search`, { form, ...options }),
  compare: (form, options) => call(`${ROOT}/compare`, { form, ...options }),
};

/** Where the service has a small JPEG of an item. */
export const thumbnailOf = (collection, key) => `${itemAt(collection, key)}/thumbnail`;

/** The title of an item, or null where it has none or cannot be had: its key does as well. */
export async function titleOf({ collection, key }, signal) {
  const item = await api.item(collection, key, { signal, quiet: true }).catch(() => null);
  return item?.title || null;
}

/** Where the service has the file of an item. */
export const imageOf = (collection, key) => `${itemAt(collection, key)}/image`;
