// The answer to a comparison: Yes, Perhaps or No, large, with what it rests on.

import { bar, isPerhaps } from "../card.js";
import { button, facts, h } from "../dom.js";
import { milliseconds, score, short, thresholdMeaning, thresholdSource, stages, sure } from "../format.js";
import { t } from "../strings.js";

const STAGES = ["decode", "load", "encode", "pixels", "explain"];

/** What an answer says of the two in one sentence: the tier, or what the score says where that is not known. */
export function sentence(answer) {
  if (isPerhaps(answer) && (answer.tier ?? "different") === "different") return t.compare.perhaps;
  return answer.tier ? t.compare.tiers[answer.tier] : t.compare[answer.similar ? "yes" : "no"];
}

/** An answer of /compare as an element; `collection` is the one that was named; `onWhy()` explains it. */
export function verdict(answer, { collection, onWhy }) {
  const { similar, threshold, confidence, tier_problem: problem, took_ms: took } = answer;
  const kind = similar ? "yes" : "no";
  const known = confidence === null ? answer.confidence_problem : t.confidence.meaning(sure(confidence));
  const source = thresholdSource(threshold, collection);
  const meaning = thresholdMeaning(threshold);
  return h(
    "div",
    { class: `answer ${kind}` },
    h("p", { class: "answer-word" }, isPerhaps(answer) ? t.verdict.maybe : t.verdict[kind]),
    h("p", { class: "answer-text" }, sentence(answer)),
    problem && h("p", { class: "hint" }, t.compare.tierUnknown(problem)),
    answer.keep_both && h("p", { class: "hint" }, t.compare.keepBoth(answer.keep_both)),
    bar(answer.normalized_score, threshold.value),
    facts([
      [t.compare.score, score(answer.score)],
      [t.compare.normalised, score(answer.normalized_score)],
      [t.compare.confidence, known],
      [t.compare.thresholdIs, t.compare.thresholdFrom(short(threshold.value), source, meaning)],
      [t.compare.with, t.compare.withSize(answer.encoder, answer.input_size)],
      [t.compare.time, t.results.times(milliseconds(took.total), stages(took, STAGES))],
    ]),
    answer.parts ? null : h("div", { class: "actions" }, button(t.compare.why, onWhy)),
  );
}
