// What somebody has decided about the groups of a report: nothing but rules, no elements.

const TIERS = ["same-bytes", "same-pixels", "near-duplicate"];

/**
 * Groups as the service has them, and a choice for some of them: `{drop: [keys], done}`. A group without one is as it
 * was proposed. No group ever loses its last picture, also not one that shares pictures with others.
 */
export class Review {
  #choices;
  #groups = [];
  #groupsOf = new Map();
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

  /** The pictures of a group that go, as it was proposed or as somebody has chosen. */
  dropped(group) {
    const chosen = this.#choices.get(group.id)?.drop;
    return group.members.filter((member) => (chosen ? chosen.includes(member.key) : member.action === "drop"));
  }

  isDropped(group, member) {
    return this.dropped(group).includes(member);
  }

  /** The picture that stands for a group: the proposed one to keep while it is kept, else the first that is. */
  kept(group) {
    const stays = group.members.filter((member) => this.#stays(member));
    return stays.find((member) => member.action === "keep") ?? stays[0] ?? group.members[0];
  }

  /** Drop a picture that was to be kept, or keep it after all; false where no other of a group would be left. */
  toggle(group, member) {
    const keys = this.dropped(group).map(({ key }) => key);
    if (keys.includes(member.key)) {
      this.#choose([group], () => ({ drop: keys.filter((key) => key !== member.key), done: this.isDone(group) }));
      return true;
    }
    if (!(this.#groupsOf.get(member.key) ?? []).every((other) => this.#staysWithout(other, member.key))) return false;
    this.#choose([group], () => ({ drop: [...keys, member.key], done: this.isDone(group) }));
    return true;
  }

  /** Take a group as it is now. */
  accept(group) {
    this.#choose([group], (each) => this.#accepted(each));
  }

  /** Groups of copies that are not done and propose nothing but pictures of this tier or a closer one. */
  openUpTo(tier) {
    const closest = TIERS.slice(0, TIERS.indexOf(tier) + 1);
    return this.#groups.filter((group) => {
      const dropped = this.dropped(group);
      return !this.isDone(group) && dropped.length > 0 && dropped.every((member) => closest.includes(member.tier));
    });
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
    const gone = new Map();
    const done = this.#groups.filter((group) => this.isDone(group));
    for (const group of done) for (const { key, byte_size: size } of this.dropped(group)) gone.set(key, size);
    const bytes = [...gone.values()].reduce((sum, size) => sum + size, 0);
    return { done: done.length, total: this.#groups.length, pictures: gone.size, bytes };
  }

  /** What is decided, a row for each picture of each group that is done. */
  rows() {
    const done = this.#groups.filter((group) => this.isDone(group));
    return done.flatMap((group, index) =>
      group.members.map((member) => {
        const isDropped = this.isDropped(group, member);
        return { group: index + 1, member, isDropped, isProposed: isDropped === (member.action === "drop") };
      }),
    );
  }

  /** The pictures that go, once each, with the one of their group that stays. */
  moves() {
    const moves = new Map();
    for (const group of this.#groups.filter((each) => this.isDone(each))) {
      const kept = this.kept(group);
      if (!this.#stays(kept)) continue;
      for (const member of this.dropped(group)) moves.set(member.key, { member, kept });
    }
    return [...moves.values()];
  }

  #accepted(group) {
    return { drop: this.dropped(group).map(({ key }) => key), done: true };
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
    return member.action !== "same-file" && !this.#goes(member.key);
  }

  // In whichever group: a picture is in one of copies, and may be in another that is only shown.
  #goes(key) {
    return this.#groupsOf.get(key).some((group) => this.dropped(group).some((member) => member.key === key));
  }

  #insert(group, place) {
    this.#groups.splice(place, 0, group);
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
