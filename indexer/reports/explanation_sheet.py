"""Explanation sheets: two pictures with their heat maps, and a bar for each part of the encoder."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from indexer.reports.contact_sheet import Bar, Tile, draw_bars, draw_montage
from lookalike.explanation import GRID, Explanation, Map

RGB = npt.NDArray[np.uint8]
SIDE = 320
_WARM = np.array([235, 70, 20], dtype=np.float32)


def overlay_heat_map(picture: RGB, heat: Map) -> RGB:
    """Blend the picture: grey where ``heat`` (GRID, GRID), 0 to 1, is low, in warm colours where it is high."""
    height, width = picture.shape[:2]
    weight = _interpolate_rows(_interpolate_rows(heat, height).T, width).T[..., None]
    grey = picture.mean(axis=2, keepdims=True) * 0.45 + 140.0
    tinted_picture = picture * (1 - 0.35 * weight) + _WARM * 0.35 * weight
    return np.asarray(np.clip(grey * (1 - weight) + tinted_picture * weight, 0, 255), dtype=np.uint8)


def _interpolate_rows(heat: Map, length: int) -> Map:
    """Resize the map to ``length`` rows by linear interpolation."""
    positions = np.clip((np.arange(length) + 0.5) / length * GRID - 0.5, 0, GRID - 1)
    lower_rows = np.minimum(positions.astype(np.int64), GRID - 2)
    fraction = (positions - lower_rows).astype(np.float32)[:, None]
    return np.asarray(heat[lower_rows] * (1 - fraction) + heat[lower_rows + 1] * fraction, dtype=np.float32)


def draw_explanation(first: Tile, second: Tile, explanation: Explanation, title: str) -> RGB:
    """Draw two pictures, their heat map overlays below them, then the bars; uint8 RGB (height, width, 3)."""
    rows = [[first, second]]
    rows.append(
        [
            Tile(overlay_heat_map(tile.pixels, heat), tile.caption)
            for tile, heat in zip(rows[0], explanation.heat_maps, strict=True)
        ]
    )
    sheet = draw_montage(rows, side=SIDE, title=title)
    bars = [
        Bar(words_of(part.name, len(explanation.parts)), part.score, f"adds {part.share:+.3f}")
        for part in explanation.parts
    ]
    return np.vstack([sheet, draw_bars(bars, width=sheet.shape[1])])


def words_of(name: str, parts: int) -> str:
    """A readable name of an encoder's part: what a stage of that depth tends to respond to."""
    if name == "colour":
        return "colour"
    number = int(name.rpartition("-")[2])
    stage_words = {1: "texture and edges", 2: "patterns", 3: "parts", 4: "objects", 5: "kinds of object"}.get(number)
    return f"stage {number}: {stage_words}" if stage_words and parts >= 4 else f"stage {number}"
