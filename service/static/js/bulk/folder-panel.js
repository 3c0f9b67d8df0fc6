// Adding the pictures of a folder: what is to be sent, how far it is, and what was rejected.

import { button, h } from "../dom.js";
import { bytes, duration, rounded } from "../format.js";
import { Notice, say } from "../notice.js";
import { t } from "../strings.js";
import { archiveOf, isArchivable } from "./archive.js";
import { BatchSender, sizeOf } from "./batches.js";
import { modeChoice } from "./mode-choice.js";
import { Progress } from "./progress.js";
import { RejectedTable } from "./rejected.js";

export class FolderPanel {
  #sender = null;
  #name = null;
  #isRunning = false;
  #hasFailed = false;
  #pictures = [];
  #onAdded;
  #onArchive;
  #onClose;

  /**
   * `onAdded()` when the sending is over, `onArchive(file)` with an archive that is to be sent instead, `onClose()` when
   * the panel is to go.
   */
  constructor({ onAdded, onArchive, onClose }) {
    this.#onAdded = onAdded;
    this.#onArchive = onArchive;
    this.#onClose = onClose;
    this.single = h("input", { type: "radio", name: "folder-way", value: "single", checked: true });
    const zipped = h("input", { type: "radio", name: "folder-way", value: "zipped" });
    this.ways = h(
      "fieldset",
      { class: "ways" },
      h("legend", {}, t.upload.way),
      modeChoice(this.single, t.upload.single, t.upload.singleHelp),
      modeChoice(zipped, t.upload.zipped, t.upload.zippedHelp),
    );
    this.title = h("h2", { tabIndex: -1 });
    this.about = h("p", { class: "hint" });
    this.others = h("p", { class: "hint" });
    this.progress = new Progress(t.upload.progress);
    this.notice = new Notice();
    this.rejected = new RejectedTable();
    this.start = button(t.upload.start, () => (this.single.checked ? this.#run() : this.#archive()), {
      kind: "primary",
    });
    this.pause = button(t.upload.pause, () => this.#toggle(), {});
    this.stop = button(t.upload.stop, () => this.#stop(), { kind: "quiet" });
    this.close = button(t.upload.close, () => this.#close(), {});
    this.element = h(
      "section",
      { class: "panel bulk", hidden: true, "aria-label": t.upload.progress },
      this.title,
      this.about,
      this.others,
      this.ways,
      this.progress.element,
      this.notice.element,
      h("div", { class: "actions" }, this.start, this.pause, this.stop, this.close),
      this.rejected.element,
    );
    addEventListener("beforeunload", (event) => this.#isRunning && event.preventDefault());
  }

  /** Whether pictures are being sent. */
  get isBusy() {
    return this.#isRunning;
  }

  /** Offer to send these pictures, `[{file, path}]`; `others` files beside them are none. */
  offer(name, pictures, others) {
    this.#name = name;
    this.#pictures = pictures;
    this.single.checked = true;
    this.#sender = new BatchSender(name, pictures, {
      onChange: () => this.#draw(),
      onWait: (problem, seconds) => this.notice.wait(problem, seconds),
    });
    this.title.textContent = t.upload.title(pictures.length);
    this.about.textContent = t.upload.about(bytes(sizeOf(pictures)));
    this.others.textContent = others ? t.upload.others(others) : "";
    this.notice.clear();
    this.progress.hide();
    this.rejected.show(name, []);
    this.#buttons("offered");
    this.element.hidden = false;
    this.start.focus();
  }

  async #run() {
    const sender = this.#sender;
    this.#isRunning = true;
    this.#hasFailed = false;
    this.notice.clear();
    this.#buttons("running");
    this.pause.focus();
    this.#draw();
    try {
      await sender.run();
      this.#finish(sender);
    } catch (error) {
      this.#hasFailed = true;
      this.notice.problem(error, () => this.#run());
    }
  }

  async #archive() {
    const total = this.#pictures.length;
    this.start.disabled = true;
    this.notice.clear();
    try {
      const onProgress = (done) => this.progress.show(done, total, t.upload.archiving(done, total));
      const file = await archiveOf(this.#pictures, t.upload.archive(this.#name), { onProgress });
      this.element.hidden = true;
      this.#onArchive(file);
    } catch (error) {
      this.notice.problem(error, () => this.#archive());
    } finally {
      this.start.disabled = false;
    }
  }

  #finish(sender) {
    this.#isRunning = false;
    this.notice.clear();
    const words = sender.isStopped
      ? t.upload.stopped(sender.added)
      : t.upload.done(sender.added, sender.rejected.length);
    this.progress.show(sender.done, sender.total, words);
    say(words);
    this.#buttons("over");
    this.close.focus();
    this.#onAdded();
  }

  #draw() {
    const { done, total, rate, secondsLeft, isPaused, rejected } = this.#sender;
    if (!this.#isRunning) return;
    const words = isPaused
      ? `${t.upload.paused} ${t.upload.state(done, total)}`
      : t.upload.state(
          done,
          total,
          rate && t.upload.rate(rounded(rate)),
          secondsLeft && t.upload.left(duration(secondsLeft)),
        );
    this.progress.show(done, total, words);
    this.pause.textContent = isPaused ? t.upload.resume : t.upload.pause;
    this.rejected.show(this.#name, rejected);
  }

  #toggle() {
    if (this.#sender.isPaused) this.#sender.resume();
    else this.#sender.pause();
  }

  #stop() {
    this.#sender.stop();
    // After a problem nothing runs that could notice.
    if (this.#hasFailed) this.#finish(this.#sender);
  }

  #close() {
    this.element.hidden = true;
    this.#onClose();
  }

  #buttons(state) {
    this.start.hidden = state !== "offered";
    this.ways.hidden = state !== "offered" || !isArchivable(this.#pictures);
    this.pause.hidden = this.stop.hidden = state !== "running";
    this.close.hidden = state === "running";
    this.close.textContent = state === "offered" ? t.item.cancel : t.upload.close;
  }
}
