// Beginning a job on a collection: what each kind does, and its few options.

import { api } from "../api.js";
import { field, freshId, h } from "../dom.js";
import { Notice, flash } from "../notice.js";
import { t } from "../strings.js";
import { Latest } from "../task.js";
import { jobs } from "./requests.js";

const FOLDERS = "folders";
const COLUMN = "column:";

export class JobForms {
  #latest = new Latest();
  #onJob;

  /** `onJob(job)` when the service has taken one. */
  constructor({ onJob }) {
    this.#onJob = onJob;
    this.labels = { calibrate: h("select", {}), evaluate: h("select", {}) };
    this.encoder = h("select", {}, h("option", { value: "" }, t.jobs.encoderOwn));
    this.forms = [this.#calibrate(), this.#evaluate(), this.#duplicates(), this.#map(), this.#reindex()];
    this.element = h(
      "section",
      { class: "job-forms" },
      h("div", {}, h("h2", {}, t.jobs.title), h("p", { class: "hint" }, t.jobs.lead)),
      h("div", { class: "job-kinds" }, ...this.forms.map(({ element }) => element)),
    );
  }

  /** Offer the jobs of a collection. */
  async show(name) {
    for (const form of this.forms) form.show(name);
    if (this.encoder.options.length > 1) return;
    const answer = await api.encoders({ signal: this.#latest.start(), quiet: true }).catch(() => null);
    const usable = (answer?.encoders ?? []).filter(({ installed }) => installed);
    this.encoder.append(...usable.map((encoder) => h("option", { value: encoder.name }, encoder.name)));
  }

  /** What the service says of the collection: its columns may be labels, and without a source there is none to read. */
  describe({ columns, source }) {
    this.forms.at(-1).element.hidden = source.kind === "none";
    for (const [kind, select] of Object.entries(this.labels)) {
      const before = select.value;
      const options = [
        ["", t.jobs.labelUsual],
        [`${COLUMN}product_id`, t.jobs.labelProduct],
        ...(columns ?? []).map(({ name }) => [`${COLUMN}${name}`, name]),
        ...(kind === "calibrate" ? [[FOLDERS, t.jobs.labelFolders]] : []),
      ];
      select.replaceChildren(...options.map(([value, words]) => h("option", { value }, words)));
      select.value = before;
      if (select.selectedIndex < 0) select.value = "";
    }
  }

  stop() {
    this.#latest.stop();
  }

  #calibrate() {
    const precision = number({ min: "0.5", max: "0.999", step: "any", inputMode: "decimal" });
    return this.#form(
      "calibrate",
      [
        [t.jobs.label, this.labels.calibrate, t.jobs.labelHelp],
        [t.jobs.precision, precision, t.jobs.precisionHelp],
      ],
      () => ({ ...labelOf(this.labels.calibrate), precision: precision.value }),
    );
  }

  #evaluate() {
    const limit = number({ min: "4", max: "1000000" });
    return this.#form(
      "evaluate",
      [
        [t.jobs.label, this.labels.evaluate, t.jobs.labelHelp],
        [t.jobs.limit, limit, t.jobs.limitHelp],
      ],
      () => ({ ...labelOf(this.labels.evaluate), limit: limit.value }),
    );
  }

  #duplicates() {
    const options = Object.entries(t.jobs.tiers).map(([value, words]) => h("option", { value }, words));
    const tier = h("select", {}, ...options);
    const neighbours = number({ min: "0", max: "100", required: true, value: "10" });
    return this.#form(
      "duplicates",
      [
        [t.jobs.tier, tier],
        [t.jobs.neighbours, neighbours, t.jobs.neighboursHelp],
      ],
      () => ({ tier: tier.value, neighbours: neighbours.value }),
    );
  }

  #map() {
    return this.#form("map", [], () => ({}));
  }

  #reindex() {
    const removals = h("input", { type: "checkbox", class: "switch" });
    return this.#form(
      "reindex",
      [
        [t.jobs.encoder, this.encoder, t.jobs.encoderHelp],
        [t.jobs.removals, removals, t.jobs.removalsHelp],
      ],
      () => ({
        ...(this.encoder.value ? { encoder: this.encoder.value, reencode: true } : {}),
        allow_removals: removals.checked,
      }),
    );
  }

  #form(kind, fields, read) {
    return new JobForm(kind, fields, { read, onJob: this.#onJob });
  }
}

class JobForm {
  #name = null;
  #kind;
  #read;
  #onJob;

  /** `fields` are lists of a label, a control and perhaps a hint; `read()` is what they say, as options of the job. */
  constructor(kind, fields, { read, onJob }) {
    this.#kind = kind;
    this.#read = read;
    this.#onJob = onJob;
    const words = t.jobs.kinds[kind];
    const id = freshId("job");
    this.notice = new Notice();
    this.start = h("button", { type: "submit", class: "button primary", "aria-label": t.jobs.startWhich(words) }, t.jobs.start);
    this.element = h(
      "form",
      { class: "panel job-form", "aria-labelledby": id },
      h("h3", { id }, words),
      h("p", {}, t.jobs.about[kind]),
      h("div", { class: "job-options" }, ...fields.map(([label, control, hint]) => fieldOf(label, control, hint))),
      this.notice.element,
      h("div", { class: "actions" }, this.start),
    );
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#begin();
    });
  }

  /** Offer it for a collection. */
  show(name) {
    if (name !== this.#name) this.notice.clear();
    this.#name = name;
  }

  async #begin() {
    this.start.disabled = true;
    this.notice.busy(t.jobs.starting);
    try {
      const job = await jobs.begin(this.#name, { kind: this.#kind, ...this.#read() });
      this.notice.clear();
      this.#onJob(job);
      flash(t.jobs.begun(t.jobs.kinds[this.#kind]));
    } catch (error) {
      this.notice.problem(error);
    } finally {
      this.start.disabled = false;
      this.start.focus({ preventScroll: true });
    }
  }
}

function fieldOf(label, control, hint) {
  if (control.type !== "checkbox") return field(label, control, { id: freshId("job"), hint });
  control.id = freshId("job");
  control.setAttribute("aria-describedby", `${control.id}-hint`);
  return h(
    "div",
    { class: "field copies" },
    h("label", { htmlFor: control.id }, label, control),
    h("p", { class: "hint", id: `${control.id}-hint` }, hint),
  );
}

const number = (limits) => h("input", { type: "number", step: "1", inputMode: "numeric", ...limits });

function labelOf({ value }) {
  if (value === FOLDERS) return { labels_from_folders: true };
  return value ? { label: value.slice(COLUMN.length) } : {};
}
