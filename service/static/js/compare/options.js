// How to compare: with which encoder, at which input size, and from which score "similar" begins.

import { field, h } from "../dom.js";
import { t } from "../strings.js";

export class CompareOptions {
  /** `onChange()` once a valid value was entered. */
  constructor(onChange) {
    this.encoder = h("select", { on: { change: onChange } });
    this.size = h("input", { type: "number", min: "1", step: "1", inputMode: "numeric" });
    this.size.placeholder = t.compare.sizeOwn;
    this.threshold = h("input", { type: "number", min: "0", max: "1", step: "any", inputMode: "decimal" });
    this.threshold.placeholder = t.compare.thresholdOwn;
    for (const [input, message] of [
      [this.size, t.compare.sizeInvalid],
      [this.threshold, t.compare.thresholdInvalid],
    ]) {
      input.addEventListener("change", () => {
        input.setCustomValidity("");
        if (input.checkValidity()) onChange();
        else {
          input.setCustomValidity(message);
          input.reportValidity();
        }
      });
    }
    this.element = h(
      "form",
      { class: "options", "aria-label": t.compare.options, on: { submit: (event) => event.preventDefault() } },
      field(t.compare.encoder, this.encoder, { id: "encoder", hint: t.compare.encoderHelp }),
      field(t.compare.size, this.size, { id: "input-size" }),
      field(t.compare.threshold, this.threshold, { id: "threshold", hint: t.compare.thresholdHelp }),
    );
    this.setEncoders([], "");
  }

  /** Offer these encoders, and the default; a chosen one that is not among them stays choosable. */
  setEncoders(names, chosen) {
    const all = chosen && !names.includes(chosen) ? [chosen, ...names] : names;
    const rows = all.map((name) => h("option", { value: name }, name));
    this.encoder.replaceChildren(h("option", { value: "" }, t.compare.encoderDefault), ...rows);
    this.encoder.value = chosen;
  }

  /** Show what the address says. */
  set({ encoder = "", size = "", threshold = "" }) {
    const names = [...this.encoder.options].map(({ value }) => value).filter(Boolean);
    this.setEncoders(names, encoder);
    this.size.value = size;
    this.threshold.value = threshold;
  }

  /** `{encoder, size, threshold}` as texts, empty where the encoder's own is meant. */
  get values() {
    return { encoder: this.encoder.value, size: this.size.value, threshold: this.threshold.value };
  }
}
