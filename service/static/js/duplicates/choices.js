// Remembering in this browser what was decided about a report, until there is a newer one.

const NAME = "lookalike-duplicates/";

/** The choices about the report of a collection that was made at this time. */
export function recallChoices(collection, report) {
  try {
    const stored = JSON.parse(localStorage.getItem(NAME + collection));
    return stored?.report === report ? stored.choices : {};
  } catch {
    return {}; // a browser that remembers nothing, or what another program wrote under this name
  }
}

/** Remember them; false where the browser does not. */
export function rememberChoices(collection, report, choices) {
  try {
    localStorage.setItem(NAME + collection, JSON.stringify({ report, choices }));
    return true;
  } catch {
    return false;
  }
}
