// The words of a collection's own page: its parts, its items, its snapshots. They belong to strings.js.

export const collectionTexts = ({ pictures, whole }) => ({
  parts: { label: "Parts of the collection", pictures: "Pictures", add: "Add", about: "About", snapshots: "Snapshots", jobs: "Jobs" },
  searchIn: "Search in it",
  snapshotsOf: (name) => `Snapshots of ${name}`,
  count: (count, pending, isPinned) =>
    [
      pictures(count),
      pending && `${whole(pending)} changed since the last snapshot`,
      isPinned && "pinned: it takes no changes",
    ]
      .filter(Boolean)
      .join(", "),
  edit: "Edit",
  editWhich: (name) => `Edit ${name}`,
  remove: "Remove",
  removeWhich: (name) => `Remove ${name}`,
  removing: (name) => `Removing ${name} …`,
  removed: (name) => `${name} was removed.`,
  undo: "Put it back",
  undone: (name) => `${name} is back.`,
  confirmRemove: (name) => `Remove ${name}?`,
  confirmText: "Its file cannot be read from here as it was indexed, so this page could not put it back.",
  confirmYes: "Remove it",
  keep: "Keep it",
  saved: (name) => `${name} is saved.`,
  noneFiltered: "No picture passes these filters.",

  columns: {
    title: "Columns",
    lead: "What is known of the pictures, and can be filtered. Types are those of the values.",
    name: "Column",
    type: "Type",
    count: "Pictures with a value",
    declared: "declared",
    none: "No picture has metadata yet.",
  },

  settings: {
    title: "Settings",
    keep: "Snapshots kept",
    keepHelp: "So many stay when the next one is published, that one included. From 2 to 1000.",
    types: "Types of columns",
    typesHelp: "A declared type is enforced: values of another type are refused. A column can be declared before it has values.",
    free: (types) => `not declared (${types})`,
    type: (type) => type.replace("boolean", "yes or no"),
    add: "Declare another column",
    save: "Save",
    saved: "The settings are saved.",
    unchanged: "Nothing was changed.",
  },

  recall: {
    title: "Measured recall",
    is: (k, value, queries) =>
      `Of the true ${whole(k)} nearest pictures the index finds ${value} on average, measured with ${whole(queries)} ` +
      "pictures of the collection when this snapshot was published.",
    interval: (low, high) => `With so many, the true value is between ${low} and ${high} (95 % sure).`,
    exact: "This index compares every picture, so it misses none.",
    none: "It is measured when a snapshot with pictures is published.",
  },

  calibration: {
    title: "Calibration",
    own: "Fitted to labelled pictures of this collection.",
    encoder: (encoder) => `That of the encoder ${encoder}: this collection has none of its own.`,
    meaning: (threshold, precision, recall) =>
      `From ${threshold} on two pictures count as similar. Of all pairs that reach it ${precision} show the same thing, ` +
      `and it is reached by ${recall} of all pairs that do.`,
    pairs: (all, same) => `Fitted to ${whole(all)} pairs, of which ${whole(same)} show the same thing.`,
    none: "Neither this collection nor its encoder is calibrated: scores have no per cent beside them.",
    how: "A job can calibrate it with labelled pictures, and so can whoever runs the service:",
    start: "To the jobs",
    chart: (threshold, confidence) =>
      `Confidence by score: it rises with the score; at the threshold ${threshold} it is ${confidence}.`,
    score: "Score (cosine)",
    confidence: "Show the same thing",
    threshold: (value) => `similar from ${value}`,
    table: "The curve as a table",
  },

  snapshots: {
    title: "Snapshots",
    lead: "Each publish makes one. Going back to an older one pins the collection: it stays there and takes no changes.",
    busy: "Fetching the snapshots …",
    label: "Snapshots, newest first",
    columns: { snapshot: "Snapshot", made: "Made", count: "Pictures", size: "Size", index: "Index", recall: "Recall" },
    current: "served",
    pinned: "pinned",
    back: "Go back to it",
    backTo: (number) => `Go back to snapshot ${whole(number)}`,
    pin: "Pin it",
    pinTo: (number) => `Pin the collection to snapshot ${whole(number)}`,
    unpin: "Take the pin away",
    unpinned: "The newest snapshot is served again.",
    isPinned: (number) =>
      `The collection is pinned to snapshot ${whole(number)}: it shows that alone and takes no changes. What was changed ` +
      "before is not lost.",
    wentBack: (number) => `Snapshot ${whole(number)} is served.`,
    confirm: (name) => `${name}?`,
    confirmText: (count, made) =>
      `It has ${pictures(count)} and was made ${made}. Searches see it at once, changes are refused until the pin is ` +
      "taken away, and nothing is deleted.",
    cancel: "Cancel",
    damaged: "damaged",
    working: "Working …",
    slow: "The service has not finished yet, and goes on with it.",
    pending: (count) =>
      count === 1
        ? "1 change since the last snapshot. Searches see it already; publishing makes it part of a snapshot."
        : `${whole(count)} changes since the last snapshot. Searches see them already; publishing makes them part of one.`,
    nonePending: "No changes since the last snapshot.",
    publish: "Publish now",
    publishing: "Publishing …",
    published: (number) => `Snapshot ${whole(number)} is published.`,
  },

  create: {
    open: "New collection",
    title: "New collection",
    name: "Name",
    nameHelp: "Letters, digits, - and _.",
    encoder: "Encoder",
    encoderDefault: "Default",
    encoderHelp: "What turns pictures into numbers. It stays the collection’s own.",
    create: "Create",
    cancel: "Cancel",
    created: (name) => `The collection ${name} is there. Add its first picture.`,
  },

  restore: {
    open: "Restore a deleted one",
    title: "Restore a collection",
    text: "A deleted collection comes back as it was, unless it was purged since.",
    name: "Name",
    yes: "Restore it",
    cancel: "Cancel",
    busy: "Restoring …",
    done: (name) => `The collection ${name} is back.`,
  },

  destroy: {
    title: "Delete this collection",
    text: "It is taken out of service at once, and can be restored until it is purged on the machine that has its data.",
    open: "Delete …",
    confirm: (name) => `Delete ${name}?`,
    type: (name) => `Type ${name} to go on`,
    wrong: "That is not the name.",
    yes: "Delete it",
    cancel: "Keep it",
    done: (name) => `The collection ${name} is out of service.`,
    restore: (name) => `python -m indexer restore -c ${name}`,
  },
});

export const itemTexts = () => ({
  addTitle: "Add a picture",
  editTitle: (name) => `Edit ${name}`,
  drop: "Drop a picture here, or a folder or zip of them",
  give: "Choose a picture, or take one",
  choose: "Choose pictures",
  another: "Another picture",
  cannotDraw: "Your browser cannot show this kind of picture. It can be added all the same.",
  key: "Key",
  keyHelp: "What names it in the API. It stays the same for good.",
  keyTaken: (name) => `There is a picture with this key, ${name}: it would be replaced.`,
  title: "Title",
  product: "Product",
  productHelp: "Pictures of one product have the same.",
  metadata: "Metadata",
  columnName: "Name of the column",
  typeOf: (name) => `Type of ${name}`,
  valueOf: (name) => `Value of ${name}`,
  addColumn: "Add a column",
  removeColumn: (name) => `Leave out ${name}`,
  newColumn: "new column",
  types: { text: "text", number: "number", boolean: "yes or no", date: "date", list: "list" },
  listHelp: "between commas",
  unset: "–",
  twice: (name) => `There are two columns ${name}.`,
  add: "Add it",
  replace: "Replace it",
  save: "Save",
  cancel: "Cancel",
  adding: "Adding the picture …",
  saving: "Saving …",
  added: (name) => `${name} is added, and found by searches.`,
  show: "Search from it",
  conflict: "Somebody else has changed this picture since. Close this and open it again to see how it is now.",
});

export const checkTexts = () => ({
  busy: "Looking whether it is there already …",
  verdicts: {
    new: "It is new: nothing here is like it.",
    similar: "It is new. Most alike:",
    "near-duplicate": "It is a copy of a picture that is here:",
    "same-pixels": "The same picture is here already, in another file:",
    "same-bytes": "The very same file is here already:",
  },
  match: (name, tier, score) => `${name}: ${tier}, score ${score}`,
  failed: "Whether it is there already could not be told.",
});
