// When there is no map to show: what to run, and making it as a job of the service.

import { button, copied, h } from "../dom.js";
import { follow, jobs } from "../jobs/requests.js";
import { flash } from "../notice.js";
import { t } from "../strings.js";

/** What to say in place of a map; `make()` begins the job. */
export function noMap(name, { isUnusable, make }) {
  const command = t.map.command(name);
  const copy = async () => {
    if (await copied(command)) flash(t.empty.copied);
  };
  return [
    h("h2", {}, isUnusable ? t.map.unusable(name) : t.map.none(name)),
    h("p", {}, t.map.noneText),
    h("pre", { class: "command", tabIndex: 0 }, h("code", {}, command)),
    h(
      "div",
      { class: "actions" },
      button(t.map.make, make, { kind: "small primary" }),
      // Without https browsers offer no clipboard.
      navigator.clipboard && button(t.empty.copy, copy, { kind: "small", symbol: "copy" }),
    ),
  ];
}

/** Make the map of a collection, and tell `notice` how far it is. Raises Problem where it failed, or AbortError. */
export async function makeMap(name, notice, signal) {
  notice.busy(t.map.begun);
  const { id } = await jobs.begin(name, { kind: "map" }, { signal });
  let last = null;
  const onJob = (job) => {
    last = job;
    if (job.state === "running" && job.stage) notice.busy(t.map.step(job.stage, job.done, job.total));
  };
  await follow(id, { signal, onJob, onWait: (problem, seconds) => notice.wait(problem, seconds) });
  return last;
}
