// What was decided, to take along: a table, and a script that moves pictures. Nothing here deletes one.

import { csvOf } from "../csv.js";
import { t } from "../strings.js";

/** CSV with a row for each picture of each group that is done; `rows` are those of a Review. */
export function tableOf(rows) {
  const header = ["group", "key", "location", "action", "reason"];
  const reason = ({ member, isProposed }) => (isProposed ? member.reason : t.duplicates.chosen);
  return csvOf([
    header,
    ...rows.map((row) => [
      row.group,
      row.member.key,
      row.member.location,
      row.isDropped ? "drop" : "keep",
      reason(row),
    ]),
  ]);
}

const HEAD = `set -u
case "\${1-}" in
  "" | --move) action=\${1-} ;;
  *) echo "usage: sh \$0 [--move]" >&2; exit 2 ;;
esac
moved=0
left=0

# Sets path: a location below SOURCE, or one that is absolute.
find_path() {
  case $1 in
    /*) path=$1 ;;
    *) path=$SOURCE/$1 ;;
  esac
}

leave() {
  printf 'left: %s: %s\\n' "$1" "$2" >&2
  left=$((left + 1))
}

if command -v sha256sum > /dev/null; then
  digest() { sha256sum < "$1" | cut -c 1-64; }
elif command -v shasum > /dev/null; then
  digest() { shasum -a 256 < "$1" | cut -c 1-64; }
else
  echo "sha256sum or shasum is needed to compare the pictures with those that were indexed" >&2; exit 2
fi

has_content() {
  [ -f "$1" ] && [ "$(digest "$1")" = "$2" ]
}

# the picture that stays, its digest, the one to move, its digest, its place below TARGET
move() {
  find_path "$1"; kept=$path
  find_path "$3"; from=$path
  to=$TARGET/$5
  if ! has_content "$kept" "$2"; then leave "$from" "the picture that stays, $kept, is not there as it was"; return; fi
  if ! has_content "$from" "$4"; then leave "$from" "it is not there as it was"; return; fi
  if [ "$kept" -ef "$from" ]; then leave "$from" "it is the file that stays"; return; fi
  if [ -e "$to" ] || [ -L "$to" ]; then leave "$from" "$to is there already"; return; fi
  if [ "$action" != --move ]; then
    printf 'would move: %s -> %s\\n' "$from" "$to"
  elif mkdir -p -- "\${to%/*}" && mv -n -- "$from" "$to" && [ ! -e "$from" ]; then
    printf 'moved: %s -> %s\\n' "$from" "$to"
  else
    leave "$from" "it could not be moved"; return
  fi
  moved=$((moved + 1))
}
`;
const TAIL = `
if [ "$action" = --move ]; then echo "$moved moved, $left left"; else echo "$moved to move with --move, $left left"; fi
[ "$left" -eq 0 ]
`;

/** A POSIX shell script that moves pictures from `folder` into another one; `moves` are those of a Review. */
export function scriptOf(folder, moves) {
  const source = folder.replace(/\/+$/, "") || "/";
  const lines = moves.map(({ member, kept }) =>
    isStored(member)
      ? `# ${t.duplicates.sentPicture(JSON.stringify(member.key))}`
      : ["move", ...[kept.location, kept.content_digest, member.location, member.content_digest].map(quoted)]
          .concat(quoted(below(member.location)))
          .join(" "),
  );
  return [
    "#!/bin/sh",
    ...t.duplicates.script.map((line) => `# ${line}`),
    `SOURCE=${quoted(source)}`,
    `TARGET=${quoted(`${source}-duplicates`)}`,
    "",
    HEAD,
    ...lines,
    TAIL,
  ].join("\n");
}

// A picture that was sent to the collection is no file of the folder.
const isStored = (member) => member.location.startsWith("stored:");

// Within single quotes a shell reads everything as it is, but for the quote itself.
const quoted = (word) => `'${String(word).replaceAll("'", "'\\''")}'`;

// Where a picture is moved: below the folder as it was below its source.
const below = (location) =>
  location
    .split("/")
    .filter((part) => part !== "" && part !== "." && part !== "..")
    .join("/");
