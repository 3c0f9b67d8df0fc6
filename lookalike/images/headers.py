"""Sizes and counts read from the raw bytes, before a decoder runs.

Most headers have one size, which Pillow reads without allocating pixels. The formats here need a parser of their own:
the decoder allocates on opening (WebP), the picture inside may be larger than the container says (ICO, ICNS,
JPEG 2000, BLP), or small numbers in the header ask for large work (TIFF tiles, JPEG scans, JPEG 2000 precincts).
A header that does not parse passes: the decoder will refuse it, with a better reason than could be given here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from lookalike.images.tiff_header import HeaderError, tiff_sizes

__all__ = ["HeaderError", "is_truncated", "sizes"]

JPEG_SCAN_PIXELS = 2_000_000_000
"""Scans times pixels that a JPEG may cost: each scan passes over the whole picture. Progressive files have ten."""

JPEG2000_PARTS = 2_000_000
"""Packets and code blocks that a JPEG 2000 file may be divided into; 100 megapixels in 32 × 32 blocks have 300 000."""

_PNG = b"\x89PNG\r\n\x1a\n"
_J2K = b"\xff\x4f\xff\x51"
Size = tuple[int, int]


def sizes(format_name: str, data: bytes) -> list[Size]:
    """Every (width, height) in pixels that decoding ``data`` may allocate, as far as Pillow's own header does not say.

    Raises `HeaderError` when the header asks for work that has no relation to the picture.
    """
    reader = _READERS.get(format_name)
    if reader is None:
        return []
    try:
        return list(reader(data))
    except (struct.error, IndexError, OverflowError):
        return []


def is_truncated(format_name: str, data: bytes) -> bool:
    """Whether ``data`` has fewer bytes than its container says, or lacks the format's end marker."""
    if format_name == "WEBP":
        return len(data) < 12 or int.from_bytes(data[4:8], "little") + 8 > len(data)
    if format_name == "AVIF":
        return _boxes_are_truncated(data)
    if format_name == "JPEG2000":
        return b"\xff\xd9" not in data[-64:] or (not data.startswith(_J2K) and _boxes_are_truncated(data))
    if format_name == "PNG":
        return b"IEND" not in data[-4096:]
    if format_name == "JPEG":
        return b"\xff\xd9" not in data
    return False


def _boxes_are_truncated(data: bytes) -> bool:
    offset = 0
    for _ in range(1000):
        if offset == len(data):
            return False
        if offset + 8 > len(data):
            return True
        length = int.from_bytes(data[offset : offset + 4], "big")
        if length == 1:
            length = int.from_bytes(data[offset + 8 : offset + 16], "big")
        if length == 0:
            return False
        if length < 8:
            return False
        offset += length
        if offset > len(data):
            return True
    return False


def _webp(data: bytes) -> Iterator[Size]:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        yield width & 0x3FFF, height & 0x3FFF
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        yield (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    elif kind == b"VP8X":
        yield int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1


def _ico(data: bytes) -> Iterator[Size]:
    (count,) = struct.unpack_from("<H", data, 4)
    if count > 1024:
        raise HeaderError(f"{count} icons in one file")
    for entry in range(count):
        (offset,) = struct.unpack_from("<I", data, 6 + 16 * entry + 12)
        if offset + 24 > len(data):
            continue
        if data.startswith(_PNG, offset):
            yield _png_at(data, offset)
        else:
            width, height = _dib_at(data, offset)
            yield width, height // 2


def _png_at(data: bytes, offset: int) -> Size:
    width, height = struct.unpack_from(">II", data, offset + 16)
    return width, height


def _dib_at(data: bytes, offset: int) -> Size:
    (header,) = struct.unpack_from("<I", data, offset)
    width, height = struct.unpack_from("<HH" if header == 12 else "<ii", data, offset + 4)
    return abs(width), abs(height)


def _icns(data: bytes) -> Iterator[Size]:
    offset = 8
    for _ in range(1024):
        if offset + 8 > len(data):
            return
        (length,) = struct.unpack_from(">I", data, offset + 4)
        body = offset + 8
        if data.startswith(_PNG, body):
            yield _png_at(data, body)
        elif data.startswith((_J2K, b"\0\0\0\x0cjP  "), body):
            yield from _jpeg2000(data[body : offset + length])
        offset += max(length, 8)


def _jpeg2000(data: bytes) -> Iterator[Size]:
    offset = data.find(_J2K)
    if offset < 0:
        return
    if offset > 1 << 24 or data.count(b"\0\0\0\x08", 0, offset) > 1000:
        raise HeaderError("the header has too many boxes")
    right, bottom, left, top = struct.unpack_from(">IIII", data, offset + 8)
    (components,) = struct.unpack_from(">H", data, offset + 40)
    if components > 5:
        raise HeaderError(f"unsupported number of components: {components}")
    width, height = max(0, right - left), max(0, bottom - top)
    yield width, height
    _check_jpeg2000_parts(data, offset + 2, width, height, components)


def _check_jpeg2000_parts(data: bytes, offset: int, width: int, height: int, components: int) -> None:
    for _ in range(1000):
        marker, length = struct.unpack_from(">HH", data, offset)
        if marker == 0xFF90:
            return
        if marker == 0xFF52:
            style, _order, layers, _mix, levels, block_x, block_y = struct.unpack_from(">BBHBBBB", data, offset + 4)
            blocks = _cells(width, block_x + 2) * _cells(height, block_y + 2)
            packets = levels + 1
            if style & 1:
                precincts = data[offset + 14 : offset + 15 + levels]
                packets = sum(_cells(width, exponents & 15) * _cells(height, exponents >> 4) for exponents in precincts)
            if max(blocks, packets * layers) * components > JPEG2000_PARTS:
                raise HeaderError("it is divided into millions of parts")
        offset += 2 + length


def _cells(length: int, exponent: int) -> int:
    return -(-length >> exponent) if exponent else length


def _blp(data: bytes) -> Iterator[Size]:
    if data.startswith(b"BLP1") and struct.unpack_from("<i", data, 4)[0] == 0:
        (first,) = struct.unpack_from("<I", data, 28)
        (length,) = struct.unpack_from("<I", data, 156)
        yield from _jpeg_frames(data[160 : 160 + length] + data[first:])


def _jpeg(data: bytes) -> Iterator[Size]:
    for width, height in _jpeg_frames(data):
        scans = data.count(b"\xff\xda")
        if scans * width * height > JPEG_SCAN_PIXELS:
            raise HeaderError(f"{scans} scans over {width} × {height} pixels")
        yield width, height


def _jpeg_frames(data: bytes) -> Iterator[Size]:
    """(width, height) of the first frame header of a JPEG stream."""
    offset = 2
    for _ in range(10_000):
        offset = data.find(b"\xff", offset)
        if offset < 0 or offset + 9 > len(data):
            return
        marker = data[offset + 1]
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD8:
            offset += 1 if marker == 0xFF else 2
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, offset + 5)
            yield width, height
            return
        if marker in (0xD9, 0xDA):
            return
        offset += 2 + struct.unpack_from(">H", data, offset + 2)[0]


_READERS: dict[str, Callable[[bytes], Iterator[Size]]] = {
    "BLP": _blp,
    "ICNS": _icns,
    "ICO": _ico,
    "JPEG": _jpeg,
    "JPEG2000": _jpeg2000,
    "TIFF": tiff_sizes,
    "WEBP": _webp,
}
