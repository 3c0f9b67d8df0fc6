"""A shell script that moves the pictures to drop into a folder; nothing is deleted, and it only says what it would do
until it is told to move."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from lookalike.collection.picture_store import is_stored
from lookalike.duplicates.report import DuplicateGroup
from lookalike.duplicates.subjects import Subject, file_status

_HEAD = """#!/bin/sh
# Moves copies of pictures into a folder of their own; nothing is deleted.
#   sh {name}           says what would be moved
#   sh {name} --move    moves it
# A picture is left where it is if the one to keep is not there, if the content of either is not what it was when it
# was indexed (SHA-256), or if a file of its name is in the folder already.
set -u
case "${{1-}}" in
  "" | --move) action=${{1-}} ;;
  *) echo "usage: sh {name} [--move]" >&2; exit 2 ;;
esac
moved=0
left=0

leave() {{
  printf 'left: %s: %s\\n' "$1" "$2" >&2
  left=$((left + 1))
}}

if command -v sha256sum > /dev/null; then
  digest() {{ sha256sum < "$1" | cut -c 1-64; }}
elif command -v shasum > /dev/null; then
  digest() {{ shasum -a 256 < "$1" | cut -c 1-64; }}
else
  echo "sha256sum or shasum is needed to compare the pictures with those that were indexed" >&2; exit 2
fi

has_content() {{
  [ -f "$1" ] && [ "$(digest "$1")" = "$2" ]
}}

# kept, its digest, copy, its digest, folder to move it into, its name there
move() {{
  if ! has_content "$1" "$2"; then leave "$3" "the picture to keep, $1, is not there as it was"; return; fi
  if ! has_content "$3" "$4"; then leave "$3" "it is not there as it was"; return; fi
  if [ "$1" -ef "$3" ]; then leave "$3" "it is the file to keep"; return; fi
  if [ -e "$5/$6" ] || [ -L "$5/$6" ]; then leave "$3" "$5/$6 is there already"; return; fi
  if [ "$action" != --move ]; then
    printf 'would move: %s -> %s\\n' "$3" "$5/$6"
  elif mkdir -p -- "$5" && mv -n -- "$3" "$5/$6" && [ ! -e "$3" ]; then
    printf 'moved: %s -> %s\\n' "$3" "$5/$6"
  else
    leave "$3" "it could not be moved"; return
  fi
  moved=$((moved + 1))
}}

"""
_TAIL = """
if [ "$action" = --move ]; then echo "$moved moved, $left left"; else echo "$moved to move with --move, $left left"; fi
[ "$left" -eq 0 ]
"""


def move_script(groups: Sequence[DuplicateGroup], folder: Path, name: str) -> str:
    """The script, to be called ``name``, that moves the pictures to drop below the absolute path of ``folder``."""
    return _HEAD.format(name=shlex.quote(name)) + "\n".join(_lines(groups, folder.absolute())) + "\n" + _TAIL


def _lines(groups: Sequence[DuplicateGroup], folder: Path) -> Iterator[str]:
    for group in groups:
        if group.keep is None:
            continue
        statuses = [(file_status(member.subject), member.subject) for member in group.dropped]
        # Links first: they would lead nowhere once their file has been moved.
        for status, subject in sorted(statuses, key=lambda entry: entry[0] is None or not entry[0].is_link):
            if is_stored(subject.item.location):
                yield f"# sent to the collection, where it can be deleted by its key: {json.dumps(subject.key)}"
                continue
            if status is None:
                yield f"# not a file, left where it is: {json.dumps(subject.path)}"
                continue
            target = _target(folder, subject)
            words = (
                group.keep.path,
                group.keep.digest,
                subject.path,
                subject.digest,
                str(target.parent),
                target.name,
            )
            yield "move " + " ".join(shlex.quote(word) for word in words)


def _target(folder: Path, subject: Subject) -> Path:
    """Where a picture is moved: below ``folder`` as it was below its source."""
    parts = [part for part in PurePosixPath(subject.item.location).parts if part not in ("/", "..")]
    return folder.joinpath(*parts)
