// Results as a table for a spreadsheet.

import { csvOf } from "../csv.js";

const COLUMNS = ["rank", "key", "score", "normalized_score", "similar", "confidence", "tier", "title", "product_id"];

/** CSV of results, one row each, their metadata in columns of their own. */
export function toCsv(results) {
  const extra = [...new Set(results.flatMap(({ metadata }) => Object.keys(metadata ?? {})))];
  const header = [...COLUMNS, ...extra.map((name) => (COLUMNS.includes(name) ? `metadata.${name}` : name))];
  const rows = results.map((result) => [
    ...COLUMNS.map((name) => result[name]),
    ...extra.map((name) => (result.metadata ?? {})[name]),
  ]);
  return csvOf([header, ...rows]);
}
