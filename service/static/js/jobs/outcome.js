// What came of a job, in a sentence, and where in this page to look at it.

import { bytes, cosineOf, share, short, sure } from "../format.js";
import { textOfDetail } from "../notice.js";
import { link } from "../route.js";
import { t } from "../strings.js";

const SENTENCES = {
  index: ({ items, snapshot }) => (snapshot ? t.jobs.items(items, snapshot) : ""),
  reindex: ({ items, snapshot }) => (snapshot ? t.jobs.items(items, snapshot) : ""),
  duplicates: ({ copies, groups, bytes: freed }) => t.jobs.duplicates(copies, groups, bytes(freed)),
  map: ({ items, seconds }) => t.jobs.mapped(items, seconds),
  calibrate: ({ calibration: { threshold, precision, recall } }) =>
    t.jobs.calibrated(short(cosineOf(threshold)), sure(precision), share(recall)),
  evaluate: ({ pictures, classes, encoders: [{ recall_at_1: first, mean_average_precision: mean }] }) =>
    t.jobs.evaluated(pictures, classes, share(first.value), short(mean.value)),
  cluster: ({ items, clusters }) => t.jobs.clustered(items, clusters),
  outliers: ({ by, items, pictures, faulty }) =>
    by === "quality" ? t.jobs.faulty(pictures, faulty) : t.jobs.strange(items),
  export: ({ items, bytes: size }, { file }) => t.jobs.exported(items, bytes(size), file),
  tag: ({ items }) => t.jobs.tagged(items),
  mislabelled: ({ items, suspects }) => t.jobs.mislabelled(items, suspects),
};

/** What came of a job; empty while nothing has. */
export function outcomeOf(job) {
  const { kind, problem, summary, cancel_requested: isCancelled, state } = job;
  if (problem) return textOfDetail(problem.detail);
  if (summary) return SENTENCES[kind](summary, job);
  return isCancelled && state === "running" ? t.jobs.cancelling : "";
}

/** `[address, words]` of where the page shows what came of a job, or null. */
export function placeOf({ kind, collection, state, summary }) {
  if (state !== "succeeded") return null;
  if (kind === "duplicates" && summary.groups) return [link("duplicates", { name: collection }), t.jobs.review];
  if (kind === "map") return [link("map", { name: collection }), t.jobs.toMap];
  if (kind === "calibrate") return [link("collections", { name: collection, part: "about" }), t.jobs.curve];
  return null;
}
