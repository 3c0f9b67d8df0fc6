"""Printed and woven patterns as full-size textures, and small marks as logos."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from PIL import Image, ImageDraw

from indexer.sample.palette import Colour, mix
from indexer.sample.shapes import (
    SIDE,
    UNIT,
    Mask,
    Point,
    difference,
    ellipse,
    polygon,
    smooth,
    spline,
    star,
    stroke,
    taper,
    union,
)

_Drawer = Callable[[ImageDraw.ImageDraw, Colour, Colour, random.Random], None]


def _stripes(draw: ImageDraw.ImageDraw, _: Colour, accent: Colour, rng: random.Random) -> None:
    pitch = rng.uniform(5.5, 12) * UNIT
    share = rng.uniform(0.3, 0.55)
    start = rng.uniform(0, pitch)
    for i in range(-1, int(SIDE / pitch) + 1):
        top = start + i * pitch
        draw.rectangle((0, top, SIDE, top + pitch * share), fill=accent)


def _pinstripes(draw: ImageDraw.ImageDraw, _: Colour, accent: Colour, rng: random.Random) -> None:
    pitch = rng.uniform(3.5, 6) * UNIT
    for i in range(int(SIDE / pitch) + 1):
        draw.rectangle((i * pitch, 0, i * pitch + 0.18 * pitch, SIDE), fill=accent)


def _diagonals(draw: ImageDraw.ImageDraw, _: Colour, accent: Colour, rng: random.Random) -> None:
    pitch = rng.uniform(9, 15) * UNIT
    lean = rng.choice((-1, 1)) * SIDE
    for i in range(int(-SIDE / pitch) - 1, int(2 * SIDE / pitch) + 1):
        x = i * pitch
        draw.polygon([(x, 0), (x + pitch * 0.42, 0), (x + pitch * 0.42 + lean, SIDE), (x + lean, SIDE)], fill=accent)


def _dots(draw: ImageDraw.ImageDraw, _: Colour, accent: Colour, rng: random.Random) -> None:
    pitch = rng.uniform(7, 12) * UNIT
    radius = pitch * rng.uniform(0.2, 0.3)
    for row in range(int(SIDE / (pitch * 0.866)) + 2):
        for column in range(int(SIDE / pitch) + 2):
            x, y = (column + 0.5 * (row % 2)) * pitch, row * pitch * 0.866
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=accent)


def _checks(draw: ImageDraw.ImageDraw, main: Colour, accent: Colour, rng: random.Random) -> None:
    pitch = rng.uniform(8, 13) * UNIT
    half = mix(main, accent, 0.5)
    count = int(SIDE / pitch) + 1
    for i in range(count):
        draw.rectangle((i * pitch, 0, (i + 0.5) * pitch, SIDE), fill=half)
        draw.rectangle((0, i * pitch, SIDE, (i + 0.5) * pitch), fill=half)
    for row in range(count):
        for column in range(count):
            x, y = column * pitch, row * pitch
            draw.rectangle((x, y, x + pitch * 0.5, y + pitch * 0.5), fill=accent)


def _zigzag(draw: ImageDraw.ImageDraw, _: Colour, accent: Colour, rng: random.Random) -> None:
    pitch = rng.uniform(9, 14) * UNIT
    wave = pitch * 0.6
    for row in range(-1, int(SIDE / pitch) + 1):
        points = [(i * wave, row * pitch + (wave if i % 2 else 0)) for i in range(int(SIDE / wave) + 2)]
        draw.line(points, fill=accent, width=int(pitch * 0.36), joint="curve")


def _waves(draw: ImageDraw.ImageDraw, _: Colour, accent: Colour, rng: random.Random) -> None:
    pitch = rng.uniform(7, 11) * UNIT
    length = pitch * rng.uniform(1.8, 2.6)
    for row in range(-1, int(SIDE / pitch) + 2):
        points = [
            (float(x), row * pitch + pitch * 0.28 * math.sin(2 * math.pi * x / length)) for x in range(0, SIDE + 12, 12)
        ]
        draw.line(points, fill=accent, width=int(pitch * 0.3), joint="curve")


def _speckles(draw: ImageDraw.ImageDraw, _: Colour, accent: Colour, rng: random.Random) -> None:
    for _index in range(520):
        x, y = rng.uniform(0, SIDE), rng.uniform(0, SIDE)
        radius = UNIT * rng.choice((0.3, 0.4, 0.55, 0.9))
        draw.ellipse((x - radius, y - radius * 0.8, x + radius, y + radius * 0.8), fill=accent)


def _two_tone(draw: ImageDraw.ImageDraw, _: Colour, accent: Colour, rng: random.Random) -> None:
    level = rng.uniform(0.46, 0.58) * SIDE
    lean = rng.choice((0.0, 0.0, 0.18, -0.18)) * SIDE
    draw.polygon([(0, level - lean), (SIDE, level + lean), (SIDE, SIDE), (0, SIDE)], fill=accent)


def _flowers(draw: ImageDraw.ImageDraw, main: Colour, accent: Colour, rng: random.Random) -> None:
    pitch = rng.uniform(12, 16) * UNIT
    heart = mix(main, (255, 214, 90), 0.75)
    for row in range(int(SIDE / pitch) + 2):
        for column in range(int(SIDE / pitch) + 2):
            x = (column + 0.5 * (row % 2)) * pitch + rng.uniform(-0.12, 0.12) * pitch
            y = row * pitch + rng.uniform(-0.12, 0.12) * pitch
            turn, petal = rng.uniform(0, math.pi), pitch * 0.16
            for k in range(5):
                px = x + petal * 1.15 * math.cos(turn + k * 2 * math.pi / 5)
                py = y + petal * 1.15 * math.sin(turn + k * 2 * math.pi / 5)
                draw.ellipse((px - petal, py - petal, px + petal, py + petal), fill=accent)
            draw.ellipse((x - petal * 0.6, y - petal * 0.6, x + petal * 0.6, y + petal * 0.6), fill=heart)


def _plain(_: ImageDraw.ImageDraw, __: Colour, ___: Colour, ____: random.Random) -> None:
    return


_DRAWERS: dict[str, _Drawer] = {
    "plain": _plain,
    "striped": _stripes,
    "pinstriped": _pinstripes,
    "diagonal": _diagonals,
    "dotted": _dots,
    "checked": _checks,
    "zigzag": _zigzag,
    "wavy": _waves,
    "speckled": _speckles,
    "two-tone": _two_tone,
    "floral": _flowers,
}

PATTERNS = tuple(_DRAWERS)
"""Names of all patterns; titles begin with them."""


def texture(pattern: str, main: Colour, accent: Colour, rng: random.Random) -> Image.Image:
    """An RGB image of the working size in ``main``, with ``pattern`` printed in ``accent``."""
    image = Image.new("RGB", (SIDE, SIDE), main)
    _DRAWERS[pattern](ImageDraw.Draw(image), main, accent, rng)
    return image


def _ring_mark(cx: float, cy: float, r: float) -> Mask:
    return difference(ellipse(cx, cy, r), ellipse(cx, cy, r * 0.55))


def _peaks_mark(cx: float, cy: float, r: float) -> Mask:
    def peak(x: float, height: float) -> Mask:
        return polygon([(x - height, cy + r * 0.7), (x, cy + r * 0.7 - 1.5 * height), (x + height, cy + r * 0.7)])

    return union(peak(cx - r * 0.35, r * 0.65), peak(cx + r * 0.3, r * 0.9))


def _wave_mark(cx: float, cy: float, r: float) -> Mask:
    def wave(y: float) -> Mask:
        points: list[Point] = [(cx - r + r * i / 2, y + (r * 0.25 if i % 2 else -r * 0.25)) for i in range(5)]
        return stroke(points, r * 0.28)

    return union(wave(cy - r * 0.4), wave(cy + r * 0.35))


def _leaf_mark(cx: float, cy: float, r: float) -> Mask:
    blade = smooth([(cx, cy - r), (cx, cy - r), (cx + r * 0.7, cy), (cx, cy + r), (cx, cy + r), (cx - r * 0.7, cy)])
    return difference(blade, taper([(cx, cy - r * 0.5), (cx, cy + r * 0.2), (cx, cy + r)], r * 0.05, r * 0.2))


def _diamond_mark(cx: float, cy: float, r: float) -> Mask:
    def square(reach: float) -> Mask:
        return polygon([(cx, cy - reach), (cx + reach, cy), (cx, cy + reach), (cx - reach, cy)])

    return union(difference(square(r), square(r * 0.66)), square(r * 0.36))


def _bars_mark(cx: float, cy: float, r: float) -> Mask:
    heights = (0.5, 1.0, 0.7)
    return union(
        *(
            stroke([(cx + (i - 1) * r * 0.7, cy + r), (cx + (i - 1) * r * 0.7, cy + r - 2 * r * h)], r * 0.4)
            for i, h in enumerate(heights)
        )
    )


def _sun_mark(cx: float, cy: float, r: float) -> Mask:
    rays = [
        stroke(
            [(cx + 0.72 * r * math.cos(a), cy + 0.72 * r * math.sin(a)), (cx + r * math.cos(a), cy + r * math.sin(a))],
            r * 0.16,
        )
        for a in (i * math.pi / 4 for i in range(8))
    ]
    return union(ellipse(cx, cy, r * 0.5), *rays)


def _heart_mark(cx: float, cy: float, r: float) -> Mask:
    right = [(0.0, -0.45), (0.45, -0.9), (0.95, -0.5), (0.75, 0.15)]
    outline = [(0.0, -0.45), *right, (0.0, 0.95), (0.0, 0.95), *[(-x, y) for x, y in reversed(right[1:])]]
    return polygon(spline([(cx + r * x, cy + r * y) for x, y in outline]))


_MARKS: tuple[Callable[[float, float, float], Mask], ...] = (
    _ring_mark,
    _peaks_mark,
    _wave_mark,
    _leaf_mark,
    _diamond_mark,
    _bars_mark,
    _sun_mark,
    _heart_mark,
    star,
)


def mark(choice: int, cx: float, cy: float, radius: float) -> Mask:
    """The logo number ``choice`` (any whole number) about (cx, cy)."""
    return _MARKS[choice % len(_MARKS)](cx, cy, radius)
