// Removing a picture. Its file is fetched first, so that it can be put back; where that is not certain, one is asked.

import { blob } from "../api.js";
import { nameOf } from "../card.js";
import { confirmed } from "../dialogs.js";
import { t } from "../strings.js";
import { itemWithTag, writes } from "../writes.js";

/**
 * Remove an item. Answers `{restore}`, a function that puts it back as it was, or null where that cannot be done; or
 * null if the person thought better of it. Raises Problem, or AbortError.
 */
export async function removeItem(collection, row, { signal }) {
  const { item, tag } = await itemWithTag(collection, row.key, { signal });
  const file = await fileOf(item, signal);
  if (file === null) {
    const { confirmRemove, confirmText, confirmYes: yes, keep: no } = t.collection;
    if (!(await confirmed(confirmRemove(nameOf(item)), confirmText, { yes, no }))) return null;
  }
  await writes.deleteItem(collection, row.key, { tag, signal });
  return { restore: file && (() => restored(collection, item, file)) };
}

async function restored(collection, item, file) {
  const { title, product_id: product, metadata } = item;
  const answer = await writes.putItem(collection, item.key, { image: file, title, product_id: product, metadata });
  return answer.item;
}

/** The file of an item if it is, byte for byte, the one that was indexed; null where that cannot be told. */
async function fileOf(item, signal) {
  // Without https a browser computes no digests.
  if (!crypto.subtle) return null;
  try {
    const data = await blob(item.image_url, { signal });
    const digest = await crypto.subtle.digest("SHA-256", await data.arrayBuffer());
    const text = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const name = item.key.split("/").pop() || "picture";
    return text === item.content_digest ? new File([data], name, { type: data.type }) : null;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return null;
  }
}
