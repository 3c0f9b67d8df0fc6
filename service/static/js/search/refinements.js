// What a search asks for beside its picture: filters, how hits are arranged, and what was said of some of them.

import { api } from "../api.js";
import { FilterBar } from "../filters/bar.js";
import { conditionsOf, paramsOf, wireOf, withTests } from "../filters/conditions.js";
import { Latest } from "../task.js";
import { Arrange, arrangementOf } from "./arrange.js";
import { Feedback, votesAsText, votesOf } from "./feedback.js";

// To count what columns have is work for the service, which not every search needs.
const FRESH_MS = 60_000;

/** Parameters of an address that mean nothing in another collection. */
export const OF_COLLECTION = { filter: null, where: null, group: null, like: null, unlike: null };

export class Refinements {
  #latest = new Latest();
  #collection = null;
  #describedAt = -Infinity;
  #conditions = conditionsOf({});
  #votes = votesOf({});

  /** `onChange(params)` with the parameters that a person has changed, and whether Back should undo it. */
  constructor({ onChange }) {
    this.arrange = new Arrange({ onChange: () => onChange(this.#arrangement, false) });
    this.bar = new FilterBar({
      onChange: (conditions) => onChange(paramsOf(conditions), false),
      extra: [this.arrange.part],
    });
    this.feedback = new Feedback({ onChange: (votes) => onChange(votesAsText(votes), true) });
    this.element = this.bar.element;
  }

  /** Show what the address says; of a search in several collections there is no feedback, and no variety. */
  set(params) {
    const isSeveral = Boolean(params.also);
    this.#conditions = conditionsOf(params);
    this.#votes = votesOf(isSeveral ? {} : params);
    this.bar.set(this.#conditions);
    this.bar.setPassing(null);
    this.arrange.set(arrangementOf(isSeveral ? { ...params, diversity: 0 } : params), isSeveral);
  }

  /** Offer the columns of a collection. Without them the search works as well, so what goes wrong here is not told. */
  async describe(collection) {
    this.feedback.set(collection, this.#votes);
    const isOther = collection !== this.#collection;
    if (!isOther && performance.now() - this.#describedAt < FRESH_MS) return;
    if (isOther) this.bar.close();
    this.#collection = collection;
    this.#describedAt = performance.now();
    // A newer search in the same collection wants the same columns, so it stops only what is about another one.
    const signal = this.#latest.start();
    const about = await api.collection(collection, { signal, quiet: true }).catch(() => null);
    if (signal.aborted) return;
    if (about === null) {
      this.#describedAt = -Infinity;
      return;
    }
    this.arrange.setColumns(about.columns);
    this.bar.open(about);
  }

  /** The collection whose columns are offered, or null. */
  get collection() {
    return this.#collection;
  }

  /** As parameters of an address. */
  get params() {
    return { ...paramsOf(this.#conditions), ...this.#arrangement };
  }

  /** As fields of a search; of several collections only what means the same in each. */
  form({ isSeveral }) {
    const { group, dedupe, diversity } = this.arrange.values;
    const { like, unlike } = votesAsText(this.#votes);
    const common = { filter: wireOf(this.#conditions), group_by: group, dedupe: dedupe || null };
    if (isSeveral) return common;
    return {
      ...common,
      diversity: diversity || null,
      like_keys: like,
      unlike_keys: unlike,
    };
  }

  /** The parameters with which all pictures of the group of a hit are searched, one by one. */
  paramsOfGroup({ group }) {
    const field = this.arrange.values.group;
    return { ...paramsOf(withTests(this.#conditions, field, { in: [group] })), group: null };
  }

  get #arrangement() {
    const { group, dedupe, diversity } = this.arrange.values;
    return { group, dedupe: dedupe ? 1 : null, diversity: diversity || null };
  }
}
