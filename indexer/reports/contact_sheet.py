"""Contact sheets: rows of captioned pictures that show the results of searches.

The first tile of a row is the query and has a frame; its neighbours follow with their scores. Sheets are arrays; the
caller encodes and writes them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from lookalike.images import encode_jpeg, encode_png
from lookalike.storage import disk_errors, write_atomically

_Colour = tuple[int, int, int]
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

BACKGROUND: _Colour = (250, 250, 248)
_MAT: _Colour = (238, 238, 235)
_OUTLINE: _Colour = (214, 214, 210)
_INK: _Colour = (34, 36, 42)
_FAINT: _Colour = (112, 116, 124)
_QUERY: _Colour = (38, 84, 164)
_GOOD: _Colour = (44, 140, 84)
_BAD: _Colour = (200, 76, 56)

_MARGIN = 16
_GAP = 12
_LINE = 16
_MIN_SIDE = 32
_ELLIPSIS = "…"
_JPEG_QUALITY = 92
_MISSING_GLYPH = "\uffff"


@dataclass(frozen=True)
class Tile:
    """One picture of a sheet.

    ``pixels``: uint8 RGB, (height, width, 3), any size. ``caption`` and ``detail``: one line each, shorten to the
    tile's width. ``good``: whether a neighbour is right (green bar), wrong (red bar), or not judged (no bar).
    """

    pixels: npt.NDArray[np.uint8]
    caption: str
    detail: str = ""
    good: bool | None = None


@dataclass(frozen=True)
class Bar:
    """A named ``value`` in [-1, 1], drawn as a bar, with ``detail`` after it."""

    name: str
    value: float
    detail: str = ""


def draw_bars(bars: Sequence[Bar], *, width: int) -> npt.NDArray[np.uint8]:
    """Draw a line for each bar, to go below a montage of that ``width``; uint8 RGB, (height, width, 3)."""
    line = 26
    sheet = Image.new("RGB", (width, len(bars) * line + _MARGIN), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    font, left, right = ImageFont.load_default(13), round(width * 0.3), round(width * 0.72)
    for row, bar in enumerate(bars):
        top = row * line
        name = shorten(replace_missing_glyphs(bar.name), font, left - 2 * _MARGIN)
        draw.text((_MARGIN, top + 4), name, fill=_INK, font=font)
        draw.rectangle((left, top + 5, right, top + 19), fill=_MAT)
        end = left + round((right - left) * min(1.0, abs(bar.value)))
        draw.rectangle((left, top + 5, max(left + 1, end), top + 19), fill=_GOOD if bar.value >= 0 else _BAD)
        draw.text(
            (right + 8, top + 4), replace_missing_glyphs(f"{bar.value:+.3f}  {bar.detail}"), fill=_FAINT, font=font
        )
    return np.asarray(sheet, np.uint8).copy()


def draw_montage(rows: Sequence[Sequence[Tile]], *, side: int = 160, title: str | None = None) -> npt.NDArray[np.uint8]:
    """Lay out ``rows`` of tiles, each picture fitted into ``side`` × ``side`` pixels without distortion.

    Rows may differ in length. Returns uint8 RGB, (height, width, 3). Raises ValueError if there is no row, a row has
    no tile, ``side`` is below 32, or a tile's pixels are not uint8 RGB.
    """
    _check(rows, side)
    head = 36 if title else 0
    foot = 2 * _LINE + 8
    columns = max(len(row) for row in rows)
    width = 2 * _MARGIN + columns * side + (columns - 1) * _GAP
    height = 2 * _MARGIN + head + len(rows) * (side + foot) + (len(rows) - 1) * _GAP
    sheet = Image.new("RGB", (width, height), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    if title:
        font = ImageFont.load_default(20)
        draw.text(
            (_MARGIN, _MARGIN - 2),
            shorten(replace_missing_glyphs(title), font, width - 2 * _MARGIN),
            fill=_INK,
            font=font,
        )
    for r, row in enumerate(rows):
        for c, tile in enumerate(row):
            corner = (_MARGIN + c * (side + _GAP), _MARGIN + head + r * (side + foot + _GAP))
            _draw_tile(sheet, draw, tile, corner, side, is_query=c == 0)
    return np.asarray(sheet, np.uint8).copy()


def write_picture(path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    """Write (h, w, 3) uint8 RGB as PNG, or as JPEG for the endings .jpg and .jpeg; raises as ``disk_errors`` does."""
    is_jpeg = path.suffix.lower() in {".jpg", ".jpeg"}
    with disk_errors(path):
        write_atomically(path, encode_jpeg(pixels, _JPEG_QUALITY) if is_jpeg else encode_png(pixels))


def shorten(text: str, font: _Font, width: float) -> str:
    """Put ``text`` on one line, cut with an ellipsis if it is wider than ``width`` pixels in ``font``.

    It is cut in the middle, since keys differ at their end; a path loses its first folders.
    """
    line = " ".join(text.split())
    if font.getlength(line) <= width:
        return line
    low, high = 0, len(line)
    while low < high:
        middle = (low + high + 1) // 2
        if font.getlength(_cut(line, middle)) <= width:
            low = middle
        else:
            high = middle - 1
    return _cut(line, low)


def _cut(line: str, length: int) -> str:
    """``length`` characters of a line: the last ones of a path, else as many of its begin as of its end."""
    head = 0 if "/" in line else (length + 1) // 2
    tail = length - head
    return line[:head].rstrip() + _ELLIPSIS + (line[-tail:].lstrip() if tail else "")


def replace_missing_glyphs(text: str) -> str:
    """Replace characters that the built-in font lacks: accents are dropped, others become "?"."""
    return "".join(_available_character(character) for character in text)


@lru_cache(maxsize=4096)
def _available_character(character: str) -> str:
    font = ImageFont.load_default(24)
    for candidate in (character, unicodedata.normalize("NFKD", character)[0]):
        if candidate.isspace() or bytes(font.getmask(candidate)) != bytes(font.getmask(_MISSING_GLYPH)):
            return candidate
    return "?"


def _check(rows: Sequence[Sequence[Tile]], side: int) -> None:
    if side < _MIN_SIDE:
        raise ValueError(f"a tile's side must be at least {_MIN_SIDE} pixels, not {side}")
    if not rows:
        raise ValueError("a montage needs at least one row of tiles")
    for number, row in enumerate(rows, start=1):
        if not row:
            raise ValueError(f"row {number} of the montage has no tile")
        for tile in row:
            if (
                tile.pixels.dtype != np.uint8
                or tile.pixels.ndim != 3
                or tile.pixels.shape[2] != 3
                or not tile.pixels.size
            ):
                raise ValueError(
                    f"tile {tile.caption!r} in row {number} must be uint8 RGB (height, width, 3), "
                    f"not {tile.pixels.dtype} {tile.pixels.shape}"
                )


def _draw_tile(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, tile: Tile, corner: tuple[int, int], side: int, *, is_query: bool
) -> None:
    x, y = corner
    box = (x, y, x + side - 1, y + side - 1)
    draw.rectangle(box, fill=_MAT)
    picture = Image.fromarray(tile.pixels)
    scale = side / max(picture.size)
    fitted_size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    picture = picture.resize(fitted_size, Image.Resampling.LANCZOS)
    sheet.paste(picture, (x + (side - fitted_size[0]) // 2, y + (side - fitted_size[1]) // 2))
    draw.rectangle(box, outline=_QUERY if is_query else _OUTLINE, width=4 if is_query else 1)
    if tile.good is not None:
        draw.rectangle((x, y + side - 5, x + side - 1, y + side - 1), fill=_GOOD if tile.good else _BAD)
    caption_font, detail_font = ImageFont.load_default(13), ImageFont.load_default(11)
    top = y + side + 4
    colour = _QUERY if is_query else _INK
    draw.text(
        (x + 1, top),
        shorten(replace_missing_glyphs(tile.caption), caption_font, side - 2),
        fill=colour,
        font=caption_font,
    )
    draw.text(
        (x + 1, top + _LINE + 1),
        shorten(replace_missing_glyphs(tile.detail), detail_font, side - 2),
        fill=_FAINT,
        font=detail_font,
    )
