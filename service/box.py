"""The part of a picture that a request asks for: four fractions of the upright picture's sides."""

from __future__ import annotations

import json

from lookalike.encoder.base import RGB

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1, from 0 to 1."""
WHOLE_PICTURE: Box = (0.0, 0.0, 1.0, 1.0)


def parse_box(value: object) -> object:
    """``x0,y0,x1,y1``, or a JSON list of these, as four numbers; raises ValueError unless they are a part's corners."""
    if not isinstance(value, str):
        return value
    try:
        words = json.loads(value) if value.startswith("[") else value.split(",", 4)
        left, top, right, bottom = (float(word) for word in words)
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        raise ValueError("must be four numbers, x0,y0,x1,y1, such as 0.1,0.2,0.9,0.8") from error
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ValueError("must lie in the picture: 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1")
    return left, top, right, bottom


def crop(pixels: RGB, box: Box) -> RGB:
    """The part of (h, w, 3) pixels inside a box, a view; at least one pixel of it."""
    height, width = pixels.shape[:2]
    left, top = min(int(box[0] * width), width - 1), min(int(box[1] * height), height - 1)
    right, bottom = max(left + 1, round(box[2] * width)), max(top + 1, round(box[3] * height))
    return pixels[top:bottom, left:right]
