"""The verdict on every file of a run: counted, and written to a report line by line."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from lookalike.errors import ImageEmptyError, ImageTooLargeError, LookalikeError, UnsupportedFormatError


class Verdict(StrEnum):
    """What a run did with a file or an item."""

    INDEXED = "indexed"  # new, or changed; its vector is in the snapshot
    RESUMED = "resumed"  # stored by an earlier run that was interrupted; not encoded again
    UNCHANGED = "unchanged"  # the same bytes as before; not encoded again
    UPDATED = "updated"  # the same bytes, other metadata; not encoded again
    REMOVED = "removed"  # no longer in the source
    KEPT = "kept"  # cannot be read at present; the item that was indexed before stays
    IGNORED = "ignored"  # not a picture, and not named like one
    REJECTED = "rejected"  # meant as a picture, but cannot be used


PICTURE_EXTENSIONS = frozenset(
    (
        "apng", "avif", "bmp", "cur", "dcm", "dcx", "dds", "dib", "dicom", "eps", "exr", "fits", "fli", "flc", "gif",
        "hdr", "heic", "heics", "heif", "heifs", "hif", "icns", "ico", "im", "j2k", "jfif", "jp2", "jpe", "jpeg",
        "jpf", "jpg", "jpx", "jxl", "mpo", "pbm", "pcx", "pgm", "pic", "png", "pnm", "ppm", "psd", "qoi", "ras",
        "sgi", "svg", "tga", "tif", "tiff", "webp", "wmf", "xbm", "xpm",
        # of cameras
        "3fr", "arw", "cr2", "cr3", "crw", "dcr", "dng", "erf", "fff", "iiq", "kdc", "mef", "mos", "mrw", "nef",
        "nrw", "orf", "pef", "raf", "raw", "rw2", "rwl", "sr2", "srf", "srw", "x3f",
    )
)  # fmt: skip


def has_picture_extension(location: str) -> bool:
    """Whether a file's name has the extension of a picture format."""
    return PurePosixPath(location.lower()).suffix[1:] in PICTURE_EXTENSIONS


_NO_PICTURE = (UnsupportedFormatError, ImageEmptyError, ImageTooLargeError)


def verdict_on_error(location: str, error: LookalikeError) -> Verdict:
    """The verdict on a file that cannot be used: ``ignored`` if it is no picture, nor named like one."""
    is_other_file = isinstance(error, _NO_PICTURE) and not has_picture_extension(location)
    return Verdict.IGNORED if is_other_file else Verdict.REJECTED


_LINE = json.JSONEncoder(ensure_ascii=False)  # one instance: `json.dumps` makes a new one for every line


@dataclass
class Report:
    """Counts verdicts, and writes a JSON line a file to ``path``: key, verdict, an error's code and message, a remark.

    ``first_rejection`` is the message of the first file that was rejected. ``remarks`` counts the remarks on pictures
    that were indexed though something is wrong with their file. ``unidentified_lines`` are those of a table that cannot
    be read, and may be about any picture.
    """

    path: Path
    counts: Counter[Verdict] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    remarks: Counter[str] = field(default_factory=Counter)
    unidentified_lines: list[str] = field(default_factory=list)
    first_rejection: str | None = None
    _error_keys: set[str] = field(default_factory=set)

    def __enter__(self) -> Self:
        self._file = self.path.open("w", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def record(self, key: str, verdict: Verdict, error: LookalikeError | None = None, remark: str = "") -> None:
        """Count and write a file's verdict, and what is to be remarked on it all the same."""
        self.counts[verdict] += 1
        line: dict[str, str] = {"key": key, "verdict": verdict}
        if error is not None:
            self._error_keys.add(key)
            line |= {"code": error.code, "message": error.message}
            if verdict is Verdict.REJECTED:
                self.codes[error.code] += 1
                self.first_rejection = self.first_rejection or error.message
        if remark:
            self.remarks[remark] += 1
            line["remark"] = remark
        self._file.write(_LINE.encode(line) + "\n")

    def record_removal(self, key: str) -> None:
        """Record the removal of an item, unless its file exists and has a verdict already: one verdict a file."""
        if key not in self._error_keys:
            self.record(key, Verdict.REMOVED)
