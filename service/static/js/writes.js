// Requests that change a collection. They need a key that may write, where the service asks for keys.

import { at, call, itemAt, send } from "./api.js";

/** The form of an item; what is null is not sent, and stays as it is. An empty text is sent. */
function itemForm({ image = null, title = null, product_id: product = null, metadata = null }) {
  const form = new FormData();
  if (image !== null) form.append("image", image, image.name);
  if (title !== null) form.append("title", title);
  if (product !== null) form.append("product_id", product);
  if (metadata !== null) form.append("metadata", JSON.stringify(metadata));
  return form;
}

// Only if the item is still as it was when its tag was read.
const onlyIf = (tag) => (tag ? { "If-Match": tag } : {});

export const writes = {
  createCollection: (name, fields, options) => call(at(name), { form: fields, method: "PUT", ...options }),
  configureCollection: (name, fields, options) => call(at(name), { form: fields, method: "PATCH", ...options }),
  restoreCollection: (name, options) => call(`${at(name)}/restore`, { method: "POST", ...options }),
  deleteCollection: (name, options) =>
    call(`${at(name)}?${new URLSearchParams({ confirm: name })}`, { method: "DELETE", ...options }),
  publish: (name, options) => call(`${at(name)}/fold`, { method: "POST", ...options }),
  pin: (name, snapshot, options) => call(`${at(name)}/pin`, { form: { snapshot }, method: "PUT", ...options }),
  unpin: (name, options) => call(`${at(name)}/pin`, { method: "DELETE", ...options }),
  putItem: (name, key, fields, { tag = null, ...options } = {}) =>
    call(itemAt(name, key), { body: itemForm(fields), method: "PUT", headers: onlyIf(tag), ...options }),
  patchItem: (name, key, fields, { tag = null, ...options } = {}) =>
    call(itemAt(name, key), { body: itemForm(fields), method: "PATCH", headers: onlyIf(tag), ...options }),
  deleteItem: (name, key, { tag = null, ...options } = {}) =>
    call(itemAt(name, key), { method: "DELETE", headers: onlyIf(tag), ...options }),
  changeItems: (name, changes, images, options) =>
    call(`${at(name)}/items`, { form: { changes: JSON.stringify(changes), image: images }, ...options }),
};

/** An item and the tag of this version of it. */
export async function itemWithTag(name, key, options) {
  const answer = await send(itemAt(name, key), options);
  return { item: await answer.json(), tag: answer.headers.get("ETag") };
}
