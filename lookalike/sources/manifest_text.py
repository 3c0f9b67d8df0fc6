"""How a manifest's text is encoded, and what separates its columns.

A table from a spreadsheet is UTF-8, UTF-16 or Windows-1252, and seldom says which. UTF-8 is certain: no text in another
encoding is valid UTF-8 by chance. Windows-1252 is taken only if what comes out looks like words of western Europe,
where letters with accents stand alone among others; in another encoding they would stand in rows.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from lookalike.errors import ManifestError
from lookalike.sources.base import printable

MAX_LINE_BYTES = 1 << 20
WESTERN = "cp1252"
REMEDY = "save it as 'CSV UTF-8', or name its encoding with --source-encoding"

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE_BYTES = 1 << 12
_CHUNK_BYTES = 1 << 20
_MAX_IN_ROWS = 0.25
"""Largest share of accented letters that may stand three or more in a row in text of western Europe."""
_SIGN_IN_WORD = re.compile(
    "[A-Za-z\u00c0-\u00ff][\u00a1-\u00ac\u00ae-\u00b3\u00b5\u00b6\u00b8-\u00bf][a-z\u00e0-\u00ff]"
)
"""A sign within a word, as encodings of eastern Europe have letters there; a middle dot and an accent may be."""
_NON_ASCII_RUN = re.compile(r"[^\x00-\x7f]+")
_SEPARATOR_LINE = re.compile(r"sep=(.)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TextForm:
    """A table's encoding, by its Python name, its separator, and how many lines stand before its header."""

    encoding: str
    separator: str
    skipped_lines: int

    @property
    def is_utf8(self) -> bool:
        """Whether one line can be wrong without all others being so."""
        return self.encoding in ("utf-8", "utf-8-sig")


def find_marked_encoding(path: Path) -> str | None:
    """The encoding that a file's first bytes tell: by a byte-order mark, or by the zeros of UTF-16; else None."""
    with path.open("rb") as file:
        sample = file.read(_SAMPLE_BYTES)
    for mark, encoding in _MARKS:
        if sample.startswith(mark):
            return encoding
    zeros = (sample[::2].count(0), sample[1::2].count(0))
    if sum(zeros) > len(sample) / 4 and min(zeros) < max(zeros) / 4:
        return "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
    return None


def find_encoding(path: Path) -> str:
    """The encoding of a file's text, by its Python name; raises ManifestError, with a line, if it is none of those.

    A file with lines that are valid UTF-8 beyond ASCII is UTF-8, also if others are not: these are refused one by one.
    """
    if (marked := find_marked_encoding(path)) is not None:
        return marked
    with path.open("rb") as file:
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while chunk := file.read(_CHUNK_BYTES):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return _find_without_utf8(path)
    return "utf-8"


def _find_without_utf8(path: Path) -> str:
    """The encoding of a file that has a line that is not UTF-8."""
    wrong_lines: list[tuple[int, bytes]] = []
    wrong_bytes = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.isascii():
                continue
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                if wrong_bytes < _CHUNK_BYTES:
                    wrong_lines.append((number, line))
                    wrong_bytes += len(line)
            else:
                return "utf-8"
    runs: list[str] = []
    for number, line in wrong_lines:
        try:
            text = line.decode(WESTERN)
        except UnicodeDecodeError as error:
            raise _unknown_encoding_error(path, number) from error
        if _SIGN_IN_WORD.search(text):
            raise _unknown_encoding_error(path, number)
        runs += _NON_ASCII_RUN.findall(text)
    in_rows = sum(len(run) for run in runs if len(run) > 2)
    if in_rows > _MAX_IN_ROWS * sum(map(len, runs)):
        raise _unknown_encoding_error(path, wrong_lines[0][0])
    return WESTERN


def _unknown_encoding_error(path: Path, number: int) -> ManifestError:
    where = f"{printable(path.name)}, line {number}"
    message = f"{where}: the table's text is neither UTF-8, UTF-16 nor Windows-1252; {REMEDY}"
    return ManifestError(message, subject=where)


def find_form(path: Path, encoding: str | None) -> TextForm:
    """The form of a CSV file; ``encoding`` is that which the user names, None to find it."""
    encoding = encoding or find_encoding(path)
    with open_text(path, encoding) as file:
        first = file.readline(MAX_LINE_BYTES)
        if (said := _SEPARATOR_LINE.fullmatch(first.lstrip("\ufeff"))) is not None:
            return TextForm(encoding, said[1], 1)
    header = re.sub('"[^"]*"', "", first)
    return TextForm(encoding, max(",;\t|", key=header.count), 0)


@contextmanager
def open_text(path: Path, encoding: str) -> Iterator[TextIO]:
    """A context with the file's text, line ends unchanged; bytes that are no text become surrogates where they can.

    UTF-16 cannot go on after a mistake: then ManifestError is raised while the text is read.
    """
    name = printable(path.name)
    try:
        with path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
            yield file
    except UnicodeError as error:
        message = f"{name} is no text in the encoding {encoding} ({error}); {REMEDY}"
        raise ManifestError(message, subject=name) from error
