"""Shapes as masks: each function draws one filled shape on an 'L' image of the working size.

Coordinates are in units of a hundredth of the square canvas, x to the right and y down. Nothing is antialiased
here: the canvas is drawn at twice its final size and reduced once, when the product is finished.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Protocol

from PIL import Image, ImageChops, ImageDraw

UNIT = 9
"""Working pixels per unit."""

SIDE = 100 * UNIT
"""Side of the working canvas in pixels."""

Point = tuple[float, float]
Mask = Image.Image


class _Draws(Protocol):
    def __call__(self, draw: ImageDraw.ImageDraw) -> None: ...


def _mask(drawer: _Draws) -> Mask:
    mask = Image.new("L", (SIDE, SIDE), 0)
    drawer(ImageDraw.Draw(mask))
    return mask


def pixels(points: Iterable[Point]) -> list[Point]:
    """Units to working pixels."""
    return [(x * UNIT, y * UNIT) for x, y in points]


def spline(points: Sequence[Point], *, closed: bool = True, steps: int = 10) -> list[Point]:
    """A uniform Catmull-Rom curve through ``points``; a point given twice in a row is a sharp corner."""
    count = len(points)
    curve: list[Point] = []
    for i in range(count if closed else count - 1):
        if closed:
            p0, p1, p2, p3 = (points[(i + k) % count] for k in (-1, 0, 1, 2))
        else:
            p0, p1, p2, p3 = (points[min(max(i + k, 0), count - 1)] for k in (-1, 0, 1, 2))
        if p1 == p2:
            continue
        for step in range(steps):
            t = step / steps
            x, y = (
                0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t**3)
                for a, b, c, d in zip(p0, p1, p2, p3, strict=True)
            )
            curve.append((x, y))
    if not closed:
        curve.append(points[-1])
    return curve


def polygon(points: Sequence[Point]) -> Mask:
    """A shape with straight sides."""
    return _mask(lambda draw: draw.polygon(pixels(points), fill=255))


def smooth(points: Sequence[Point]) -> Mask:
    """A closed shape with curved sides (see ``spline``)."""
    return polygon(spline(points))


def ellipse(cx: float, cy: float, rx: float, ry: float | None = None) -> Mask:
    """An upright ellipse; a circle without ``ry``."""
    vertical = rx if ry is None else ry
    low, high = pixels([(cx - rx, cy - vertical), (cx + rx, cy + vertical)])
    return _mask(lambda draw: draw.ellipse((*low, *high), fill=255))


def rounded_box(x0: float, y0: float, x1: float, y1: float, radius: float = 3) -> Mask:
    """A box with round corners."""
    low, high = pixels([(x0, y0), (x1, y1)])
    return _mask(lambda draw: draw.rounded_rectangle((*low, *high), radius=radius * UNIT, fill=255))


def stroke(points: Sequence[Point], width: float, *, curved: bool = True, closed: bool = False) -> Mask:
    """A line of even width with round ends and joints."""
    path = pixels(spline(points, closed=closed)) if curved else pixels(points)
    if closed:
        path.append(path[0])
    thick = max(1, round(width * UNIT))

    def drawer(draw: ImageDraw.ImageDraw) -> None:
        draw.line(path, fill=255, width=thick, joint="curve")
        radius = thick / 2
        for x, y in (path[0], path[-1]):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)

    return _mask(drawer)


def taper(points: Sequence[Point], start: float, end: float) -> Mask:
    """A curved line whose width runs evenly from ``start`` to ``end`` (a spout, a leaf's stalk)."""
    path = pixels(spline(points, closed=False, steps=24))

    def drawer(draw: ImageDraw.ImageDraw) -> None:
        for i, (x, y) in enumerate(path):
            radius = (start + (end - start) * i / (len(path) - 1)) * UNIT / 2
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)

    return _mask(drawer)


def revolve(cx: float, profile: Sequence[Point], *, curved: bool = True, sag: float = 0.12) -> Mask:
    """A body of revolution seen slightly from above.

    ``profile`` lists (half width, y) from top to bottom. ``sag`` is how deep the round foot bulges, as a share of
    its half width.
    """
    side = spline(profile, closed=False) if curved else list(profile)
    outline = [(cx + half, y) for half, y in side] + [(cx - half, y) for half, y in reversed(side)]
    foot, bottom = profile[-1]
    return union(polygon(outline), ellipse(cx, bottom, foot, max(foot * sag, 0.1)))


def star(cx: float, cy: float, radius: float, *, points: int = 5, inner: float = 0.45) -> Mask:
    """A star that stands on two of its points."""
    return polygon(star_outline(cx, cy, radius, points=points, inner=inner))


def star_outline(cx: float, cy: float, radius: float, *, points: int, inner: float) -> list[Point]:
    """Corners of a star, in units."""
    corners: list[Point] = []
    for i in range(2 * points):
        reach = radius if i % 2 == 0 else radius * inner
        angle = math.pi * i / points - math.pi / 2
        corners.append((cx + reach * math.cos(angle), cy + reach * math.sin(angle)))
    return corners


def union(*masks: Mask) -> Mask:
    """The union of ``masks``."""
    result = masks[0]
    for mask in masks[1:]:
        result = ImageChops.lighter(result, mask)
    return result


def difference(mask: Mask, *holes: Mask) -> Mask:
    """``mask`` without ``holes``."""
    result = mask
    for hole in holes:
        result = ImageChops.subtract(result, hole)
    return result


def intersection(first: Mask, second: Mask) -> Mask:
    """The intersection of two masks."""
    return ImageChops.darker(first, second)


def mirror(mask: Mask) -> Mask:
    """The mask flipped left to right about the middle of the canvas."""
    return mask.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def band(y0: float, y1: float, *, bow: float = 0.0) -> Mask:
    """A strip across the whole canvas, its edges bowed down by ``bow`` in the middle, as on a round body."""
    xs = [100 * i / 20 for i in range(21)]
    sag = [bow * (1 - ((x - 50) / 50) ** 2) for x in xs]
    upper = [(x, y0 + s) for x, s in zip(xs, sag, strict=True)]
    lower = [(x, y1 + s) for x, s in zip(xs, sag, strict=True)]
    return polygon(upper + lower[::-1])
