// What the whole page knows about the service: its collections.

import { api } from "./api.js";

let listed = null;

/** The collections, fetched anew if `fresh` or not known yet or none. */
export async function collections({ fresh = false, ...options } = {}) {
  if (!fresh && listed?.length) return listed;
  listed = await fetched(options);
  if (listed.length) return listed;
  // A service that is still starting knows of no collections yet, which is not the same as having none.
  await api.ready(options);
  listed = await fetched(options);
  return listed;
}

/** The collection to search when the address names none: the first that is ready. */
export const usual = (list) => list.find((each) => each.ready)?.name ?? list[0]?.name ?? null;

const fetched = async (options) => (await api.collections(options)).collections;
