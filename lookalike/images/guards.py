"""What keeps a hostile file from costing more than its pixels: a budget of reads, and silence from libraries.

Pillow parses headers and some formats in Python, one small read after the other. A 64 MiB file can hold tens of
millions of twelve-byte chunks, so the number of reads is what bounds that time; counting them, unlike a clock,
gives the same verdict on every machine.
"""

from __future__ import annotations

import ctypes
import io
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from PIL import _imaging

HEADER_READS = 250_000
"""Reads that opening a file may cost; the files of cameras and editors need a few hundred."""

DECODER_READS = 2_000_000
"""Reads that decoding may cost: decoders written in Python read about once a pixel or once a run."""


class TooManyReadsError(Exception):
    """The decoder asked its file for more pieces than any sane picture has."""


class CountedReader(io.BytesIO):
    """A file in memory that refuses to be read more than ``allowance`` times.

    ``ran_short`` tells whether a parser asked for more bytes than were left (bulk reads of 64 KiB and more, which
    decoders make without knowing the length, do not count): the mark of a truncated file.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.allowance = HEADER_READS
        self.ran_short = False

    def read(self, size: int | None = -1, /) -> bytes:
        self._spend()
        piece = super().read(size)
        if size is not None and len(piece) < size < 1 << 16:
            self.ran_short = True
        return piece

    def readline(self, size: int | None = -1, /) -> bytes:
        self._spend()
        return super().readline(size)

    def _spend(self) -> None:
        self.allowance -= 1
        if self.allowance < 0:
            raise TooManyReadsError


_lock = threading.Lock()
_muted = 0
_FILTER_MODULE = r"PIL\."


@contextmanager
def muted() -> Iterator[None]:
    """Ignore the warnings that Pillow's own modules give while any picture is being decoded.

    They speak of broken metadata and of Pillow's own pixel limit, on both of which this package has its own rule.
    ``warnings.catch_warnings`` swaps a global list and so must not overlap between threads; here the first thread
    in adds one filter, for Pillow's modules alone, and the last thread out takes it away.
    """
    global _muted  # noqa: PLW0603 - the count of threads inside is what makes the filter shareable
    with _lock:
        if _muted == 0:
            warnings.filterwarnings("ignore", module=_FILTER_MODULE)
        _muted += 1
    try:
        yield
    finally:
        with _lock:
            _muted -= 1
            if _muted == 0:
                _drop_filter()


@cache
def quiet_libraries() -> None:
    """Keep Pillow and its TIFF library from writing remarks on broken files to the process's stderr, once and for all.

    They name no file, and this package says what is wrong with a picture by its errors. Pillow's remarks still reach
    whoever configures logging. The TIFF library's two handlers are reached through Pillow's compiled module, which
    carries it; a build of Pillow that hides them stays talkative.
    """
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    library = ctypes.CDLL(_imaging.__file__)
    for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
        if hasattr(library, name):
            setter = getattr(library, name)
            setter.argtypes, setter.restype = [ctypes.c_void_p], ctypes.c_void_p
            setter(None)


def _drop_filter() -> None:
    for entry in list(warnings.filters):
        module = entry[3]
        if entry[0] == "ignore" and getattr(module, "pattern", module) == _FILTER_MODULE:
            warnings.filters.remove(entry)  # type: ignore[attr-defined]
            return
