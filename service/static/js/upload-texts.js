// The words of adding many pictures: folders and archives. They belong to strings.js.

export const uploadTexts = ({ pictures, whole }) => ({
  folder: "Choose a folder",
  busy: "Wait until what is being sent is there, or stop it.",
  nothing: "There is no picture among these files.",
  title: (count) => `Add ${pictures(count)}`,
  about: (size) => `${size} in all. Each gets its path as its key; a picture with the same key is replaced.`,
  others: (count) =>
    count === 1 ? "1 file that is no picture is left out." : `${whole(count)} files that are no pictures are left out.`,
  way: "How they are sent",
  single: "One after the other",
  singleHelp: "Each can be searched as soon as it is there. This page has to stay open.",
  zipped: "As one archive",
  zippedHelp: "The service indexes it by itself once it is there; this page may be closed then.",
  archive: (collection) => `${collection}.zip`,
  archiving: (done, all) => `${whole(done)} of ${whole(all)} in the archive`,
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
    rejected ? `${pictures(added)} added, ${whole(rejected)} rejected.` : `${pictures(added)} added.`,

  rejected: (count) => (count === 1 ? "1 file rejected" : `${whole(count)} files rejected`),
  key: "File",
  reason: "Reason",
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
});
