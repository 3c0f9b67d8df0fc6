"""Copies a data folder while the service and the indexer work: ``python backup.py DATA TARGET``.

TARGET is made by this and holds, for each collection, the snapshot that is served and the pictures that were sent to
it, and the catalogue if it is SQLite's.
Of a PostgreSQL catalogue make a dump *after* this. The order is what makes the copy whole: the catalogue still has the
rows of the snapshots before the newest, whereas a snapshot that is newer than the catalogue's copy would lack its rows.
Pictures come last: they are stored before their rows.

Needs nothing but Python. Exits with 1, and leaves no TARGET, if the copy is not whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

USAGE = "usage: python backup.py DATA TARGET"


class BackupError(Exception):
    """The copy could not be made; the message says why."""


def copy_snapshot(collection: Path, target: Path) -> int | None:
    """Copy the snapshot that a collection serves; its number, or None if nothing was published yet."""
    try:
        pointer = (collection / "current.json").read_bytes()
    except FileNotFoundError:
        return None
    generation = int(json.loads(pointer)["generation"])
    folder = Path("snapshots") / f"{generation:08d}"
    shutil.copytree(collection / folder, target / folder)
    check(target / folder)
    # Last, so that a collection without it is known to be unfinished.
    (target / "current.json").write_bytes(pointer)
    return generation


def copy_pictures(collection: Path, target: Path) -> int:
    """Copy the pictures that were sent to a collection, and its archives that were uploaded; their number."""
    files = [*sorted(collection.glob("pictures/??/*")), *sorted(collection.glob("sources/*"))]
    paths = [path for path in files if not path.name.startswith(".")]
    for path in paths:
        copy = target / path.relative_to(collection)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return len(paths)


def check(snapshot: Path) -> None:
    """Compare the copied files with the checksums of their manifest."""
    for name, stamp in json.loads((snapshot / "manifest.json").read_text())["files"].items():
        with (snapshot / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != stamp["sha256"]:
            raise BackupError(f"{snapshot / name} does not match its checksum: run `python -m indexer verify`")


def copy_catalogue(source: Path, target: Path) -> None:
    """Copy a SQLite database as it is between two transactions, whoever writes to it meanwhile."""
    address = f"{source.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as original, closing(sqlite3.connect(target)) as copy:
        original.backup(copy)
        (verdict,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise BackupError(f"{source} is damaged ({verdict}): keep the backup before this one")


def back_up(data: Path, target: Path) -> list[str]:
    """Copy everything; what was copied, in words."""
    done = []
    collections = sorted(path for path in (data / "collections").iterdir() if path.is_dir())
    for collection in collections:
        generation = copy_snapshot(collection, target / "collections" / collection.name)
        done.append(f"{collection.name}: snapshot {generation}" if generation else f"{collection.name}: nothing yet")
    if (data / "catalogue.db").exists():
        copy_catalogue(data / "catalogue.db", target / "catalogue.db")
        done.append("catalogue: SQLite")
    else:
        done.append("catalogue: not here; make a dump of the PostgreSQL database now")
    for collection in collections:
        if count := copy_pictures(collection, target / "collections" / collection.name):
            done.append(f"{collection.name}: {count} files that were sent to it")
    return done


def main(arguments: list[str]) -> int:
    """The exit code."""
    if len(arguments) != 2:
        sys.stderr.write(f"{USAGE}\n")
        return 2
    data, target = map(Path, arguments)
    os.umask(0o077)
    part = target.with_name(f".{target.name}.part")
    try:
        if target.exists():
            raise BackupError(f"{target} exists: name a new folder")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        done = back_up(data, part)
        part.rename(target)
    except (BackupError, OSError, shutil.Error, sqlite3.Error, ValueError, KeyError) as error:
        shutil.rmtree(part, ignore_errors=True)
        sys.stderr.write(f"error: no backup was made: {error}\n")
        return 1
    sys.stdout.write("".join(f"{line}\n" for line in [*done, f"in {target}"]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
