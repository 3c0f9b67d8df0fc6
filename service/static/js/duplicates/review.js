// What somebody has decided about the groups of a report: nothing but rules, no elements.

const TIERS = ["same-bytes", "same-pixels", "near-duplicate"];

/** Bytes that dropping a picture frees: none for a link to the file that is kept. */
export const freedBy = (member) => (member.action === "same-file" || member.shares_file ? 0 : member.byte_size);

/**
 * Groups as the service has them, and a choice for some of them: `{drop: [keys], done}`. A group without one is as it
 * was proposed. No group ever loses its last picture, also not one that shares pictures with others.
 */
export class Review {
  #choices;
  #groups = [];
  #groupsOf = new Map();
  #proposals = new Map();
  #steps = [];

  /** `choices` are those of an earlier visit by the id of their group. */
  constructor(choices = {}) {
    this.#choices = new Map(Object.entries(choices));
  }

  get groups() {
    return this.#groups;
  }

  /** The choices to remember, by the id of their group. */
  get choices() {
    return Object.fromEntries(this.#choices);
  }

  /** Whether there is a step to undo. */
  get hasSteps() {
    return this.#steps.length > 0;
  }

  /** Take in another page of groups. */
  add(groups) {
    for (const group of groups) this.#insert(group, this.#groups.length);
  }

  isDone(group) {
    return this.#choices.get(group.id)?.done ?? false;
  }

  /** The pictures of a group that go, as was proposed or as somebody has chosen, here or in another group. */
  dropped(group) {
    return group.members.filter((member) => this.isDropped(member));
  }

  isDropped({ key }) {
    return (this.#groupsOf.get(key) ?? []).some((group) => this.#chosen(group).includes(key));
  }

  /** The picture that stands for a group: the proposed one to keep while it is kept, else the first that is. */
  kept(group) {
    const stays = group.members.filter((member) => this.#stays(member));
    return stays.find((member) => member.action === "keep") ?? stays[0] ?? group.members[0];
  }

  /** Drop a picture that was to be kept, or keep it after all; false where no other of a group would be left. */
  toggle(group, member) {
    const groups = this.#groupsOf.get(member.key);
    const chosen = groups.filter((each) => this.#chosen(each).includes(member.key));
    if (chosen.length === 0) {
      if (!groups.every((each) => this.#staysWithout(each, member.key))) return false;
      this.#choose([group], (each) => this.#choice([...this.#chosen(each), member.key], each));
      return true;
    }
    const without = (each) => this.#chosen(each).filter((key) => key !== member.key);
    this.#choose(chosen, (each) => this.#choice(without(each), each));
    return true;
  }

  /** Take a group as it is now. */
  accept(group) {
    this.#choose([group], (each) => this.#accepted(each));
  }

  /** Groups that are not done, and of which nothing goes but pictures of this tier or a closer one. */
  openUpTo(tier) {
    return this.#groups.filter((group) => this.#widest(group) <= TIERS.indexOf(tier));
  }

  /** How many groups there are for each tier that `openUpTo` would give. */
  countsUpTo() {
    const counts = TIERS.map(() => 0);
    for (const group of this.#groups) {
      for (let tier = this.#widest(group); tier < TIERS.length; tier += 1) counts[tier] += 1;
    }
    return Object.fromEntries(TIERS.map((tier, index) => [tier, counts[index]]));
  }

  /** Take them all, as one step. */
  acceptAll(groups) {
    this.#choose(groups, (each) => this.#accepted(each));
  }

  /** Pictures were decided to be no duplicates: they leave the group, and a group of one picture is none. */
  takeOut(group, keys, decided) {
    const place = this.#groups.indexOf(group);
    const rest = { ...group, members: group.members.filter((member) => !keys.includes(member.key)) };
    this.#remove(group);
    if (rest.members.length > 1) this.#insert(rest, place);
    this.#steps.push({ group, place, decided });
    return rest.members.length > 1 ? rest : null;
  }

  /** The last step, for who has to tell the service first; it is `undo` that takes it back. */
  get lastStep() {
    return this.#steps.at(-1);
  }

  /** Take the last step back; gives the group that it was about. */
  undo() {
    const step = this.#steps.pop();
    if (step.before) {
      for (const [id, choice] of step.before) {
        if (choice === undefined) this.#choices.delete(id);
        else this.#choices.set(id, choice);
      }
      return this.#groups.find(({ id }) => id === step.id) ?? null;
    }
    const rest = this.#groups.find(({ id }) => id === step.group.id);
    if (rest) this.#remove(rest);
    this.#insert(step.group, step.place);
    return step.group;
  }

  /** How many groups are done, of how many, and what goes with them: pictures and bytes. */
  get progress() {
    const gone = this.#gone();
    const bytes = [...gone.values()].reduce((sum, { member }) => sum + freedBy(member), 0);
    return { done: this.#done.length, total: this.#groups.length, pictures: gone.size, bytes };
  }

  /** What is decided, a row for each picture of each group that is done. */
  rows() {
    const gone = this.#gone();
    return this.#done.flatMap((group, index) =>
      group.members.map((member) => {
        const isDropped = gone.has(member.key);
        return { group: index + 1, member, isDropped, isProposed: isDropped === (member.action === "drop") };
      }),
    );
  }

  /** The pictures that go, once each, with the one of their group that stays. */
  moves() {
    return [...this.#gone().values()];
  }

  get #done() {
    return this.#groups.filter((group) => this.isDone(group));
  }

  // By key, what goes because a group that is done says so.
  #gone() {
    const gone = new Map();
    for (const group of this.#done) {
      const [kept, keys] = [this.kept(group), this.#chosen(group)];
      if (!this.#stays(kept)) continue;
      for (const member of group.members) if (keys.includes(member.key)) gone.set(member.key, { member, kept });
    }
    return gone;
  }

  // The place among TIERS of the widest one that goes; infinite where nothing can be taken at once.
  #widest(group) {
    if (this.isDone(group)) return Infinity;
    const places = this.dropped(group).map(({ tier }) => TIERS.indexOf(tier));
    return places.length === 0 || places.includes(-1) ? Infinity : Math.max(...places);
  }

  // The keys of those that go by what was proposed or chosen in this group.
  #chosen(group) {
    return this.#choices.get(group.id)?.drop ?? this.#proposals.get(group);
  }

  // What is as it was proposed is not written down: a browser remembers a few megabytes only.
  #choice(keys, group, done = this.isDone(group)) {
    const proposed = this.#proposals.get(group);
    const isProposed = keys.length === proposed.length && keys.every((key) => proposed.includes(key));
    return { drop: isProposed ? null : keys, done };
  }

  #accepted(group) {
    return this.#choice(this.dropped(group).map(({ key }) => key), group, true);
  }

  #choose(groups, choiceOf) {
    if (groups.length === 0) return;
    this.#steps.push({ id: groups[0].id, before: groups.map(({ id }) => [id, this.#choices.get(id)]) });
    for (const group of groups) this.#choices.set(group.id, choiceOf(group));
  }

  #staysWithout(group, key) {
    return group.members.some((member) => member.key !== key && this.#stays(member));
  }

  // A link to the kept file is nothing without it.
  #stays(member) {
    return member.action !== "same-file" && !this.isDropped(member);
  }

  #insert(group, place) {
    this.#groups.splice(place, 0, group);
    this.#proposals.set(group, group.members.filter(({ action }) => action === "drop").map(({ key }) => key));
    for (const { key } of group.members) this.#groupsOf.set(key, [...(this.#groupsOf.get(key) ?? []), group]);
    // A choice of an earlier visit may be about pictures that have left the group since.
    if (!group.members.some((member) => this.#stays(member))) this.#choices.delete(group.id);
  }

  #remove(group) {
    this.#groups.splice(this.#groups.indexOf(group), 1);
    for (const { key } of group.members) {
      this.#groupsOf.set(key, this.#groupsOf.get(key).filter((each) => each !== group));
    }
  }
}
