// Results as a table for a spreadsheet.

const COLUMNS = ["rank", "key", "score", "normalized_score", "similar", "confidence", "tier", "title", "product_id"];

/**
 * CSV (RFC 4180) of results, one row each, their metadata in columns of their own. It begins with a byte order mark,
 * without which Excel misreads what is not ASCII.
 */
export function toCsv(results) {
  const extra = [...new Set(results.flatMap(({ metadata }) => Object.keys(metadata ?? {})))];
  const header = [...COLUMNS, ...extra.map((name) => (COLUMNS.includes(name) ? `metadata.${name}` : name))];
  const rows = results.map((result) => [
    ...COLUMNS.map((name) => result[name]),
    ...extra.map((name) => (result.metadata ?? {})[name]),
  ]);
  return `\ufeff${[header, ...rows].map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`;
}

// A spreadsheet runs a text that begins with one of these as a formula; numbers of our own are no text.
const FORMULA = /^[=+\-@\t\r]/;

function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const text = FORMULA.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
