// The key that the service may ask for. It lives as long as the tab.

const NAME = "lookalike-key";
const listeners = new Set();

export const currentKey = () => sessionStorage.getItem(NAME);

export function setKey(key) {
  if (key) sessionStorage.setItem(NAME, key);
  else sessionStorage.removeItem(NAME);
  for (const listener of listeners) listener(key);
}

/** Called with the new key, or null, whenever it changes. */
export const onKey = (listener) => listeners.add(listener);
