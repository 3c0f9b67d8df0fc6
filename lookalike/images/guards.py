"""A limit on how often a decoder may read its file, and the suppression of warnings of Pillow and libtiff.

Pillow parses headers and some formats in Python, one small read after the other. A 64 MiB file can hold tens of
millions of twelve-byte chunks, so a limit on reads bounds that time; unlike a time limit, it refuses the same files on
every machine.
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
    """The decoder read its file more often than any well-formed picture needs."""


class CountedReader(io.BytesIO):
    """A file in memory that raises `TooManyReadsError` after ``allowance`` reads.

    ``ran_short`` is whether a parser asked for more bytes than were left, the mark of a truncated file. Reads of 64 KiB
    and more do not count: decoders make them without knowing the length.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.allowance = HEADER_READS
        self.ran_short = False

    def read(self, size: int | None = -1, /) -> bytes:
        self._spend()
        chunk = super().read(size)
        if size is not None and len(chunk) < size < 1 << 16:
            self.ran_short = True
        return chunk

    def readline(self, size: int | None = -1, /) -> bytes:
        self._spend()
        return super().readline(size)

    def _spend(self) -> None:
        self.allowance -= 1
        if self.allowance < 0:
            raise TooManyReadsError


_lock = threading.Lock()
_decoding_threads = 0
_FILTER_MODULE = r"PIL\."


@contextmanager
def ignore_pillow_warnings() -> Iterator[None]:
    """Ignore the warnings of Pillow's modules while any picture is being decoded.

    They are about broken metadata and Pillow's own pixel limit; this package has a rule of its own for both.
    ``warnings.catch_warnings`` replaces a global list and so must not overlap between threads; here the first thread
    to enter adds one filter, for Pillow's modules alone, and the last one to leave removes it.
    """
    global _decoding_threads  # noqa: PLW0603 - the count of threads inside is what makes the filter shareable
    with _lock:
        if _decoding_threads == 0:
            warnings.filterwarnings("ignore", module=_FILTER_MODULE)
        _decoding_threads += 1
    try:
        yield
    finally:
        with _lock:
            _decoding_threads -= 1
            if _decoding_threads == 0:
                _remove_filter()


@cache
def silence_libraries() -> None:
    """Keep Pillow and libtiff from writing about broken files to the process's stderr; the first call has the effect.

    Their messages name no file, and this package says what is wrong with a picture by its errors. Pillow's messages
    still reach a program that configures logging. libtiff's two handlers are set through Pillow's compiled module,
    which contains it; where a build of Pillow hides them, libtiff still writes to stderr.
    """
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    library = ctypes.CDLL(_imaging.__file__)
    for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
        if hasattr(library, name):
            setter = getattr(library, name)
            setter.argtypes, setter.restype = [ctypes.c_void_p], ctypes.c_void_p
            setter(None)


def _remove_filter() -> None:
    for entry in list(warnings.filters):
        module = entry[3]
        if entry[0] == "ignore" and getattr(module, "pattern", module) == _FILTER_MODULE:
            warnings.filters.remove(entry)  # type: ignore[attr-defined]
            return
