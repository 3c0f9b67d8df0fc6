// The words of adding many pictures: folders, archives, jobs. They belong to strings.js.

export const uploadTexts = ({ pictures, whole }) => ({
  folder: "Choose a folder",
  busy: "Wait until what is being sent is there, or stop it.",
  nothing: "There is no picture among these files.",
  title: (count) => `Add ${pictures(count)}`,
  about: (size) => `${size} in all. Each gets its path as its key; a picture with the same key is replaced.`,
  others: (count) => (count === 1 ? "1 file that is no picture is left out." : `${whole(count)} files that are no pictures are left out.`),
  start: "Start",
  pause: "Pause",
  resume: "Go on",
  stop: "Stop",
  close: "Done",
  progress: "Progress",
  state: (done, all, rate, left) => [`${whole(done)} of ${whole(all)}`, rate, left].filter(Boolean).join(", "),
  rate: (rate) => `${rate} a second`,
  left: (time) => `about ${time} left`,
  paused: "Paused.",
  stopped: (done) => `Stopped after ${pictures(done)}. What was added stays.`,
  done: (added, rejected) =>
    rejected
      ? `${pictures(added)} added, ${whole(rejected)} rejected.`
      : `${pictures(added)} added.`,
  leaving: "Pictures are still being sent.",

  rejected: (count) => (count === 1 ? "1 file rejected" : `${whole(count)} files rejected`),
  key: "File",
  reason: "Reason",
  code: "Code",
  more: (count) => `${whole(count)} more are in the table to save.`,
  save: "Save as CSV",
  file: (collection) => `lookalike-${collection}-rejected.csv`,

  zipTitle: (name) => `Index ${name}`,
  zipAbout: (size) =>
    `${size}. It is sent in pieces, and goes on where it stopped if the connection or this page is lost. The service then ` +
    "indexes it by itself.",
  mode: "What becomes of its pictures",
  add: "They are added",
  addHelp: "The collection keeps all that it has.",
  replace: "They replace the collection",
  replaceHelp: "What the archive does not have leaves the collection; snapshots before stay.",
  send: "Send it",
  sending: (sent, all) => `${sent} of ${all} sent`,
  goesOn: (sent) => `This file was begun before: going on after ${sent}.`,
  interrupted: "The connection is lost. It goes on by itself.",

  jobs: "Jobs of this collection",
  job: {
    index: "Index",
    reindex: "Index again",
    duplicates: "Search for duplicates",
    calibrate: "Calibrate",
    evaluate: "Evaluate",
  },
  states: {
    queued: "waiting",
    running: "running",
    succeeded: "done",
    failed: "failed",
    cancelled: "cancelled",
  },
  cancel: "Cancel",
  cancelWhich: (kind) => `Cancel the job: ${kind}`,
  cancelling: "It stops as soon as it can.",
  begun: (when) => `begun ${when}`,
  items: (count, snapshot) => `The collection has ${pictures(count)}, in snapshot ${whole(snapshot)}.`,
  report: "Rejected files",
  saveReport: "Save the report",
  said: (kind, state) => `${kind}: ${state}.`,
});
