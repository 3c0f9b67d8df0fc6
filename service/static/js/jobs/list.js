// Jobs of one collection: how far each is, what came of it, and the files that it could not use.

import { Progress } from "../bulk/progress.js";
import { RejectedTable } from "../bulk/rejected.js";
import { button, h, save } from "../dom.js";
import { date, duration, rounded } from "../format.js";
import { Notice, flash, say } from "../notice.js";
import { t } from "../strings.js";
import { Latest } from "../task.js";
import { outcomeOf, placeOf } from "./outcome.js";
import { follow, isOver, jobs } from "./requests.js";

export class JobList {
  #latest = new Latest();
  #name = null;
  #cards = new Map();
  #onDone;

  /** `onDone()` when a job has succeeded that was followed. */
  constructor({ onDone }) {
    this.#onDone = onDone;
    this.list = h("ul", { class: "jobs", role: "list" });
    this.element = h("section", { hidden: true, class: "job-list" }, h("h2", {}, t.jobs.list), this.list);
  }

  /** Show the jobs of a collection, and follow those that are not over. Without them the page works as well. */
  async show(name) {
    const signal = this.#latest.start();
    if (name !== this.#name) this.#clear();
    this.#name = name;
    const answer = await jobs.list(name, { signal, quiet: true }).catch(() => null);
    if (signal.aborted || answer === null) return;
    for (const job of [...answer.jobs].reverse()) this.#add(job, signal);
  }

  /** Show a job that was begun just now. */
  begin(job) {
    this.#add(job, this.#latest.signal ?? this.#latest.start());
    this.list.firstChild.scrollIntoView({ block: "nearest" });
  }

  /** Show it no more; what is followed is so until `stop`. */
  hide() {
    this.element.hidden = true;
  }

  stop() {
    this.#latest.stop();
  }

  #clear() {
    this.#cards.clear();
    this.list.replaceChildren();
    this.hide();
  }

  #add(job, signal) {
    if (!this.#cards.has(job.id)) {
      const card = new JobCard(job);
      this.#cards.set(job.id, card);
      this.list.prepend(card.element);
    }
    this.element.hidden = false;
    const card = this.#cards.get(job.id);
    card.show(job);
    if (!isOver(job)) this.#follow(job.id, card, signal);
  }

  async #follow(id, card, signal) {
    const onJob = (job) => {
      card.connected();
      card.show(job);
      if (isOver(job)) say(t.jobs.said(t.jobs.kinds[job.kind], t.jobs.states[job.state]));
      if (job.state === "succeeded") this.#onDone();
    };
    try {
      await follow(id, { signal, onJob, onWait: (problem, seconds) => card.disconnected(problem, seconds) });
    } catch (error) {
      if (error.name !== "AbortError") card.notice.problem(error, () => this.show(this.#name));
    }
  }
}

class JobCard {
  #job = null;
  #hasReport = false;
  #isWaiting = false;

  constructor({ kind }) {
    const name = t.jobs.kinds[kind];
    this.state = h("span", { class: "verdict" });
    this.when = h("p", { class: "hint" });
    this.progress = new Progress(t.upload.progress);
    this.notice = new Notice();
    this.outcome = h("p", {});
    this.place = h("a", { class: "button small", hidden: true });
    this.cancel = button(t.jobs.cancel, () => this.#cancel(), {
      kind: "small",
      "aria-label": t.jobs.cancelWhich(name),
    });
    this.saveReport = button(t.jobs.saveReport, () => this.#saveReport(), { kind: "small", symbol: "save" });
    this.rejected = new RejectedTable();
    this.element = h(
      "li",
      { class: "panel job" },
      h("div", { class: "job-head" }, h("h3", {}, name), this.state, this.cancel),
      this.when,
      this.progress.element,
      this.outcome,
      this.notice.element,
      this.rejected.element,
      h("div", { class: "actions" }, this.place, this.saveReport),
    );
  }

  show(job) {
    this.#job = job;
    const over = isOver(job);
    const kind = { succeeded: "yes", failed: "no" }[job.state] ?? "";
    this.state.className = `verdict ${kind}`;
    this.state.textContent = t.jobs.states[job.state];
    this.when.textContent = t.jobs.when(date(job.started_at ?? job.created_at));
    this.cancel.hidden = over;
    this.cancel.disabled = job.cancel_requested;
    // Of files that could not be used there is a table, which can be saved too.
    this.saveReport.hidden = !over || job.report === null || isIndexing(job);
    if (over) this.progress.hide();
    else this.progress.show(job.done, job.total, wordsOf(job));
    this.outcome.textContent = outcomeOf(job);
    const place = placeOf(job);
    this.place.hidden = place === null;
    if (place) [this.place.href, this.place.textContent] = place;
    if (over && job.report !== null && isIndexing(job) && !this.#hasReport) this.#fetchReport();
  }

  /** Say that the job is not heard of for so many seconds; it goes on meanwhile. */
  disconnected(problem, seconds) {
    this.#isWaiting = true;
    this.notice.wait(problem, seconds);
  }

  connected() {
    if (this.#isWaiting) this.notice.clear();
    this.#isWaiting = false;
  }

  async #fetchReport() {
    try {
      const answer = await jobs.report(this.#job.id, { quiet: true });
      this.#hasReport = true;
      this.notice.clear();
      this.rejected.show(this.#job.collection, answer.rows);
    } catch (error) {
      this.notice.problem(error, () => this.#fetchReport());
    }
  }

  async #cancel() {
    try {
      this.show(await jobs.cancel(this.#job.id));
      flash(t.jobs.cancelling);
    } catch (error) {
      this.notice.problem(error);
    }
  }

  async #saveReport() {
    const { id, collection, kind } = this.#job;
    try {
      save(await jobs.reportTable(id), `lookalike-${collection}-${kind}.csv`);
    } catch (error) {
      this.notice.problem(error);
    }
  }
}

const isIndexing = ({ kind }) => kind === "index" || kind === "reindex";

function wordsOf({ stage, done, total, rate, seconds_left: left, rejected }) {
  const count = Object.values(rejected).reduce((sum, each) => sum + each, 0);
  const state =
    total !== null &&
    done !== null &&
    t.upload.state(done, total, rate && t.upload.rate(rounded(rate)), left && t.upload.left(duration(left)));
  return [stage, state, count > 0 && t.upload.rejected(count)].filter(Boolean).join(": ");
}
