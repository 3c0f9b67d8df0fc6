// The snapshots of a collection: which one is served, going back to one, and publishing what was changed since.

import { api } from "../api.js";
import { confirmed } from "../dialogs.js";
import { button, h } from "../dom.js";
import { bytes, count, date, score } from "../format.js";
import { Notice, flash } from "../notice.js";
import { t } from "../strings.js";
import { Latest } from "../task.js";
import { writes } from "../writes.js";

export class SnapshotsPart {
  #latest = new Latest();
  #name = null;
  #onChanged;

  /** `onChanged()` when another snapshot is served. */
  constructor({ onChanged }) {
    this.#onChanged = onChanged;
    this.notice = new Notice();
    this.pin = h("div", { class: "notice message pinned", hidden: true });
    this.pending = h("p", { tabIndex: -1 });
    this.publish = button(t.collection.snapshots.publish, () => this.#publish(), { kind: "small" });
    this.table = h("div", {
      class: "table-scroll",
      tabIndex: 0,
      role: "region",
      "aria-label": t.collection.snapshots.label,
    });
    this.element = h(
      "section",
      { class: "snapshots" },
      h("h2", {}, t.collection.snapshots.title),
      h("p", { class: "hint" }, t.collection.snapshots.lead),
      this.pin,
      this.notice.element,
      h("div", { class: "panel pending" }, this.pending, this.publish),
      this.table,
    );
  }

  /** Show the snapshots of a collection, also of one that cannot be served: it is here that one goes back. */
  async show(name) {
    if (name !== this.#name) {
      this.table.replaceChildren();
      this.pin.hidden = true;
      this.pending.textContent = "";
      this.publish.disabled = true;
    }
    this.#name = name;
    await this.#load(this.#latest.start());
  }

  /** What the service says of the collection: whether there are changes to publish. */
  describe({ pending }) {
    this.pending.textContent = pending ? t.collection.snapshots.pending(pending) : t.collection.snapshots.nonePending;
    this.publish.disabled = pending === 0;
  }

  stop() {
    this.#latest.stop();
  }

  async #load(signal) {
    if (!this.table.children.length) this.notice.busy(t.collection.snapshots.busy);
    try {
      const answer = await api.snapshots(this.#name, { signal });
      this.notice.clear();
      this.#draw(answer);
    } catch (error) {
      if (error.name !== "AbortError") this.notice.problem(error, () => this.#load(this.#latest.start()));
    }
  }

  #draw({ snapshots, pinned }) {
    const words = t.collection.snapshots;
    const current = snapshots.find((each) => each.is_current);
    this.pin.hidden = !pinned;
    const unpin = button(words.unpin, () => this.#unpin(), { kind: "small" });
    if (pinned)
      this.pin.replaceChildren(h("p", {}, words.isPinned(current?.snapshot)), h("div", { class: "actions" }, unpin));
    const head = [...Object.values(words.columns), ""].map((name) => h("th", { scope: "col" }, name));
    const rows = snapshots.map((each) => this.#row(each, { pinned, isOlder: each.snapshot < current?.snapshot }));
    this.table.replaceChildren(
      h("table", { class: "snapshot-table" }, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows)),
    );
  }

  #row(row, { pinned, isOlder }) {
    const { snapshot, is_current: isCurrent, problem } = row;
    const words = t.collection.snapshots;
    const cell = (label, value) => h("td", { data: { label } }, value ?? t.details.nothing);
    const badge = isCurrent && h("span", { class: "verdict yes" }, pinned ? words.pinned : words.current);
    const [label, name] = isOlder ? [words.back, words.backTo(snapshot)] : [words.pin, words.pinTo(snapshot)];
    const back = button(label, () => this.#pin(row, name, label), { kind: "small", "aria-label": name });
    return h(
      "tr",
      { data: { snapshot } },
      h("th", { scope: "row" }, count(snapshot), " ", badge),
      cell(words.columns.made, row.created_at && date(row.created_at)),
      cell(words.columns.count, row.count !== null && count(row.count)),
      cell(words.columns.size, row.bytes !== null && bytes(row.bytes)),
      cell(
        words.columns.index,
        problem ? h("span", { class: "invalid", title: problem.detail }, words.damaged) : row.engine,
      ),
      cell(words.columns.recall, row.recall && score(row.recall.value)),
      h("td", { class: "snapshot-action" }, (pinned && isCurrent) || problem ? "" : back),
    );
  }

  async #pin({ snapshot, count: items, created_at: made }, name, label) {
    const words = t.collection.snapshots;
    const answer = { yes: label, no: words.cancel };
    if (!(await confirmed(words.confirm(name), words.confirmText(items, date(made)), answer))) return;
    await this.#change(words.working, async () => {
      const { snapshots } = await writes.pin(this.#name, snapshot);
      return snapshots.some((each) => each.is_current && each.snapshot === snapshot) && words.wentBack(snapshot);
    });
  }

  #unpin() {
    return this.#change(t.collection.snapshots.working, async () => {
      const { pinned } = await writes.unpin(this.#name);
      return !pinned && t.collection.snapshots.unpinned;
    });
  }

  #publish() {
    return this.#change(t.collection.snapshots.publishing, async () => {
      const { pending, snapshot } = await writes.publish(this.#name);
      return pending === 0 && t.collection.snapshots.published(snapshot);
    });
  }

  // `work` answers what to say, or false where the service goes on with it after its answer.
  async #change(busy, work) {
    this.notice.busy(busy);
    try {
      const words = await work();
      await this.#load(this.#latest.start());
      this.#onChanged();
      if (words) flash(words);
      else this.notice.message(t.collection.snapshots.slow, this.#lookAgain());
      this.pending.focus({ preventScroll: true });
    } catch (error) {
      this.notice.problem(error);
    }
  }

  #lookAgain() {
    const look = async () => {
      await this.#load(this.#latest.start());
      this.#onChanged();
    };
    return button(t.empty.again, look, { kind: "small" });
  }
}
