// Adding an archive: it is sent in pieces, and a job of the service indexes it.

import { button, h } from "../dom.js";
import { bytes } from "../format.js";
import { jobs } from "../jobs/requests.js";
import { Notice } from "../notice.js";
import { t } from "../strings.js";
import { Latest } from "../task.js";
import { modeChoice } from "./mode-choice.js";
import { Progress } from "./progress.js";
import { arrivedBytes, forget, sendFile } from "./tus.js";

export class ZipPanel {
  #latest = new Latest();
  #name = null;
  #file = null;
  #isRunning = false;
  #onJob;
  #onClose;

  /** `onJob(job)` when the service has begun to index it, `onClose()` when the panel is to go. */
  constructor({ onJob, onClose }) {
    this.#onJob = onJob;
    this.#onClose = onClose;
    this.title = h("h2", {});
    this.about = h("p", { class: "hint" });
    this.earlier = h("p", { class: "hint" });
    this.add = h("input", { type: "radio", name: "zip-mode", value: "add", checked: true });
    const replace = h("input", { type: "radio", name: "zip-mode", value: "replace" });
    this.mode = h(
      "fieldset",
      { class: "ways" },
      h("legend", {}, t.upload.mode),
      modeChoice(this.add, t.upload.add, t.upload.addHelp),
      modeChoice(replace, t.upload.replace, t.upload.replaceHelp),
    );
    this.progress = new Progress(t.upload.progress);
    this.notice = new Notice();
    this.start = button(t.upload.send, () => this.#run(), { kind: "primary" });
    this.pause = button(t.upload.pause, () => this.#pause(), {});
    this.close = button(t.item.cancel, () => this.#close(), { kind: "quiet" });
    this.element = h(
      "section",
      { class: "panel bulk", hidden: true, "aria-label": t.upload.progress },
      this.title,
      this.about,
      this.mode,
      this.earlier,
      this.progress.element,
      this.notice.element,
      h("div", { class: "actions" }, this.start, this.pause, this.close),
    );
    addEventListener("beforeunload", (event) => this.#isRunning && event.preventDefault());
  }

  /** Whether it is being sent. */
  get isBusy() {
    return this.#isRunning;
  }

  /** Offer to send an archive for a collection. */
  async offer(name, file) {
    this.#name = name;
    this.#file = file;
    this.title.textContent = t.upload.zipTitle(file.name);
    this.about.textContent = t.upload.zipAbout(bytes(file.size));
    this.earlier.textContent = "";
    this.add.checked = true;
    this.notice.clear();
    this.progress.hide();
    this.#buttons(false);
    this.start.textContent = t.upload.send;
    this.element.hidden = false;
    this.start.focus();
    const sent = await arrivedBytes(file, { signal: this.#latest.start(), quiet: true }).catch(() => 0);
    if (sent > 0 && file === this.#file && !this.#isRunning) this.earlier.textContent = t.upload.goesOn(bytes(sent));
  }

  async #run() {
    const signal = this.#latest.start();
    const file = this.#file;
    this.notice.clear();
    this.#buttons(true);
    this.pause.focus();
    try {
      const onProgress = (sent) => {
        this.notice.clear();
        this.progress.show(sent, file.size, t.upload.sending(bytes(sent), bytes(file.size)));
      };
      const onWait = (problem, seconds) => this.notice.wait(problem, seconds);
      const upload = await sendFile(file, { signal, onProgress, onWait });
      const mode = this.add.checked ? "add" : "replace";
      const job = await jobs.begin(this.#name, { kind: "index", upload, mode }, { signal });
      forget(file);
      this.#buttons(false);
      this.#close();
      this.#onJob(job);
    } catch (error) {
      this.#buttons(false);
      if (error.name === "AbortError") return;
      this.notice.problem(error, () => this.#run());
    }
  }

  // What has arrived stays with the service.
  #pause() {
    this.#latest.stop();
    this.#buttons(false);
    this.start.textContent = t.upload.resume;
    this.start.focus();
  }

  #close() {
    this.element.hidden = true;
    this.#file = null;
    this.#onClose();
  }

  #buttons(isRunning) {
    this.#isRunning = isRunning;
    this.start.hidden = isRunning;
    this.pause.hidden = !isRunning;
    this.close.hidden = isRunning;
    this.mode.disabled = isRunning;
  }
}
