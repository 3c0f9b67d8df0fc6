"""When and with what a photograph was taken, by its EXIF data."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from PIL import Image

from lookalike.images.guards import ignore_pillow_warnings
from lookalike.images.pillow_errors import FOREIGN_ERRORS

_MAKE, _MODEL, _EXIF_FOLDER = 0x010F, 0x0110, 0x8769
_TAKEN, _FRACTION = 0x9003, 0x9291
"""DateTimeOriginal and SubSecTimeOriginal of the EXIF 2.3 specification."""
_HEAD = 1 << 18
"""Bytes at the start of a file in which the name of the EXIF data must be for it to be read."""


@dataclass(frozen=True, slots=True)
class Capture:
    """``taken_at`` is in seconds since 1970 by the camera's clock, None if unknown; ``camera`` is maker and model."""

    taken_at: float | None
    camera: str


UNKNOWN_CAPTURE = Capture(None, "")


def read_capture(data: bytes) -> Capture:
    """What the EXIF data of a file says, `UNKNOWN_CAPTURE` where there is none or it cannot be parsed."""
    if re.search(rb"Exif|eXIf|EXIF|II\*\0|MM\0\*", data[:_HEAD]) is None:
        return UNKNOWN_CAPTURE
    try:
        with ignore_pillow_warnings(), Image.open(io.BytesIO(data)) as image:
            exif = image.getexif()
            taken = exif.get_ifd(_EXIF_FOLDER)
            words = (_text(exif.get(tag)) for tag in (_MAKE, _MODEL))
            return Capture(
                _seconds(_text(taken.get(_TAKEN)), _text(taken.get(_FRACTION))), " ".join(filter(None, words))
            )
    except FOREIGN_ERRORS:
        return UNKNOWN_CAPTURE


def _text(value: Any) -> str:
    return value.strip("\0 ") if isinstance(value, str) else ""


def _seconds(date: str, fraction: str) -> float | None:
    try:
        whole = datetime.strptime(date, "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
    return whole + (float(f"0.{fraction}") if fraction.isdecimal() else 0.0)
