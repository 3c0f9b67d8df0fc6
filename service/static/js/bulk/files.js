// Files that a person gave, with the path that each has in the folder it came from.

const PICTURE = /\.(jpe?g|jpe|jfif|png|webp|gif|bmp|tiff?|avif|heic|heif|jp2|ico|tga|ppm|pgm|dng|cr2|nef|arw)$/i;
const ZIP = /\.zip$/i;

/** The files of a drop, those in folders too: `[{file, path}]`. To be called while the event is handled. */
export function droppedFiles(transfer) {
  // Entries are gone once the event is over, so all of them are asked for before the first is read.
  const entries = [...transfer.items]
    .map((item) => item.webkitGetAsEntry?.() ?? null)
    .filter((entry) => entry !== null);
  if (!entries.some((entry) => entry.isDirectory)) return Promise.resolve(chosenFiles(transfer.files));
  const isOne = entries.length === 1;
  return Promise.all(entries.map((entry) => read(entry, ""))).then((lists) =>
    // The name of a folder that was given alone says nothing about a picture in it.
    lists.flat().map(({ file, path }) => ({ file, path: isOne ? path.replace(/^[^/]*\//, "") : path })),
  );
}

/** The same of a file input: a folder's files have their path in it. */
export function chosenFiles(files) {
  return [...files].map((file) => ({ file, path: file.webkitRelativePath.replace(/^[^/]*\//, "") || file.name }));
}

/** What to do with them: `{zip}`, `{picture}`, or `{pictures, others}` with the number of files that are none. */
export function sorted(given) {
  const [first] = given;
  if (given.length === 1 && ZIP.test(first.file.name)) return { zip: first.file };
  const pictures = given.filter(({ file }) => isPicture(file));
  if (given.length === 1 && pictures.length === 1) return { picture: first.file };
  return { pictures, others: given.length - pictures.length };
}

// Hidden files are a system's own.
const isPicture = ({ name, type }) => !name.startsWith(".") && (type.startsWith("image/") || PICTURE.test(name));

async function read(entry, folder) {
  const path = folder + entry.name;
  if (entry.isFile) return [{ file: await new Promise((resolve, reject) => entry.file(resolve, reject)), path }];
  const reader = entry.createReader();
  const found = [];
  // A browser hands out a hundred entries at a time, and an empty list at the end.
  for (;;) {
    const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!entries.length) return found;
    for (const each of entries) found.push(...(await read(each, `${path}/`)));
  }
}
