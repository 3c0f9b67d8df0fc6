// The answer to a comparison: Yes or No, large, with what it rests on.

import { bar } from "../card.js";
import { facts, h } from "../dom.js";
import { milliseconds, score, short, stages } from "../format.js";
import { t } from "../strings.js";

/** An answer of /compare as an element. */
export function verdict(answer) {
  const { similar, threshold, took_ms: took } = answer;
  const kind = similar ? "yes" : "no";
  return h(
    "div",
    { class: `answer ${kind}` },
    h("p", { class: "answer-word" }, t.verdict[kind]),
    h("p", { class: "answer-text" }, t.compare[kind]),
    bar(answer.normalized_score, threshold.value),
    facts([
      [t.compare.score, score(answer.score)],
      [t.compare.normalised, score(answer.normalized_score)],
      [t.compare.thresholdIs, t.compare.thresholdFrom(short(threshold.value), threshold.source)],
      [t.compare.with, t.compare.withSize(answer.encoder, answer.input_size)],
      [t.compare.time, t.results.times(milliseconds(took.total), stages(took, ["decode", "load", "encode"]))],
    ]),
  );
}
