// Where groups are reviewed: the list of them, the one that is shown, and what somebody does about it.

import { api } from "../api.js";
import { h, save } from "../dom.js";
import { Notice, flash, say } from "../notice.js";
import { note } from "../route.js";
import { t } from "../strings.js";
import { recallChoices, rememberChoices } from "./choices.js";
import { scriptOf, tableOf } from "./exports.js";
import { GroupPanel, wordsOf } from "./group.js";
import { listenForKeys, showKeys } from "./keys.js";
import { GroupList } from "./list.js";
import { Review } from "./review.js";
import { Tools } from "./tools.js";

const MOST_KEYS = 100;

export class Desk {
  #name = null;
  #head = null;
  #review = new Review();
  #isWhole = false;
  #group = null;
  #selected = null;
  #busy = false;
  #stopKeys = null;
  #onEmpty;

  /** `onEmpty(isEmpty)` is told whether there is a group left. */
  constructor(onEmpty) {
    this.#onEmpty = onEmpty;
    this.actions = this.#makeActions();
    this.notice = new Notice();
    this.tools = new Tools({
      onAcceptAll: (tier) => this.#acceptAll(tier),
      onTable: () => this.#save("csv", tableOf(this.#review.rows()), "text/csv"),
      onScript: () => this.#save("sh", scriptOf(this.#head.folder, this.#review.moves()), "text/x-shellscript"),
    });
    this.list = new GroupList({ onGo: (group) => this.#goTo(group, true), onFilter: () => this.#filter() });
    this.panel = new GroupPanel(this.actions, (member) => this.#select(member));
    this.columns = h("div", { class: "review", hidden: true }, this.list.element, this.panel.element);
    this.element = h(
      "div",
      { class: "desk", hidden: true },
      this.notice.element,
      this.tools.progress,
      this.columns,
      this.tools.element,
    );
  }

  get count() {
    return this.#review.groups.length;
  }

  /** Listen to the keyboard while the desk is looked at. */
  open() {
    this.#stopKeys ??= listenForKeys(this.actions, () => this.element.hidden || this.columns.hidden);
  }

  close() {
    this.panel.stop();
    this.#stopKeys?.();
    this.#stopKeys = null;
  }

  clear() {
    this.#group = null;
    this.#isWhole = false;
    this.#review = new Review();
    this.notice.clear();
    this.list.clear();
    this.element.hidden = this.columns.hidden = true;
  }

  /** Begin with a report on a collection, of which `head` is the first page. */
  begin(name, head) {
    this.#name = name;
    this.#head = head;
    this.#review = new Review(recallChoices(name, head.created_at));
    this.element.hidden = false;
  }

  /** Take in another page of groups; `first` is the id of the group to begin with, if the address names one. */
  add(groups, { isWhole, first }) {
    this.#review.add(groups);
    this.#isWhole = isWhole;
    if (isWhole || this.#group === null) this.#count();
    this.#show(first);
  }

  #show(first = null) {
    const { groups } = this.#review;
    this.list.show(groups);
    this.columns.hidden = groups.length === 0;
    if (this.#isWhole) this.#onEmpty(groups.length === 0);
    if (groups.length === 0) return;
    if (groups.includes(this.#group)) this.#draw();
    else this.#goTo(groups.find(({ id }) => id === first) ?? this.#nextOpen(-1) ?? groups[0]);
  }

  #filter() {
    this.#show();
    if (!this.list.listed.includes(this.#group)) this.#goTo(this.list.listed[0]);
  }

  #goTo(group, focus = false) {
    if (!group) return;
    if (!this.list.listed.includes(group)) this.list.showAll(this.#review.groups);
    this.#pick(group);
    note({ group: group.id });
    this.#draw();
    say(`${this.panel.title.textContent}. ${this.panel.kind.textContent}`);
    if (focus) this.panel.members.focus();
  }

  // Begin with the picture that is compared with the one that stays.
  #pick(group) {
    this.#group = group;
    this.#selected = group && group.members.find((member) => member !== this.#review.kept(group));
  }

  #select(member) {
    this.#selected = member;
    this.#draw();
    this.#saySelected();
  }

  #saySelected() {
    const { members } = this.#group;
    const { action, reason } = wordsOf(this.#review, this.#selected);
    say(t.duplicates.said(members.indexOf(this.#selected) + 1, members.length, this.#selected.key, action, reason));
  }

  #draw() {
    const { listed } = this.list;
    this.list.point(this.#group, (group) => this.#review.isDone(group));
    const place = { index: listed.indexOf(this.#group), count: listed.length };
    this.panel.show(this.#name, this.#review, this.#group, this.#selected, place);
  }

  // After what changes a choice: to count all groups takes too long to be done for each key.
  #changed() {
    if (!rememberChoices(this.#name, this.#head.created_at, this.#review.choices)) flash(t.duplicates.notRemembered);
    this.#count();
  }

  #count() {
    this.tools.show(this.#review, { isWhole: this.#isWhole, folder: this.#head.folder });
  }

  #makeActions() {
    return {
      next: () => this.#step(1),
      previous: () => this.#step(-1),
      right: () => this.#move(1),
      left: () => this.#move(-1),
      toggle: () => this.#toggle(),
      accept: () => this.#accept(),
      apart: () => this.#decide(this.#group.members),
      apartOne: () => this.#decideOne(),
      undo: () => this.#undo(),
      mode: () => this.panel.stage.cycle(),
      help: showKeys,
    };
  }

  #step(by) {
    const { listed } = this.list;
    this.#goTo(listed[listed.indexOf(this.#group) + by]);
  }

  #move(by) {
    const { members } = this.#group;
    const next = members[members.indexOf(this.#selected) + by];
    if (next) this.#select(next);
  }

  #nextOpen(index) {
    const { listed } = this.list;
    const isOpen = (group) => !this.#review.isDone(group);
    return listed.slice(index + 1).find(isOpen) ?? listed.find(isOpen) ?? null;
  }

  #toggle() {
    if (!this.#review.toggle(this.#group, this.#selected)) {
      flash(t.duplicates.lastOne);
      return;
    }
    this.#changed();
    this.#draw();
    this.#saySelected();
  }

  #accept() {
    this.#review.accept(this.#group);
    this.#changed();
    const next = this.#nextOpen(this.list.listed.indexOf(this.#group));
    if (next) {
      this.#goTo(next);
      return;
    }
    this.#draw();
    flash(t.duplicates.allDone);
  }

  #acceptAll(tier) {
    const groups = this.#review.openUpTo(tier);
    this.#review.acceptAll(groups);
    this.#changed();
    this.#show();
    flash(t.duplicates.accepted(groups.length));
  }

  #decideOne() {
    const [first] = this.#group.members;
    if (this.#selected !== first) this.#decide([first, this.#selected]);
  }

  // What is no duplicate is remembered by the service, for later searches too. Of all members the group goes; of two,
  // the second leaves it.
  #decide(members) {
    const [group, keys] = [this.#group, members.map(({ key }) => key)];
    if (keys.length > MOST_KEYS) {
      flash(t.duplicates.tooMany(MOST_KEYS));
      return;
    }
    this.#tell(async () => {
      await api.decide(this.#name, keys, "not-duplicates");
      const place = this.list.listed.indexOf(group);
      const gone = keys.length === group.members.length ? keys : keys.slice(1);
      const rest = this.#review.takeOut(group, gone, keys);
      this.#changed();
      this.#pick(rest ?? this.list.listed[place] ?? this.list.listed[place - 1] ?? null);
      this.#show();
      this.#goTo(this.#group);
      flash(t.duplicates.apartSaid(gone.length));
    });
  }

  #undo() {
    const step = this.#review.lastStep;
    if (!step) return;
    this.#tell(async () => {
      if (step.decided) await api.decide(this.#name, step.decided, "duplicates-after-all");
      this.#pick(this.#review.undo() ?? this.#group);
      this.#changed();
      this.#show();
      this.#goTo(this.#group);
      flash(t.duplicates.undone);
    });
  }

  // One decision after the other: the second would not know what the first has left.
  async #tell(work) {
    if (this.#busy) return;
    this.#busy = true;
    this.notice.clear();
    try {
      await work();
    } catch (error) {
      this.notice.problem(error);
    } finally {
      this.#busy = false;
    }
  }

  #save(ending, text, type) {
    save(new Blob([text], { type: `${type};charset=utf-8` }), t.duplicates.file(this.#name, ending));
  }
}
