"""Whether a file is a camera raw file, told by its content: .dng, .cr2, .cr3, .nef, .arw, .raf, .orf, .rw2, .pef, .srw.

Most are TIFFs whose first picture is a thumbnail of 160 pixels, so that a reader of TIFF would take that for the
photo. They are raw if a directory says that its samples are a colour filter array or linear raw, or holds a DNG
version.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

_SIGNATURES = re.compile(
    rb"FUJIFILMCCD-RAW|IIRO|IIRS|MMOR|IIU\x00|.{4}ftypcrx |FOVb|\x00MRM|(II\*\x00|MM\x00\*).{4}(CR|IIII|KDC)", re.DOTALL
)
_SUB_DIRECTORIES, _PHOTOMETRIC, _DNG_VERSION = 330, 262, 50706
_COLOUR_FILTER_ARRAY, _LINEAR_RAW = 32803, 34892
_MAX_DIRECTORIES, _MAX_ENTRIES = 32, 4096


def is_camera_raw(data: bytes) -> bool:
    """Whether ``data``, a whole file, is one."""
    if _SIGNATURES.match(data):
        return True
    if data[:4] not in (b"II*\x00", b"MM\x00*"):
        return False
    try:
        return any(
            tag == _DNG_VERSION or (tag == _PHOTOMETRIC and value in (_COLOUR_FILTER_ARRAY, _LINEAR_RAW))
            for tag, value in _first_values(data)
        )
    except struct.error:
        return False


def _first_values(data: bytes) -> Iterator[tuple[int, int]]:
    """Tag and first value of the entries of the first directories and of those below them, at most 32."""
    order = "<" if data[:2] == b"II" else ">"
    waiting = list(struct.unpack_from(order + "I", data, 4))
    visited: set[int] = set()
    while waiting and len(visited) < _MAX_DIRECTORIES:
        start = waiting.pop(0)
        if start in visited or not 0 < start <= len(data) - 2:
            continue
        visited.add(start)
        (count,) = struct.unpack_from(order + "H", data, start)
        for number in range(min(count, _MAX_ENTRIES)):
            offset = start + 2 + 12 * number
            tag, kind, length = struct.unpack_from(order + "HHI", data, offset)
            value_layout = {3: "H", 4: "I", 13: "I"}.get(kind, "B")
            yield tag, struct.unpack_from(order + value_layout, data, offset + 8)[0]
            if tag == _SUB_DIRECTORIES and value_layout == "I":
                place = offset + 8 if length == 1 else struct.unpack_from(order + "I", data, offset + 8)[0]
                waiting += struct.unpack_from(f"{order}{min(length, _MAX_DIRECTORIES)}I", data, place)
        waiting += struct.unpack_from(order + "I", data, start + 2 + 12 * count)
