// The same two pictures through every installed encoder, one after the other.

import { button, h } from "../dom.js";
import { milliseconds, score, short, thresholdSource } from "../format.js";
import { say, textOf } from "../notice.js";
import { t } from "../strings.js";
import { Latest, patiently } from "../task.js";

const COLUMNS = ["encoder", "answer", "score", "normalised", "threshold", "size", "time"];

export class EncoderTable {
  #latest = new Latest();

  constructor() {
    this.title = h("h2", {}, t.compare.allTitle);
    this.stop = button(t.compare.allStop, () => this.#stopped(), { kind: "small", hidden: true });
    const heads = COLUMNS.map((name) => h("th", { scope: "col" }, t.compare.columns[name]));
    this.rows = h("tbody", {});
    this.element = h(
      "section",
      { class: "panel trial", hidden: true },
      h("div", { class: "results-head" }, this.title, this.stop),
      h("table", { role: "table" }, h("thead", {}, h("tr", {}, ...heads)), this.rows),
    );
  }

  /** Forget the rows: they belong to other pictures. */
  clear() {
    this.#latest.stop();
    this.element.hidden = true;
    this.rows.replaceChildren();
  }

  /** Fill one row an encoder by `compare(encoder, signal)`; a failure stays in its row. */
  async fill(encoders, compare) {
    const signal = this.#latest.start();
    const rows = encoders.map((encoder) => this.#row(encoder));
    this.rows.replaceChildren(...rows);
    this.element.hidden = false;
    this.stop.hidden = false;
    for (const [index, encoder] of encoders.entries()) {
      await this.#try(encoder, rows[index], compare, signal);
      if (signal.aborted) return;
    }
    this.stop.hidden = true;
    say(t.compare.allDone(encoders.length));
  }

  #row(encoder) {
    const pending = h("td", { colSpan: COLUMNS.length - 1, class: "hint" }, t.compare.pending);
    return h("tr", {}, h("th", { scope: "row" }, encoder), pending);
  }

  async #try(encoder, row, compare, signal) {
    const pending = row.lastChild;
    pending.textContent = t.compare.allBusy(encoder);
    row.classList.add("busy");
    try {
      const onWait = (problem, seconds) => (pending.textContent = `${problem.detail} ${t.problems.retrying(seconds)}`);
      const answer = await patiently(() => compare(encoder, signal), { signal, onWait });
      pending.replaceWith(...cells(answer));
    } catch (error) {
      if (signal.aborted) return;
      pending.className = "failed";
      pending.textContent = textOf(error);
    } finally {
      row.classList.remove("busy");
    }
  }

  #stopped() {
    this.#latest.stop();
    this.stop.hidden = true;
    for (const cell of this.rows.querySelectorAll("td.hint")) cell.textContent = t.details.nothing;
  }
}

function cells(answer) {
  const kind = answer.similar ? "yes" : "no";
  const values = {
    answer: h("span", { class: `verdict ${kind}` }, t.verdict[kind]),
    score: score(answer.score),
    normalised: score(answer.normalized_score),
    threshold: h("span", { title: thresholdSource(answer.threshold) }, short(answer.threshold.value)),
    size: `${answer.input_size} px`,
    time: milliseconds(answer.took_ms.total),
  };
  return COLUMNS.slice(1).map((name) => h("td", { data: { label: t.compare.columns[name] } }, values[name]));
}
