"""The fast way through an ordinary JPEG: libjpeg-turbo by way of simplejpeg, at a reduced scale if that is enough.

*Ordinary* means 8-bit, baseline or progressive, grey or three colours, every segment before the first scan whole, and
nothing that libjpeg complains about. That is almost every JPEG there is. All others are left to Pillow, which is more
patient and whose failures have names (`failures`); it is given the same scale, and makes the same pixels.

libjpeg reduces by 2, 4 or 8 while it undoes the cosine transform, at a fraction of the cost. It can do other eighths,
but those are hardly faster than the next larger power of two, and Pillow knows only the powers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import simplejpeg

Pixels = npt.NDArray[np.uint8]

SCALES = (8, 4, 2)
"""By how much libjpeg can reduce a picture's sides."""

_SOI, _SOS = b"\xff\xd8", 0xDA
_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended, progressive; Huffman-coded
_TABLES = (0xC4, 0xDB, 0xDD, 0xFE)  # Huffman, quantisation, restart interval, comment
_APP0, _APP15 = 0xE0, 0xEF
_SEGMENTS = 100  # a multi-page colour profile has some tens


@dataclass(frozen=True, slots=True)
class Frame:
    """What an ordinary JPEG says before its first scan: the stored size in pixels.

    ``bare`` tells that there is no metadata but JFIF's, and so no orientation to ask for.
    """

    width: int
    height: int
    bare: bool


def ordinary(data: bytes) -> Frame | None:
    """The frame of ``data`` if it may go the fast way; None sends it to Pillow, without a judgement.

    The layout of segments is that of ITU-T T.81, annex B: marker, two bytes of length that count themselves, content.
    """
    size: tuple[int, int] | None = None
    bare = True
    for marker, content in _segments(data):
        if marker == _SOS:
            return None if size is None else Frame(*size, bare)
        if marker in _FRAMES and size is None:
            size = _size(content)
        elif _APP0 <= marker <= _APP15:
            bare = bare and marker == _APP0 and len(content) >= 14
        elif marker not in _TABLES:
            return None
    return None


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and content of each segment, as long as they follow each other without a gap."""
    at = 2 if data.startswith(_SOI) else len(data)
    for _ in range(_SEGMENTS):
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if at + 4 > end or end > len(data) or data[at] != 0xFF:
            return
        yield data[at + 1], data[at + 4 : end]
        at = end


def scale_for(width: int, height: int, fit: int | None) -> int:
    """The most (1, 2, 4 or 8) by which the sides may be divided so that the shorter one keeps ``fit`` pixels."""
    if fit is None:
        return 1
    return next((scale for scale in SCALES if min(width, height) // scale >= fit), 1)


def decode_ordinary(data: bytes, frame: Frame, scale: int) -> Pixels | None:
    """The stored pixels at 1 / ``scale``, sides rounded up: (h, w, 3) uint8; None if libjpeg has a complaint."""
    height, width = -(-frame.height // scale), -(-frame.width // scale)
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, colorspace="RGB", min_height=height, min_width=width, strict=True)
    except ValueError:
        return None
    return pixels if pixels.shape == (height, width, 3) else None


def _size(content: bytes) -> tuple[int, int] | None:
    if len(content) < 6:
        return None
    height, width = int.from_bytes(content[1:3], "big"), int.from_bytes(content[3:5], "big")
    precision, components = content[0], content[5]
    fits = precision == 8 and components in (1, 3) and len(content) == 6 + 3 * components
    return (width, height) if fits and width and height else None
