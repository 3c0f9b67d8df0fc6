"""The fast path for an ordinary JPEG: libjpeg-turbo by way of simplejpeg, at a reduced scale if that is enough.

*Ordinary* means 8-bit, baseline or progressive, grey or three colours, every segment before the first scan complete,
and no warning from libjpeg. That is almost every JPEG. All others are left to Pillow, which tolerates more, and whose
failures `pillow_errors` translates; it gets the same scale, and makes the same pixels.

libjpeg reduces by 2, 4 or 8 in the inverse cosine transform, at a fraction of the cost. It can do other eighths, but
those are hardly faster than the next larger power of two, and Pillow offers only the powers.
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

_SOI, _EOI, _SOS = b"\xff\xd8", b"\xff\xd9", 0xDA
_FRAME_MARKERS = (0xC0, 0xC1, 0xC2)  # baseline, extended, progressive; Huffman-coded
_TABLE_MARKERS = (0xC4, 0xDB, 0xDD, 0xFE)  # Huffman, quantisation, restart interval, comment
_APP0, _APP15 = 0xE0, 0xEF
_MAX_SEGMENTS = 100  # a multi-page colour profile has some tens


@dataclass(frozen=True, slots=True)
class OrdinaryHeader:
    """What an ordinary JPEG says before its first scan: the stored size in pixels.

    ``has_metadata`` is False if there is none but JFIF's, and so no EXIF orientation to read.
    """

    width: int
    height: int
    has_metadata: bool


def read_ordinary_header(data: bytes) -> OrdinaryHeader | None:
    """The header of ``data`` if it may take the fast path; None if it is for Pillow, which may well read it.

    The layout of segments is that of ITU-T T.81, annex B: marker, two bytes of length that count themselves, content.
    """
    size: tuple[int, int] | None = None
    has_metadata = False
    for marker, content in _segments(data):
        if marker == _SOS:
            return None if size is None else OrdinaryHeader(*size, has_metadata)
        if marker in _FRAME_MARKERS and size is None:
            size = _parse_frame_segment(content)
        elif _APP0 <= marker <= _APP15:
            has_metadata = has_metadata or marker != _APP0 or len(content) < 14
        elif marker not in _TABLE_MARKERS:
            return None
    return None


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and content of each segment, as long as they follow each other without a gap."""
    offset = 2 if data.startswith(_SOI) else len(data)
    for _ in range(_MAX_SEGMENTS):
        end = offset + 2 + int.from_bytes(data[offset + 2 : offset + 4], "big")
        if offset + 4 > end or end > len(data) or data[offset] != 0xFF:
            return
        yield data[offset + 1], data[offset + 4 : end]
        offset = end


def scale_for(width: int, height: int, fit: int | None) -> int:
    """The largest divisor of the sides (1, 2, 4 or 8) that leaves the shorter one at least ``fit`` pixels."""
    if fit is None:
        return 1
    return next((scale for scale in SCALES if min(width, height) // scale >= fit), 1)


def decode_ordinary(data: bytes, header: OrdinaryHeader, scale: int) -> Pixels | None:
    """The stored pixels at 1 / ``scale``, sides rounded up: (h, w, 3) uint8; None if libjpeg warns or fails."""
    height, width = -(-header.height // scale), -(-header.width // scale)
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, colorspace="RGB", min_height=height, min_width=width, strict=True)
    except ValueError:
        return None
    return pixels if pixels.shape == (height, width, 3) else None


def decode_without_end(data: bytes, header: OrdinaryHeader, scale: int) -> Pixels | None:
    """`decode_ordinary` for a file that lacks nothing but its end marker; None if it has one, or lacks pixels too.

    Cards and messengers cut the last bytes off. With the marker put back, libjpeg has nothing to complain of exactly if
    every pixel is there.
    """
    if data.rfind(_EOI) > data.rfind(b"\xff\xda") or not _has_all_scans(data):
        return None
    return decode_ordinary(data + _EOI, header, scale)


def _has_all_scans(data: bytes) -> bool:
    """Whether every coefficient of every component of a JPEG has its last bit in some scan, as far as headers tell.

    A progressive file that was cut between two scans gives a blurred picture, of which libjpeg does not complain.
    """
    refined: dict[int, set[int]] = {}
    for marker, content in _segments(data):
        if marker in _FRAME_MARKERS:
            refined = {content[6 + 3 * number]: set() for number in range(content[5])}
    offset = _first_scan(data)
    while 0 <= offset < len(data) - 5:
        count = data[offset + 4]
        parameters = data[offset + 5 + 2 * count : offset + 8 + 2 * count]
        if len(parameters) == 3 and parameters[2] & 15 == 0:
            for component in data[offset + 5 : offset + 5 + 2 * count : 2]:
                refined.get(component, set()).update(range(parameters[0], parameters[1] + 1))
        offset = data.find(b"\xff\xda", offset + 2)
    return all(len(coefficients) == 64 for coefficients in refined.values())


def _first_scan(data: bytes) -> int:
    """Where the marker of the first scan is; thumbnails in the metadata have scans too."""
    offset = 2
    for marker, content in _segments(data):
        if marker == _SOS:
            return offset
        offset += 4 + len(content)
    return -1


def _parse_frame_segment(content: bytes) -> tuple[int, int] | None:
    if len(content) < 6:
        return None
    height, width = int.from_bytes(content[1:3], "big"), int.from_bytes(content[3:5], "big")
    precision, components = content[0], content[5]
    fits = precision == 8 and components in (1, 3) and len(content) == 6 + 3 * components
    return (width, height) if fits and width and height else None
