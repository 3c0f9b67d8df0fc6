// Tables for spreadsheets.

/**
 * CSV (RFC 4180) of rows of values. It begins with a byte order mark, without which Excel misreads what is not ASCII.
 */
export function csvOf(rows) {
  return `\ufeff${rows.map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`;
}

// A spreadsheet runs a text that begins with one of these as a formula; numbers of our own are no text.
const FORMULA = /^[=+\-@＝＋－＠\t\r\n]/;

function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const text = FORMULA.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
