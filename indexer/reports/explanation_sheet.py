"""Draws why two pictures are alike: both with their heat maps, and a bar for each part of the encoder."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from indexer.reports.contact_sheet import Bar, Tile, draw_bars, draw_montage
from lookalike.explanation import GRID, Explanation, Map

RGB = npt.NDArray[np.uint8]
SIDE = 320
_WARM = np.array([235, 70, 20], dtype=np.float32)


def overlaid(picture: RGB, heat: Map) -> RGB:
    """The picture faded to grey, coloured and warmer where ``heat`` (GRID, GRID), 0 to 1, is high."""
    height, width = picture.shape[:2]
    weight = _stretched(_stretched(heat, height).T, width).T[..., None]
    grey = picture.mean(axis=2, keepdims=True) * 0.45 + 140.0
    tinted = picture * (1 - 0.35 * weight) + _WARM * 0.35 * weight
    return np.asarray(np.clip(grey * (1 - weight) + tinted * weight, 0, 255), dtype=np.uint8)


def _stretched(heat: Map, length: int) -> Map:
    """The map with ``length`` rows, straight lines between its own."""
    at = np.clip((np.arange(length) + 0.5) / length * GRID - 0.5, 0, GRID - 1)
    below = np.minimum(at.astype(np.int64), GRID - 2)
    part = (at - below).astype(np.float32)[:, None]
    return np.asarray(heat[below] * (1 - part) + heat[below + 1] * part, dtype=np.float32)


def draw_explanation(first: Tile, second: Tile, found: Explanation, title: str) -> RGB:
    """The two pictures, below them the same under their heat maps, then the bars; uint8 RGB."""
    rows = [[first, second]]
    rows.append(
        [Tile(overlaid(tile.pixels, heat), tile.caption) for tile, heat in zip(rows[0], found.heat_maps, strict=True)]
    )
    sheet = draw_montage(rows, side=SIDE, title=title)
    bars = [Bar(words_of(part.name, len(found.parts)), part.score, f"adds {part.share:+.3f}") for part in found.parts]
    return np.vstack([sheet, draw_bars(bars, width=sheet.shape[1])])


def words_of(name: str, parts: int) -> str:
    """A part's name for people: what a stage of its depth tends to see."""
    if name == "colour":
        return "colour"
    number = int(name.rpartition("-")[2])
    seen = {1: "texture and edges", 2: "patterns", 3: "parts", 4: "objects", 5: "kinds of object"}.get(number)
    return f"stage {number}: {seen}" if seen and parts >= 4 else f"stage {number}"
