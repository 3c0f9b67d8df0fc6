// The calibration of a collection: its curve from score to confidence as a chart and as a table, and in words.

import { facts, h, svg } from "../dom.js";
import { cosineOf, share, short, sure } from "../format.js";
import { t } from "../strings.js";

const WIDTH = 560;
const HEIGHT = 280;
// Words are larger on a small screen, where the drawing is smaller.
const EDGE = { left: 68, right: 24, top: 32, bottom: 56 };
const TICKS = [0, 0.25, 0.5, 0.75, 1];
const TABLE_STEP = 0.1;

/** What is shown of a calibration, as `GET /collections/NAME/calibration` answers it. */
export function calibrationPanel(calibration) {
  const { threshold, precision, recall, positives, negatives, source, encoder } = calibration;
  const cosine = cosineOf(threshold);
  const origin = source === "collection" ? t.collection.calibration.own : t.collection.calibration.encoder(encoder);
  return [
    h("p", {}, origin),
    h("p", {}, t.collection.calibration.meaning(short(cosine), sure(precision), share(recall))),
    h("p", { class: "hint" }, t.collection.calibration.pairs(positives + negatives, positives)),
    chart(calibration, cosine),
    table(calibration),
  ];
}

// The confidence at a score: linear between the scores of the curve, and constant beyond them.
function confidenceAt({ scores, confidences }, score) {
  const after = scores.findIndex((each) => each >= score);
  if (after === 0 || !scores.length) return confidences[0] ?? null;
  if (after < 0) return confidences.at(-1);
  const [left, right] = [scores[after - 1], scores[after]];
  const share = right === left ? 1 : (score - left) / (right - left);
  return confidences[after - 1] + share * (confidences[after] - confidences[after - 1]);
}

function chart(calibration, cosine) {
  const low = Math.min(0, Math.floor(4 * calibration.scores[0]) / 4);
  const x = (score) => EDGE.left + ((score - low) / (1 - low)) * (WIDTH - EDGE.left - EDGE.right);
  const y = (confidence) => EDGE.top + (1 - confidence) * (HEIGHT - EDGE.top - EDGE.bottom);
  const at = confidenceAt(calibration, cosine);
  const points = [low, ...calibration.scores.filter((score) => score > low && score < 1), 1];
  const line = points.map((score) => `${x(score).toFixed(1)},${y(confidenceAt(calibration, score)).toFixed(1)}`);
  const label = t.collection.calibration.chart(short(cosine), sure(at));
  const isRight = x(cosine) > WIDTH / 2;
  return h(
    "figure",
    { class: "chart" },
    svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label },
      ...TICKS.map((tick) => gridLine(tick, y)),
      ...scoreTicks(low).map((tick) => text(x(tick), HEIGHT - EDGE.bottom + 20, short(tick), "middle")),
      text(x((low + 1) / 2), HEIGHT - 6, t.collection.calibration.score, "middle"),
      text(EDGE.left, 16, t.collection.calibration.confidence, "start"),
      svg("polyline", { class: "curve", points: line.join(" ") }),
      svg("line", { class: "limit", x1: x(cosine), x2: x(cosine), y1: y(1), y2: y(0) }),
      svg("circle", { class: "point", cx: x(cosine), cy: y(at), r: 4.5 }),
      text(
        x(cosine) + (isRight ? -8 : 8),
        y(0) - 8,
        t.collection.calibration.threshold(short(cosine)),
        isRight ? "end" : "start",
        "limit-name",
      ),
    ),
  );
}

const scoreTicks = (low) => (low < 0 ? [low, ...TICKS] : TICKS);

function gridLine(tick, y) {
  const line = svg("line", { class: "grid-line", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: y(tick), y2: y(tick) });
  return svg("g", {}, line, text(EDGE.left - 8, y(tick) + 4, t.confidence.percent(Math.round(100 * tick)), "end"));
}

function text(x, y, words, anchor, kind = "axis") {
  return svg("text", { x, y, "text-anchor": anchor, class: kind }, words);
}

// The same for those who read it rather than see it: every tenth of the score from 0 on.
function table(calibration) {
  const scores = Array.from({ length: 11 }, (_, at) => Number((at * TABLE_STEP).toFixed(1)));
  const rows = scores.map((score) => [short(score), sure(confidenceAt(calibration, score))]);
  return h("details", { class: "curve-table" }, h("summary", {}, t.collection.calibration.table), facts(rows));
}
