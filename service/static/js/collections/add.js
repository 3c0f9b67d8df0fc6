// Adding to a collection: one picture with its fields, the pictures of a folder, or an archive.

import { chosenFiles, sorted } from "../bulk/files.js";
import { FolderPanel } from "../bulk/folder-panel.js";
import { ZipPanel } from "../bulk/zip-panel.js";
import { h, icon } from "../dom.js";
import { flash } from "../notice.js";
import { ACCEPT, filePicker } from "../picture-input.js";
import { t } from "../strings.js";
import { SinglePicture } from "./single.js";

export class AddPart {
  #name = null;

  /** `onChanged()` after pictures were added, `onJob(job)` when the service has begun to index an archive. */
  constructor({ onChanged, onJob }) {
    const onClose = () => this.#showZone();
    this.zone = h("div", { class: "dropzone" }, ...this.#zoneContent());
    this.single = new SinglePicture({ onAdded: onChanged, onClose });
    const onArchive = (file) => this.zip.offer(this.#name, file);
    this.folder = new FolderPanel({ onAdded: onChanged, onArchive, onClose });
    this.zip = new ZipPanel({ onJob, onClose });
    this.element = h(
      "div",
      { class: "add" },
      this.zone,
      this.single.notice.element,
      this.single.element,
      this.folder.element,
      this.zip.element,
    );
  }

  #zoneContent() {
    const receive = (files) => this.receive(chosenFiles(files));
    const choose = { accept: `${ACCEPT},.zip,application/zip`, multiple: "" };
    const camera = { accept: "image/*", capture: "environment" };
    return [
      icon("drop"),
      h("p", { class: "dropzone-title wide-only" }, t.item.drop),
      h("p", { class: "dropzone-title hand-only" }, t.item.give),
      h(
        "div",
        { class: "pickers" },
        filePicker(t.item.choose, "picture", { kind: "primary", attributes: choose, receive }),
        filePicker(t.upload.folder, "collections", { kind: "wide-only", attributes: { webkitdirectory: "" }, receive }),
        filePicker(t.start.photograph, "camera", { kind: "camera", attributes: camera, receive }),
      ),
    ];
  }

  /** Show it for a collection. What is being sent to another one goes on. */
  show(name) {
    if (name !== this.#name && !this.#isBusy) {
      this.single.clear();
      this.folder.element.hidden = this.zip.element.hidden = true;
      this.zone.hidden = false;
    }
    this.#name = name;
  }

  /** What the service says of the collection. */
  describe({ columns }) {
    this.single.setColumns(columns ?? []);
  }

  /** Take files, `[{file, path}]`: what is done with them depends on what they are. */
  receive(given) {
    if (this.#isBusy) {
      flash(t.upload.busy);
      return;
    }
    const { picture, zip, pictures, others } = sorted(given);
    if (pictures?.length === 0) {
      flash(t.upload.nothing);
      return;
    }
    this.zone.hidden = true;
    this.single.clear();
    this.folder.element.hidden = this.zip.element.hidden = true;
    if (picture) this.single.offer(this.#name, picture);
    else if (zip) this.zip.offer(this.#name, zip);
    else this.folder.offer(this.#name, pictures, others);
  }

  get #isBusy() {
    return this.folder.isBusy || this.zip.isBusy;
  }

  #showZone() {
    this.zone.hidden = false;
    this.zone.querySelector("input").focus();
  }
}
