"""The numbers in a TIFF's first directory that decide what decoding costs: tiles and counts of values.

TIFF 6.0 specification: 12-byte entries (tag, type, count, value) after a two-byte number of entries. BigTIFF has
20-byte entries after an eight-byte number.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

MAX_ENTRIES = 4096
MAX_VALUES = 250_000
"""Numbers that a directory may contain, strips and tiles included: 100 000 strips of one row each are allowed, and
each strip costs some 20 microseconds in Python."""

_WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_LENGTH = 256, 257, 322, 323
_NUMBER_TYPES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


class HeaderError(Exception):
    """The header asks for work that has no relation to the picture."""


def tiff_sizes(data: bytes) -> Iterator[tuple[int, int]]:
    """(width, height) in pixels, rounded up to full tiles, as the decoder unpacks them."""
    order = "<" if data[:2] == b"II" else ">"
    big = 43 in data[2:4]
    if big:
        (start,) = struct.unpack_from(order + "Q", data, 8)
        (count,) = struct.unpack_from(order + "Q", data, start)
        first, size, layout = start + 8, 20, "HHQ"
    else:
        (start,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, start)
        first, size, layout = start + 2, 12, "HHI"
    if count > MAX_ENTRIES:
        raise HeaderError(f"{count} entries in its directory")
    fields: dict[int, int] = {}
    total_values = 0
    for number in range(count):
        offset = first + size * number
        if offset + size > len(data):
            break
        tag, kind, value_count = struct.unpack_from(order + layout, data, offset)
        if kind in _NUMBER_TYPES and value_count * _NUMBER_TYPES[kind] <= len(data):
            total_values += value_count
        if value_count == 1:
            fields[tag] = _value(data, order, kind, offset + size - (8 if big else 4))
    if total_values > MAX_VALUES:
        raise HeaderError(f"{total_values} numbers in its directory")
    width, height = fields.get(_WIDTH, 0), fields.get(_HEIGHT, 0)
    tile_width, tile_length = fields.get(_TILE_WIDTH, 0), fields.get(_TILE_LENGTH, 0)
    if tile_width > 0 and tile_length > 0:
        width, height = -(-width // tile_width) * tile_width, -(-height // tile_length) * tile_length
    yield width, height


def _value(data: bytes, order: str, kind: int, offset: int) -> int:
    layout = {3: "H", 4: "I", 16: "Q"}.get(kind)
    return int(struct.unpack_from(order + layout, data, offset)[0]) if layout else 0
