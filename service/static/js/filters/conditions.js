// What a filter is here: the service's JSON form of one, `{"category": {"in": ["mug"]}, "price": {"gte": 5}}`, and
// besides a condition that a person wrote as text. No elements.

import { isDay } from "../format.js";
import { t } from "../strings.js";

const DAY = 86_400_000;
const PLAIN = /^[\p{L}_][\p{L}\p{N}_.-]*$/u;
const KEYWORD = /^(and|or|not|in|exists|prefix|contains|true|false)$/i;

/** Fields that every item has. A column of such a name is asked for as `metadata.NAME`. */
const BUILT_IN = ["key", "title", "product_id", "width", "height", "format", "byte_size", "created_at"];
const OPERATORS = ["and", "or", "not"];
const SIGNS = { gte: ">=", gt: ">", lte: "<=", lt: "<" };

export const fieldOf = (column) => ([...BUILT_IN, ...OPERATORS].includes(column) ? `metadata.${column}` : column);

/** `{filter, where}` of an address: conditions by field, and the text that a person wrote. */
export function conditionsOf({ filter, where }) {
  return { filter: objectOf(filter), where: where ?? "" };
}

/** The same as parameters of an address, null where nothing is asked. */
export function paramsOf({ filter, where }) {
  return { filter: Object.keys(filter).length ? JSON.stringify(filter) : null, where: where || null };
}

/** What the service is sent, or null: JSON, or with a person's own text the text form. */
export function wireOf(conditions) {
  return conditions.where ? textOf(conditions) : paramsOf(conditions).filter;
}

/** The conditions without what is asked of one field. */
export function without({ filter, where }, field) {
  const { [field]: _, ...rest } = filter;
  return { filter: rest, where };
}

/** The conditions with `tests` of one field in place of what was asked of it; null asks nothing. */
export function withTests({ filter, where }, field, tests) {
  if (tests === null) return without({ filter, where }, field);
  return { filter: { ...filter, [field]: tests }, where };
}

/** The values that are asked for, of a field. */
export const valuesOf = (tests) => (Array.isArray(tests?.in) ? tests.in : []);

/** A list of values as tests, null for none. */
export const testsOf = (values) => (values.length ? { in: values } : null);

/** From-to, as a person writes it: a day is meant whole, so the service is asked for less than the next one. */
export function rangeTests(from, to, { isDate = false } = {}) {
  const tests = {};
  if (from !== null) tests.gte = from;
  if (to !== null) Object.assign(tests, isDate ? { lt: shifted(to, 1) } : { lte: to });
  return Object.keys(tests).length ? tests : null;
}

/** `{from, to}` of such tests, null where there is no bound. */
export function rangeOf(tests, { isDate = false } = {}) {
  const to = isDate ? (tests?.lt === undefined ? null : shifted(tests.lt, -1)) : (tests?.lte ?? null);
  return { from: tests?.gte ?? null, to };
}

function shifted(day, by) {
  const time = Date.parse(`${day}T00:00:00Z`);
  return Number.isNaN(time) ? day : new Date(time + by * DAY).toISOString().slice(0, 10);
}

/** What is asked, part by part: `{label, rest}`, with the conditions that are left when that part is removed. */
export function chipsOf(conditions) {
  const chips = Object.entries(conditions.filter).flatMap(([field, tests]) => chipsOfField(conditions, field, tests));
  const { where, filter } = conditions;
  return where ? [...chips, { label: where, rest: { filter, where: "" } }] : chips;
}

function chipsOfField(conditions, field, tests) {
  const name = field.replace(/^metadata\./, "");
  const values = valuesOf(tests);
  if (values.length && Object.keys(tests).length === 1) {
    return values.map((value) => ({
      label: t.filters.is(name, shown(value)),
      rest: withTests(conditions, field, testsOf(values.filter((other) => other !== value))),
    }));
  }
  return [{ label: labelOf(name, tests) ?? fieldText(field, tests), rest: without(conditions, field) }];
}

function labelOf(name, tests) {
  const known = Object.keys(tests ?? {});
  if (known.length === 1 && typeof tests.prefix === "string") return t.filters.begins(name, tests.prefix);
  if (!known.length || known.some((operator) => !["gte", "lte", "lt"].includes(operator))) return null;
  const isDate = typeof tests.lt === "string" && isDay(tests.lt);
  if (tests.lt !== undefined && !isDate) return null;
  const { from, to } = rangeOf(tests, { isDate });
  if (from === null) return t.filters.atMost(name, to);
  return to === null ? t.filters.atLeast(name, from) : t.filters.between(name, from, to);
}

/** A value as a person reads it. */
export const shown = (value) => (typeof value === "boolean" ? (value ? t.filters.yes : t.filters.no) : String(value));

/** The conditions in the service's text form, `category = mug and price < 60`. */
export function textOf({ filter, where }) {
  const parts = Object.entries(filter).map(([field, tests]) => fieldText(field, tests));
  if (where) parts.push(parts.length ? `(${where})` : where);
  return parts.join(" and ");
}

function fieldText(field, tests) {
  // What only somebody who writes addresses by hand asks for is shown as it was written.
  if (OPERATORS.includes(field) || tests === null) return JSON.stringify({ [field]: tests });
  const name = quoted(field);
  if (typeof tests !== "object") return `${name} = ${literal(tests)}`;
  return Object.entries(tests)
    .map(([operator, operand]) => comparison(name, operator, operand))
    .join(" and ");
}

function comparison(name, operator, operand) {
  if (operator === "in" && Array.isArray(operand)) {
    if (operand.length === 1) return `${name} = ${literal(operand[0])}`;
    return `${name} in (${operand.map(literal).join(", ")})`;
  }
  if (operator === "exists") return operand ? `${name} exists` : `${name} not exists`;
  if (operator === "eq") return `${name} = ${literal(operand)}`;
  return `${name} ${SIGNS[operator] ?? operator} ${literal(operand)}`;
}

const literal = (value) => (typeof value === "string" && !isDay(value) ? quoted(value) : String(value));
const quoted = (text) => (PLAIN.test(text) && !KEYWORD.test(text) ? text : `"${text.replaceAll(/["\\]/g, "\\$&")}"`);

function objectOf(text) {
  try {
    const value = JSON.parse(text ?? "{}");
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};
  } catch {
    return {};
  }
}
