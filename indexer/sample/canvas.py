"""The canvas for products: masks filled with colour or texture, lit from the upper left.

Light is computed at a quarter of the working size and applied by multiplying (shade) and screening (shine), so a
product of twenty parts takes a few hundredths of a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageFilter, ImageOps

from indexer.sample.palette import INK, Colour
from indexer.sample.shapes import SIDE, UNIT, Mask, Point, stroke

Fill: TypeAlias = Colour | Image.Image

_COARSE = 4
_COOL = tuple(round(255 * (value / 255) ** 0.9) for value in range(256))


@dataclass(frozen=True)
class Shade:
    """Light on a surface; every strength is a share of full brightness.

    ``edge`` and ``width`` (units): a rounded rim. ``barrel``: an upright cylinder. ``slope``: brighter above than
    below. ``gloss``: a highlight, as a strip on a barrel and as a spot elsewhere.
    """

    edge: float = 0.22
    width: float = 3.0
    barrel: float = 0.0
    slope: float = 0.10
    gloss: float = 0.0


FLAT = Shade(edge=0.0, slope=0.0)
SOFT = Shade()
CLOTH = Shade(edge=0.2, width=4.5, slope=0.14)
PUFFY = Shade(edge=0.34, width=8.0, slope=0.12)
GLAZE = Shade(edge=0.12, width=2.0, barrel=0.75, slope=0.06, gloss=0.3)
MATT_BARREL = Shade(edge=0.10, width=2.0, barrel=0.7, slope=0.06)
METAL = Shade(edge=0.3, width=1.5, barrel=0.6, gloss=0.45)
SHINY = Shade(edge=0.3, width=4.0, slope=0.12, gloss=0.35)


class Canvas:
    """A transparent square on which parts are painted, back to front."""

    def __init__(self) -> None:
        self._colour = Image.new("RGB", (SIDE, SIDE))
        self._cover = Image.new("L", (SIDE, SIDE), 0)

    def paint(self, mask: Mask, fill: Fill, shade: Shade = SOFT) -> None:
        """Fill ``mask`` with a colour or a full-size texture under ``shade``."""
        box = mask.getbbox()
        if box is None:
            return
        part = mask.crop(box)
        self._cover.paste(255, box, part)
        if shade == FLAT and not isinstance(fill, Image.Image):
            self._colour.paste(fill, box, part)
            return
        surface = fill.crop(box) if isinstance(fill, Image.Image) else Image.new("RGB", part.size, fill)
        if shade != FLAT:
            surface = _apply_light(surface, _light(part, shade))
        self._colour.paste(surface, box, part)

    def line(self, points: list[Point], width: float, colour: Colour, *, curved: bool = True) -> None:
        """Paint a stroke without shading, such as a seam or a lace."""
        self.paint(stroke(points, width, curved=curved), colour, FLAT)

    def stitch(self, points: list[Point], colour: Colour, *, dash: float = 1.3) -> None:
        """Paint a thin dashed line along the segments between ``points``."""
        for (x0, y0), (x1, y1) in pairwise(points):
            length = max(((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5, dash)
            count = int(length / (2 * dash))
            for i in range(count):
                a, b = i / count, (i + 0.5) / count
                ends = [(x0 + (x1 - x0) * t, y0 + (y1 - y0) * t) for t in (a, b)]
                self.line(ends, 0.4, colour, curved=False)

    def shadow(self, mask: Mask, amount: float = 0.35, *, blur: float = 2.0, dx: float = 1.0, dy: float = 1.5) -> None:
        """Paint the shadow of ``mask`` on earlier parts; call it before painting the part itself."""
        self._tint(mask, INK, amount, blur, (dx, dy))

    def glow(self, mask: Mask, colour: Colour, amount: float, *, blur: float = 4.0) -> None:
        """Tint earlier parts with a blurred patch of ``colour``, such as a fold or a reflection."""
        self._tint(mask, colour, amount, blur, (0.0, 0.0))

    def _tint(self, mask: Mask, colour: Colour, amount: float, blur: float, shift: Point) -> None:
        coarse = mask.reduce(_COARSE).filter(ImageFilter.GaussianBlur(blur * UNIT / _COARSE))
        coarse = ImageChops.offset(coarse, *(round(d * UNIT / _COARSE) for d in shift))
        box = coarse.getbbox()
        if box is None:
            return
        x0, y0, x1, y1 = (edge * _COARSE for edge in box)
        soft = coarse.crop(box).resize((x1 - x0, y1 - y0), Image.Resampling.BILINEAR)
        inside = ImageChops.darker(soft.point(lambda value: value * amount), self._cover.crop((x0, y0, x1, y1)))
        self._colour.paste(colour, (x0, y0, x1, y1), inside)

    def cut(self, mask: Mask) -> None:
        """Make ``mask`` transparent again (the opening of a frame)."""
        self._cover = ImageChops.subtract(self._cover, mask)
        self._colour.paste((0, 0, 0), (0, 0), mask)

    def render(self) -> Image.Image:
        """Render the product as RGBA at half the working size, antialiased by the reduction."""
        # Uncovered pixels are black, so the reduced colours are premultiplied with the reduced cover.
        bands = (*self._colour.reduce(2).split(), self._cover.reduce(2))
        return Image.merge("RGBa", bands).convert("RGBA")


def _light(part: Mask, shade: Shade) -> npt.NDArray[np.float32]:
    """Brightness in the part's box at coarse size, where 1 leaves the colour unchanged; float32, (height, width)."""
    width, height = (max(2, size // _COARSE) for size in part.size)
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    light = np.ones((height, width), np.float32) - shade.slope * y
    if shade.barrel:
        incidence = -0.45 * x + 0.9 * np.sqrt(np.maximum(0, 1 - x * x))
        light *= 1 - shade.barrel * (1 - (0.5 + 0.58 * incidence))
    if shade.gloss and shade.barrel:
        light += shade.gloss * np.exp(-(((x + 0.5) / 0.13) ** 2)) * np.exp(-((y / 0.95) ** 8))
    elif shade.gloss:
        light += shade.gloss * np.exp(-((x + 0.35) ** 2 / 0.10 + (y + 0.45) ** 2 / 0.07))
    if shade.edge:
        light += _rim(part.resize((width, height), Image.Resampling.BOX), shade)
    return light.astype(np.float32)


def _rim(small: Mask, shade: Shade) -> npt.NDArray[np.float32]:
    """Brighter where the outline faces the light, darker where it turns away and along the very edge."""
    radius = shade.width * UNIT / _COARSE
    shift = max(1, round(radius * 0.6))
    padded_cover = ImageOps.expand(small, border=2 * shift).filter(ImageFilter.GaussianBlur(radius))
    cover = np.asarray(padded_cover, np.float32) / np.float32(255)
    height, width = small.size[1], small.size[0]

    def shifted_cover(by: int) -> npt.NDArray[np.float32]:
        start = 2 * shift + by
        return cover[start : start + height, start : start + width]

    result: npt.NDArray[np.float32] = shade.edge * (
        shifted_cover(shift) - shifted_cover(-shift)
    ) - shade.edge * 0.55 * (1 - shifted_cover(0))
    return result


def _apply_light(surface: Image.Image, light: npt.NDArray[np.float32]) -> Image.Image:
    dark = Image.fromarray((np.clip(light, 0.0, 1.0) * 255).astype(np.uint8))
    dark = dark.resize(surface.size, Image.Resampling.BILINEAR)
    shaded_surface = ImageChops.multiply(surface, Image.merge("RGB", (dark, dark, dark.point(_COOL))))
    if float(light.max()) <= 1.0:
        return shaded_surface
    shine = Image.fromarray((np.clip(light - 1.0, 0.0, 0.9) * 255).astype(np.uint8))
    shine = shine.resize(surface.size, Image.Resampling.BILINEAR)
    return ImageChops.screen(shaded_surface, Image.merge("RGB", (shine, shine, shine)))
