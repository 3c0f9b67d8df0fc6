// What the whole page knows about the service: its collections.

import { api } from "./api.js";

let listed = null;

/** The collections, fetched anew if `fresh` or not known yet or none. */
export async function collections({ fresh = false, ...options } = {}) {
  // What is wrong with one of them may have been mended meanwhile.
  if (!fresh && listed?.length && listed.every((each) => each.picture_problem === null)) return listed;
  listed = await fetched(options);
  if (listed.length) return listed;
  // A service that is still starting knows of no collections yet, which is not the same as having none.
  await api.ready(options);
  listed = await fetched(options);
  return listed;
}

/** The collection to search when the address names none: the first that takes pictures, or else that is ready. */
export const usual = (list) =>
  (list.find((each) => each.searchable_by_picture) ?? list.find((each) => each.ready) ?? list[0])?.name ?? null;

const fetched = async (options) => (await api.collections(options)).collections;
