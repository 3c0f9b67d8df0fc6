// The words of jobs: what each kind does, its options, how far it is, what came of it. They belong to strings.js.

export const jobTexts = ({ pictures, whole }) => ({
  title: "Jobs",
  lead: "Work on the whole collection that the service does by itself. This page may be closed meanwhile.",
  list: "Jobs of this collection",
  start: "Start",
  startWhich: (kind) => `Start the job: ${kind}`,
  starting: "Starting …",
  begun: (kind) => `${kind} is begun.`,
  kinds: {
    index: "Index",
    reindex: "Index again",
    duplicates: "Search for duplicates",
    map: "Make the map",
    calibrate: "Calibrate",
    evaluate: "Evaluate",
    cluster: "Find clusters",
    outliers: "Find outliers",
    mislabelled: "Find wrong labels",
    export: "Export items",
    tag: "Tag pictures",
  },
  about: {
    calibrate:
      "Learns from labels which score means the same thing. From then on hits have a per cent beside their score, and " +
      "“similar” begins where it should.",
    evaluate: "Measures with labels how good the search is: of how many pictures the hits have the same label.",
    duplicates: "Compares the pictures on their pixels. The groups of copies are then reviewed one by one; nothing is deleted.",
    map: "Puts the pictures in two dimensions, those that are alike near each other. The map then shows the whole collection.",
    reindex: "Reads the source of the collection again: what is new there is added, what is gone there leaves.",
  },
  label: "Labels",
  labelUsual: "column label, else the product",
  labelProduct: "product",
  labelFolders: "folders that the pictures lie in",
  labelHelp: "Pictures of one label show the same thing.",
  precision: "Precision",
  precisionHelp: "Of all pairs that count as similar, the share that is. Empty: the best balance. From 0.5 to 0.999.",
  limit: "Pictures at most",
  limitHelp: "Spread over the labels. Empty: all.",
  tier: "Look for",
  tiers: { "near-duplicate": "all copies", "same-pixels": "same pixels", "same-bytes": "same files" },
  neighbours: "Neighbours",
  neighboursHelp: "So many pictures most alike to each are compared with it. More of them takes longer.",
  encoder: "Encoder",
  encoderOwn: "stays as it is",
  encoderHelp: "With another one all pictures are encoded again.",
  removals: "Drop what is gone, however much",
  removalsHelp: "Without this nothing changes if over a tenth of the collection, or a whole folder, is gone.",

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
  when: (when) => `begun ${when}`,
  saveReport: "Save the report",
  said: (kind, state) => `${kind}: ${state}.`,

  items: (count, snapshot) => `The collection has ${pictures(count)}, in snapshot ${whole(snapshot)}.`,
  duplicates: (copies, groups, freed) =>
    copies
      ? `${pictures(copies)} may go, which frees ${freed}; there ${groups === 1 ? "is 1 group" : `are ${whole(groups)} groups`} to review.`
      : groups
        ? `No picture is proposed to go; there ${groups === 1 ? "is 1 group" : `are ${whole(groups)} groups`} to review.`
        : "No two pictures are copies.",
  mapped: (count, seconds) => `${pictures(count)} have a place on the map; it took ${whole(Math.round(seconds))} s.`,
  toMap: "To the map",
  calibrated: (threshold, precision, recall) =>
    `Two pictures count as similar from ${threshold} on: ${precision} of the pairs that reach it show the same thing, and ` +
    `${recall} of the pairs that do reach it.`,
  evaluated: (count, labels, first, mean) =>
    `Of ${pictures(count)} with ${whole(labels)} labels, the first hit of ${first} has the same label. Mean average ` +
    `precision ${mean}.`,
  clustered: (count, clusters) => `${pictures(count)} in ${whole(clusters)} clusters. The report has them.`,
  strange: (count) => `Of ${pictures(count)}, the report has those that look least like others.`,
  faulty: (count, faults) => `${whole(faults)} of ${pictures(count)} have faults. The report has them.`,
  exported: (count, size, file) =>
    `${whole(count)} items, ${size}. ${file ? `GET ${file} gives the file, for a day.` : "The file is gone after its day."}`,
  tagged: (count) => `The tags of ${pictures(count)} are up to date.`,
  mislabelled: (count, suspects) => `${whole(suspects)} of ${pictures(count)} may have a wrong label. The report has them.`,
  review: "Review the groups",
  curve: "Look at the calibration",
});
