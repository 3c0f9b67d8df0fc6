"""Camera raw files: small ones, drawn by the specification of DNG 1.4, a TIFF 6.0 with sub-directories."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from PIL import Image

SHORT, LONG, RATIONAL = 3, 4, 5
_LAYOUTS = {1: "B", 2: "B", SHORT: "H", LONG: "I", RATIONAL: "I", 10: "i"}

Entry = tuple[int, int, list[int]]
"""Tag, type and values; numerators and denominators of a rational one after the other."""


@dataclass
class Directory:
    """Entries, the content that its tags 273 and 279 point at, and the directories below it."""

    entries: list[Entry]
    content: bytes = b""
    below: list[Directory] = field(default_factory=list)


def tiff(first: Directory) -> bytes:
    """A little-endian TIFF file whose first directory is ``first``."""
    body = bytearray(b"II*\0" + bytes(4))
    struct.pack_into("<I", body, 4, _write(body, first))
    return bytes(body)


def _write(body: bytearray, directory: Directory) -> int:
    entries = list(directory.entries)
    if directory.below:
        entries.append((330, LONG, [_write(body, child) for child in directory.below]))
    if directory.content:
        entries += [(273, LONG, [len(body)]), (279, LONG, [len(directory.content)])]
        body += directory.content + bytes(-len(directory.content) % 2)
    records = b""
    for tag, kind, values in sorted(entries):
        packed = struct.pack(f"<{len(values)}{_LAYOUTS[kind]}", *values)
        count = len(values) // 2 if kind in (RATIONAL, 10) else len(values)
        if len(packed) > 4:
            body += bytes(-len(body) % 4)
            offset = struct.pack("<I", len(body))
            body += packed
            packed = offset
        records += struct.pack("<HHI", tag, kind, count) + packed.ljust(4, b"\0")
    body += bytes(-len(body) % 2)
    start = len(body)
    body += struct.pack("<H", len(entries)) + records + bytes(4)
    return start


def jpeg(pixels: npt.NDArray[np.uint8], size: tuple[int, int]) -> bytes:
    """``pixels`` as a JPEG of ``size``."""
    file = io.BytesIO()
    Image.fromarray(pixels).resize(size).save(file, "JPEG", quality=90)
    return file.getvalue()


def dng(
    pixels: npt.NDArray[np.uint8], *, previews: Sequence[tuple[int, int]] = ((1200, 900),), orientation: int = 1
) -> bytes:
    """A DNG of 1600 × 1200 whose first directory is a thumbnail of 160 × 120, as cameras and converters write it.

    ``previews`` are the sizes of JPEG previews in directories below.
    """
    thumb = np.asarray(Image.fromarray(pixels).resize((160, 120)))
    text = list(b"Lookalike\0")
    raw_size = (1600, 1200)
    raw = Directory(
        [
            *_picture(0, *raw_size, 16, 32803, 1, 1),
            (33421, SHORT, [2, 2]),  # the repeat of the colour filter array, and its colours
            (33422, 1, [0, 1, 1, 2]),
        ],
        (np.asarray(Image.fromarray(pixels).convert("L").resize(raw_size)).astype("<u2") * 64).tobytes(),
    )
    below = [raw, *(Directory(_picture(1, *size, 8, 6, 7, 3), jpeg(pixels, size)) for size in previews)]
    colours = [1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1]
    first = Directory(
        [
            *_picture(1, 160, 120, 8, 2, 1, 3),
            *((tag, 2, text) for tag in (271, 272, 50708)),
            (274, SHORT, [orientation]),
            (50706, 1, [1, 4, 0, 0]),
            (50721, 10, colours),
            (50778, SHORT, [21]),
        ],
        thumb.tobytes(),
        below,
    )
    return tiff(first)


def _picture(
    subfile: int, width: int, height: int, bits: int, photometric: int, compression: int, samples: int
) -> list[Entry]:
    return [
        (254, LONG, [subfile]),
        (256, LONG, [width]),
        (257, LONG, [height]),
        (258, SHORT, [bits] * samples),
        (259, SHORT, [compression]),
        (262, SHORT, [photometric]),
        (277, SHORT, [samples]),
        (278, LONG, [height]),
        (284, SHORT, [1]),
    ]
