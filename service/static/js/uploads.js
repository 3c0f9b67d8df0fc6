// The pictures that a person gave to this page. They live as long as the page; the address only has their number.

const LIMIT = 40;
const files = new Map();
let next = Date.now();

/** Remember a file; the oldest is forgotten when there are many. */
export function remember(file) {
  const id = next++;
  files.set(id, file);
  if (files.size > LIMIT) files.delete(files.keys().next().value);
  return id;
}

export const recall = (id) => files.get(id) ?? null;

/**
 * A picture to ask about: `{kind: "file", id, file, name}`, `{kind: "key", key, collection, name}`,
 * `{kind: "gone"}` for a file of a page that was closed, or null.
 */
export function sourceOf(key, collection, id) {
  if (key !== undefined && key !== null) return { kind: "key", key, collection, name: key };
  if (id === undefined || id === null) return null;
  const file = recall(id);
  return file ? { kind: "file", id, file, name: file.name } : { kind: "gone" };
}
