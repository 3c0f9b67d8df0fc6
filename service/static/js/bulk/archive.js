// An archive of files, made in the browser: a ZIP file whose entries are stored as they are, for pictures are compressed
// already. Without ZIP64: at most 65 535 files and 4 GB.

const MOST_FILES = 0xffff;
const MOST_BYTES = 0xffffffff;
const VERSION = 20;
const UTF8_NAMES = 0x0800;
// 1 January 1980, the first day that the format knows: when a file was changed does not matter here.
const DAY = 0x21;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** Whether files, `[{file, path}]`, fit into one. */
export function isArchivable(files) {
  const bytes = files.reduce((sum, { file, path }) => sum + file.size + 200 + 6 * path.length, 0);
  return files.length <= MOST_FILES && bytes <= MOST_BYTES;
}

/** The archive of them as a file; `onProgress(done)` after each. */
export async function archiveOf(files, name, { onProgress }) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const [index, { file, path }] of files.entries()) {
    const encoded = new TextEncoder().encode(path);
    const common = commonFields(checksumOf(new Uint8Array(await file.arrayBuffer())), file.size, encoded.length);
    const local = [...u32(0x04034b50), ...u16(VERSION), ...common, ...u16(0)];
    const place = [...u16(0), ...u16(0), ...u16(0), ...u32(0), ...u32(offset)];
    directory.push(
      Uint8Array.from([...u32(0x02014b50), ...u16(VERSION), ...u16(VERSION), ...common, ...u16(0), ...place]),
      encoded,
    );
    parts.push(Uint8Array.from(local), encoded, file);
    offset += local.length + encoded.length + file.size;
    onProgress(index + 1);
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const counts = [...u16(0), ...u16(0), ...u16(files.length), ...u16(files.length)];
  const end = Uint8Array.from([...u32(0x06054b50), ...counts, ...u32(size), ...u32(offset), ...u16(0)]);
  return new File([...parts, ...directory, end], name, { type: "application/zip" });
}

// What an entry's own header and the directory both say: flags, no compression, time, day, checksum, sizes, name.
function commonFields(checksum, size, nameLength) {
  return [
    ...u16(UTF8_NAMES),
    ...u16(0),
    ...u16(0),
    ...u16(DAY),
    ...u32(checksum),
    ...u32(size),
    ...u32(size),
    ...u16(nameLength),
  ];
}

function checksumOf(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

const u16 = (value) => [value & 0xff, (value >>> 8) & 0xff];
const u32 = (value) => [...u16(value), ...u16(value >>> 16)];
