// What is known of a collection: its facts, its columns, how well its index finds, and what its scores mean.

import { api } from "../api.js";
import { facts, h } from "../dom.js";
import { count, score } from "../format.js";
import { Notice } from "../notice.js";
import { link } from "../route.js";
import { t } from "../strings.js";
import { Latest } from "../task.js";
import { calibrationPanel } from "./calibration.js";
import { deletionPanel } from "./deletion.js";
import { allFacts } from "./facts.js";
import { SettingsPanel } from "./settings.js";

export class AboutPart {
  #latest = new Latest();

  /** `onChanged()` after settings were changed. */
  constructor({ onChanged }) {
    this.facts = h("section", { class: "panel" });
    this.columns = h("section", { class: "panel" });
    this.recall = h("section", { class: "panel" });
    this.curve = h("div", { class: "prose" });
    this.notice = new Notice();
    this.calibration = h(
      "section",
      { class: "panel" },
      h("h2", {}, t.collection.calibration.title),
      this.notice.element,
      this.curve,
    );
    this.settings = new SettingsPanel({ onSaved: onChanged });
    this.deletion = h("section", { class: "panel" });
    this.element = h(
      "div",
      { class: "about" },
      this.facts,
      this.recall,
      this.calibration,
      this.columns,
      this.settings.element,
      this.deletion,
    );
  }

  /** Show what the service says of the collection. */
  async show(about) {
    this.facts.replaceChildren(facts(allFacts(about)));
    this.columns.replaceChildren(...columnTable(about.columns ?? []));
    this.recall.replaceChildren(...recallWords(about));
    this.settings.show(about);
    this.deletion.replaceChildren(...deletionPanel(about.name));
    const signal = this.#latest.start();
    if (about.calibration === null) this.curve.replaceChildren(...uncalibrated(about.name));
    else await this.#showCalibration(about.name, signal);
  }

  stop() {
    this.#latest.stop();
  }

  async #showCalibration(name, signal) {
    this.notice.clear();
    try {
      this.curve.replaceChildren(...calibrationPanel(await api.calibration(name, { signal })));
    } catch (error) {
      if (error.name !== "AbortError")
        this.notice.problem(error, () => this.#showCalibration(name, this.#latest.start()));
    }
  }
}

function uncalibrated(name) {
  return [
    h("p", {}, t.collection.calibration.none),
    h("p", {}, t.collection.calibration.how),
    h("a", { class: "button small", href: link("collections", { name, part: "jobs" }) }, t.collection.calibration.start),
    h("pre", { class: "command", tabIndex: 0 }, h("code", {}, t.collections.calibrate(name))),
  ];
}

function recallWords({ recall, plan = [] }) {
  const words = t.collection.recall;
  const heading = h("h2", {}, words.title);
  if (!recall) return [heading, h("p", {}, words.none)];
  const { k, value, low, high, queries } = recall;
  return [
    heading,
    h("p", { class: "figure" }, score(value)),
    h("p", {}, words.is(k, score(value), queries)),
    h("p", { class: "hint" }, words.interval(score(low), score(high))),
    plan[0]?.includes("exact search") && h("p", { class: "hint" }, words.exact),
  ].filter(Boolean);
}

function columnTable(columns) {
  const words = t.collection.columns;
  const heading = h("h2", {}, words.title);
  if (!columns.length) return [heading, h("p", {}, words.none)];
  const head = [words.name, words.type, words.count].map((name) => h("th", { scope: "col" }, name));
  const rows = columns.map(({ name, types, count: items, declared }) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      h("td", {}, [...types, ...(declared ? [words.declared] : [])].join(", ")),
      h("td", {}, count(items)),
    ),
  );
  const table = h("table", {}, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows));
  return [heading, h("p", { class: "hint" }, words.lead), h("div", { class: "table-scroll", tabIndex: 0 }, table)];
}
