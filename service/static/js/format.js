// Numbers, dates and sizes as a person reads them.

import { language, t } from "./strings.js";

const three = new Intl.NumberFormat(language, { minimumFractionDigits: 3, maximumFractionDigits: 3 });
const two = new Intl.NumberFormat(language, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const dates = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });

// No minus before a zero: -0.0001 reads as 0.000.
const unsigned = (value, decimals) => (Math.abs(value) < 0.5 / 10 ** decimals ? 0 : value);

export const score = (value) => three.format(unsigned(value, 3));
export const short = (value) => two.format(unsigned(value, 2));
export const percent = (fraction) => Math.round(fraction * 100);

export function milliseconds(value) {
  if (value >= 1000) return t.units.s(two.format(value / 1000));
  return t.units.ms(value >= 10 ? Math.round(value) : Number(value.toFixed(1)));
}

/** A time in seconds as a person says it: "40 s", "3 min". */
export function duration(seconds) {
  if (seconds < 90) return t.units.s(Math.max(1, Math.round(seconds)));
  return seconds < 5400 ? t.units.min(Math.round(seconds / 60)) : t.units.h(Math.round(seconds / 3600));
}

/** A number of which nobody wants more than two digits. */
export const rounded = (value) => (value >= 10 ? Math.round(value) : Number(value.toPrecision(2)));

/** Times of stages as "decode 6 ms, encode 41 ms"; a stage that did not run is left out. */
export function stages(took, names) {
  const ran = names.filter((name) => took[name] >= 0.05);
  return ran.map((name) => `${t.results.stages[name]} ${milliseconds(took[name])}`).join(", ");
}

export function bytes(value) {
  let unit = 0;
  let rest = value;
  while (rest >= 1000 && unit < t.units.bytes.length - 1) {
    rest /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? rest : Number(rest.toPrecision(3))} ${t.units.bytes[unit]}`;
}

/** Whether a text is a day as the service writes one. */
export const isDay = (text) => /^\d{4}-\d{2}-\d{2}$/.test(text);
export const date = (text) => dates.format(new Date(text));
export const count = (value) => new Intl.NumberFormat(language).format(value);

/** A probability as a person reads it: "97 %". */
export function sure(confidence) {
  if (confidence > 0.995) return t.confidence.most;
  return confidence < 0.005 ? t.confidence.least : t.confidence.percent(percent(confidence));
}

const SOURCE = /^calibrated (on collection|for encoder) (.+) \(([^)]*)\)$/;

/** Who set a threshold, in words; `collection` is the one that is looked at, if one is. */
export function thresholdSource({ source }, collection = null) {
  if (source === "given") return t.threshold.given;
  if (source.startsWith("default")) return t.threshold.fallback;
  const [, on, name, rule] = SOURCE.exec(source) ?? [];
  if (on === undefined) return source;
  if (on === "for encoder") return t.threshold.encoder(name, rule);
  return name === collection ? t.threshold.here(rule) : t.threshold.collection(name, rule);
}

const LOW_RECALL = 0.5;

/** What a calibrated threshold was measured to do, in a sentence; null for one that was given, and for the default. */
export function thresholdMeaning({ source, precision, recall }) {
  if ((precision ?? null) === null || (recall ?? null) === null) return null;
  const isOwn = source.startsWith("calibrated on collection");
  return t.threshold.meaning(sure(precision), share(recall), recall < LOW_RECALL, isOwn);
}

/** Small shares with one digit more: most pairs of the same thing may not reach a threshold. */
export const share = (fraction) =>
  t.confidence.percent(fraction < 0.1 ? Number((100 * fraction).toPrecision(2)) : percent(fraction));

// A threshold is a normalised score; its cosine is what the result cards show.
export const cosineOf = (normalised) => 2 * normalised - 1;

const KEY_LENGTH = 44;

/** A long key cut where keys are alike: a path loses its first folders, another one its middle. */
export function shortKey(key) {
  const letters = Array.from(key);
  if (letters.length <= KEY_LENGTH) return key;
  const head = key.includes("/") ? 0 : KEY_LENGTH / 2;
  return `${letters.slice(0, head).join("")}…${letters.slice(1 - KEY_LENGTH + head).join("")}`;
}
