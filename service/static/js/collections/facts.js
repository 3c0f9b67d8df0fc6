// What is known about a collection, as pairs of term and description.

import { h } from "../dom.js";
import { bytes, count, date, score, short, thresholdSource } from "../format.js";
import { t } from "../strings.js";

/** The most important of it, for a card. */
export function briefFacts(about) {
  const source = thresholdSource(about.threshold, about.name);
  return [
    [t.collections.encoder, about.encoder.name],
    [t.collections.snapshot, String(about.snapshot)],
    [t.collections.made, date(about.created_at)],
    [t.collections.recall, recallOf(about.recall)],
    [t.collections.threshold, t.collections.thresholdIs(short(about.threshold.value), source)],
    [t.collections.calibration, calibrationOf(about)],
  ];
}

/** All of it. */
export function allFacts(about) {
  const { encoder, plan = [] } = about;
  const sentence = t.collections.encoderIs(encoder.name, encoder.backbone, encoder.fusion, encoder.input_size);
  return [
    [t.details.size, t.pictures(about.count)],
    ...briefFacts(about).map((pair) => (pair[0] === t.collections.encoder ? [pair[0], sentence] : pair)),
    [t.collections.index, [...(plan.length ? plan : [about.engine]), bytes(about.bytes)].join("; ")],
    [t.collections.source, about.source?.location ?? null],
  ];
}

function calibrationOf({ name, calibration }) {
  if (!calibration) return h("span", {}, t.collections.calibrationNone, h("code", {}, t.collections.calibrate(name)));
  const { precision, recall, positives, negatives } = calibration;
  return t.collections.calibrationIs(short(precision), short(recall), positives + negatives, positives);
}

function recallOf(recall) {
  if (!recall) return t.collections.recallNone;
  const { k, value, low, high, queries } = recall;
  return t.collections.recallIs(k, score(value), score(low), score(high), count(queries));
}
