"""Pairs that a person has judged: a CSV with the columns key_a, key_b and same."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lookalike.errors import EntryMissingError, EntryUnreadableError, ManifestError
from lookalike.sources.base import printable

COLUMNS = ("key_a", "key_b", "same")
YES, NO = frozenset({"yes", "true", "1"}), frozenset({"no", "false", "0"})


@dataclass(frozen=True)
class Judgement:
    """Two keys, whether their pictures show the same thing, and the line of the file that says so."""

    key_a: str
    key_b: str
    same: bool
    line: int


def read_judgements(path: Path) -> list[Judgement]:
    """The judgements in a file, in its order, without duplicates of a pair.

    Raises EntryMissingError, EntryUnreadableError, or ManifestError, which names the line; also for a pair that is
    judged both ways.
    """
    judgements: dict[tuple[str, str], Judgement] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for judgement in _read_lines(path, file):
                pair = (min(judgement.key_a, judgement.key_b), max(judgement.key_a, judgement.key_b))
                earlier = judgements.setdefault(pair, judgement)
                if earlier.same != judgement.same:
                    raise _line_error(path, judgement.line, f"it contradicts line {earlier.line} for the same two keys")
    except FileNotFoundError as error:
        raise EntryMissingError(f"there is no file {path}", subject=str(path)) from error
    except OSError as error:
        raise EntryUnreadableError(f"{path} cannot be read: {error.strerror}", subject=str(path)) from error
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path} is not UTF-8; save it as that", subject=str(path)) from error
    return list(judgements.values())


def _read_lines(path: Path, file: Iterator[str]) -> Iterator[Judgement]:
    reader = csv.DictReader(file, strict=True)
    try:
        names = [name.strip() for name in reader.fieldnames or ()]
        missing_columns = [name for name in COLUMNS if name not in names]
        if missing_columns:
            columns_text = ", ".join(map(printable, names)) or "none"
            raise ManifestError(
                f"{path} lacks {', '.join(missing_columns)} (columns found: {columns_text}); give it the columns "
                f"{', '.join(COLUMNS)}",
                subject=str(path),
            )
        reader.fieldnames = names
        for row in reader:
            yield _parse_row(path, reader.line_num, row)
    except csv.Error as error:
        raise _line_error(path, reader.line_num, f"it is no valid CSV ({error})") from error


def _parse_row(path: Path, line: int, row: dict[str, str | None]) -> Judgement:
    key_a, key_b, same = (row[name] for name in COLUMNS)
    if not key_a or not key_b or not same:
        raise _line_error(path, line, f"it needs a value for each of {', '.join(COLUMNS)}")
    if key_a == key_b:
        raise _line_error(path, line, "both keys are the same; a pair needs two different pictures")
    word = same.strip().lower()
    if word not in YES | NO:
        raise _line_error(path, line, f"same is {printable(same)!r}: write yes or no, true or false, 1 or 0")
    return Judgement(key_a, key_b, word in YES, line)


def _line_error(path: Path, line: int, problem: str) -> ManifestError:
    return ManifestError(f"{path}, line {line}: {problem}", subject=f"{path}:{line}")
