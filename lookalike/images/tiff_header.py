"""The numbers in a TIFF's first directory that decide what decoding costs: tiles and counts of values.

TIFF 6.0 specification: 12-byte entries (tag, type, count, value) after a two-byte number of entries. BigTIFF has
20-byte entries after an eight-byte number.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

MAX_ENTRIES = 4096
MAX_VALUES = 250_000
"""Numbers that a directory may list, strips and tiles included; 100 000 strips of one row each are still fine, and
each strip costs some 20 microseconds in Python."""

_WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_LENGTH = 256, 257, 322, 323
_NUMBER_TYPES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


class HeaderError(Exception):
    """The header asks for work that has no relation to the picture."""


def tiff_sizes(data: bytes) -> Iterator[tuple[int, int]]:
    """(width, height) in pixels with the last row and column of tiles counted whole, as the decoder unpacks them."""
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
    listed = 0
    for number in range(count):
        at = first + size * number
        if at + size > len(data):
            break
        tag, kind, values = struct.unpack_from(order + layout, data, at)
        if kind in _NUMBER_TYPES and values * _NUMBER_TYPES[kind] <= len(data):
            listed += values
        if values == 1:
            fields[tag] = _value(data, order, kind, at + size - (8 if big else 4))
    if listed > MAX_VALUES:
        raise HeaderError(f"{listed} numbers in its directory")
    width, height = fields.get(_WIDTH, 0), fields.get(_HEIGHT, 0)
    tile_width, tile_length = fields.get(_TILE_WIDTH, 0), fields.get(_TILE_LENGTH, 0)
    if tile_width > 0 and tile_length > 0:
        width, height = -(-width // tile_width) * tile_width, -(-height // tile_length) * tile_length
    yield width, height


def _value(data: bytes, order: str, kind: int, at: int) -> int:
    layout = {3: "H", 4: "I", 16: "Q"}.get(kind)
    return int(struct.unpack_from(order + layout, data, at)[0]) if layout else 0
