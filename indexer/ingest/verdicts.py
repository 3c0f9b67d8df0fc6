"""What became of every file: one verdict each, counted, and written to a report as it is given."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from lookalike.errors import LookalikeError


class Verdict(StrEnum):
    """The possible ends of a file."""

    INDEXED = "indexed"  # new, or changed; its vector is in the snapshot
    RESUMED = "resumed"  # taken in by an earlier run that was interrupted; not encoded again
    UNCHANGED = "unchanged"  # the same bytes as before; not encoded again
    UPDATED = "updated"  # the same bytes, other metadata; not encoded again
    REMOVED = "removed"  # no longer in the source
    KEPT = "kept"  # cannot be read at present; what was indexed before stays
    IGNORED = "ignored"  # not a picture, and not named like one
    REJECTED = "rejected"  # meant as a picture, but cannot be used


PICTURE_EXTENSIONS = frozenset(
    (
        "apng", "avif", "bmp", "cur", "dcx", "dds", "dib", "eps", "exr", "fits", "fli", "flc", "gif", "hdr",
        "heic", "heif", "icns", "ico", "im", "j2k", "jfif", "jp2", "jpe", "jpeg", "jpf", "jpg", "jpx", "jxl",
        "mpo", "pbm", "pcx", "pgm", "pic", "png", "pnm", "ppm", "psd", "qoi", "ras", "sgi", "svg", "tga", "tif",
        "tiff", "webp", "wmf", "xbm", "xpm",
    )
)  # fmt: skip


def names_a_picture(location: str) -> bool:
    """Whether a file's name says that it is meant as a picture."""
    return PurePosixPath(location.lower()).suffix[1:] in PICTURE_EXTENSIONS


_LINE = json.JSONEncoder(ensure_ascii=False)  # kept: `json.dumps` makes a new one for every line


@dataclass
class Report:
    """Counts verdicts, and writes one JSON object a file to ``path``: key, verdict, and for a refusal code and why."""

    path: Path
    counts: Counter[Verdict] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    _refused: set[str] = field(default_factory=set)

    def __enter__(self) -> Self:
        self._file = self.path.open("w", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def give(self, key: str, verdict: Verdict, error: LookalikeError | None = None) -> None:
        """One file's verdict."""
        self.counts[verdict] += 1
        line: dict[str, str] = {"key": key, "verdict": verdict}
        if error is not None:
            self._refused.add(key)
            line |= {"code": error.code, "message": error.message}
            if verdict is Verdict.REJECTED:
                self.codes[error.code] += 1
        self._file.write(_LINE.encode(line) + "\n")

    def give_removed(self, key: str) -> None:
        """The verdict of an item that is dropped, unless its file is there and was refused: one verdict a file."""
        if key not in self._refused:
            self.give(key, Verdict.REMOVED)
