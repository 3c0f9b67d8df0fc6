"""Plant pots, each with its plant."""

from __future__ import annotations

import math

from indexer.sample.canvas import CLOTH, FLAT, MATT_BARREL, SOFT, Canvas, Shade
from indexer.sample.look import Kind, Look
from indexer.sample.palette import LEAF, Colour, darker, lighter, mix
from indexer.sample.shapes import (
    Point,
    band,
    ellipse,
    intersection,
    polygon,
    revolve,
    rounded_box,
    smooth,
    stroke,
    union,
)


def _planter(canvas: Canvas, look: Look) -> None:
    top, half = 56.0, look.jitter(21, 0.08)
    foot = half * look.rng.choice((0.66, 0.8, 0.97))
    soil = ellipse(50, top, half - 1, half * 0.16)
    green = mix(LEAF, look.rng.choice(((30, 90, 70), (120, 160, 70), (60, 110, 60))), 0.5)
    profile: list[Point] = [(half, top), (half, top), ((half + foot) / 2 + 0.6, 74), (foot, 92)]
    body = revolve(50, profile, sag=0.14)
    canvas.paint(ellipse(50, top, half, half * 0.17), lighter(look.main, 0.2), SOFT)
    canvas.paint(soil, (70, 52, 42), FLAT)
    if look.variant == "with cactus":
        _cactus(canvas, look, green)
    elif look.variant == "with fern":
        _leaves(canvas, look, green, count=15, length=36, width=3.6)
    elif look.variant == "with rubber plant":
        _leaves(canvas, look, darker(green, 0.2), count=9, length=34, width=11)
    else:
        _leaves(canvas, look, lighter(green, 0.15), count=11, length=44, width=5.5, spread=0.55)
    canvas.paint(body, look.cloth(), MATT_BARREL)
    if foot < half * 0.9:
        rim = intersection(
            revolve(50, [(half + 1.6, top), (half + 1.2, top + 8)], curved=False, sag=0.14),
            band(top, 100, bow=half * 0.15),
        )
        canvas.shadow(rim, 0.3, blur=1, dx=0, dy=1.4)
        canvas.paint(rim, look.main if look.rng.random() < 0.6 else look.accent, MATT_BARREL)
    look.brand(canvas, 50, 78, 6.5)


def _leaves(
    canvas: Canvas, look: Look, green: Colour, *, count: int, length: float, width: float, spread: float = 1.2
) -> None:
    """A fan of leaves from the soil, the outer ones first."""
    angles = sorted((spread * (2 * i / (count - 1) - 1) for i in range(count)), key=lambda angle: -abs(angle))
    for angle in angles:
        reach = look.jitter(length, 0.16) * (1 - 0.12 * abs(angle))
        bend = angle * 0.45

        def at(t: float, side: float, turn: float = angle, curl: float = bend, span: float = reach) -> Point:
            a = turn + curl * t
            x = 50 + 5 * turn + span * t * math.sin(a)
            y = 57 - span * t * math.cos(a)
            return x + side * math.cos(a), y + side * math.sin(a)

        blade = smooth(
            [
                at(0, 0),
                at(0.35, -width * 0.5),
                at(0.7, -width * 0.5),
                at(1, 0),
                at(1, 0),
                at(0.7, width * 0.5),
                at(0.35, width * 0.5),
            ]
        )
        tone = mix(green, look.rng.choice((lighter(green, 0.35), darker(green, 0.35))), look.rng.uniform(0.1, 0.8))
        canvas.paint(blade, tone, Shade(edge=0.3, width=width * 0.4, slope=0.15))
        canvas.line([at(0.05, 0), at(0.5, 0), at(0.93, 0)], 0.45, lighter(tone, 0.25))


def _cactus(canvas: Canvas, look: Look, green: Colour) -> None:
    half = look.jitter(9, 0.12)
    arm = Shade(edge=0.35, width=3)
    canvas.paint(stroke([(50 + half - 2, 44), (50 + half + 8, 43), (50 + half + 9, 33)], 6.5), green, arm)
    canvas.paint(stroke([(50 - half + 2, 38), (50 - half - 7, 37), (50 - half - 8, 26)], 6), green, arm)
    trunk = rounded_box(50 - half, 14, 50 + half, 60, half)
    canvas.paint(trunk, green, Shade(edge=0.2, width=3, barrel=0.6))
    for i in range(-2, 3):
        x = 50 + i * half * 0.36
        canvas.line([(x, 20 + 1.5 * abs(i)), (x, 55)], 0.5, lighter(green, 0.3), curved=False)
    canvas.paint(union(ellipse(47, 14, 3), ellipse(53, 14, 3), ellipse(50, 11.5, 3)), look.accent, CLOTH)
    canvas.paint(polygon([(49, 15), (51, 15), (50, 12)]), (255, 220, 120), FLAT)


KINDS = (
    Kind(
        "plant-pot",
        "plant pot",
        ("with cactus", "with fern", "with rubber plant", "with snake plant"),
        ("plain", "striped", "dotted", "checked", "zigzag", "wavy", "speckled", "two-tone"),
        (9, 49),
        "standing",
        _planter,
    ),
)
