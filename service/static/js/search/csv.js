// Results as a table for a spreadsheet.

import { csvOf } from "../csv.js";

const COLUMNS = ["rank", "key", "score", "normalized_score", "similar", "confidence", "tier", "title", "product_id"];

/** CSV of results, one row each, their metadata in columns of their own. */
export function toCsv(results) {
  const isSeveral = new Set(results.map(({ collection }) => collection)).size > 1;
  const columns = isSeveral ? ["collection", ...COLUMNS] : COLUMNS;
  const extra = [...new Set(results.flatMap(({ metadata }) => Object.keys(metadata ?? {})))];
  const header = [...columns, ...extra.map((name) => (columns.includes(name) ? `metadata.${name}` : name))];
  const rows = results.map((result) => [
    ...columns.map((name) => result[name]),
    ...extra.map((name) => (result.metadata ?? {})[name]),
  ]);
  return csvOf([header, ...rows]);
}
