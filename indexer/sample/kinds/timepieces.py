"""Watches and clocks, which share hands and hour marks."""

from __future__ import annotations

import math

from indexer.sample.canvas import FLAT, METAL, SHINY, SOFT, Canvas, Shade
from indexer.sample.look import Kind, Look
from indexer.sample.palette import BRASS, INK, OAK, STEEL, WALNUT, WHITE, Colour, darker, lighter, luminance, mix
from indexer.sample.pattern import mark
from indexer.sample.shapes import (
    Mask,
    Point,
    ellipse,
    intersection,
    polygon,
    rounded_box,
    smooth,
    stroke,
    union,
)

_METAL_RING = Shade(edge=0.5, width=1.6, slope=0.25)


def _hand(angle: float, length: float, cx: float, cy: float) -> list[Point]:
    """A clock hand's two ends; ``angle`` in turns from twelve o'clock."""
    a = 2 * math.pi * angle
    tail = length * 0.18
    return [(cx - tail * math.sin(a), cy + tail * math.cos(a)), (cx + length * math.sin(a), cy - length * math.cos(a))]


def _hour_marks(cx: float, cy: float, reach: float, *, width: float, every: int = 1) -> Mask:
    """Twelve (or every n-th of twelve) short strokes towards the middle."""
    marks: list[Mask] = []
    for hour in range(0, 12, every):
        a = 2 * math.pi * hour / 12
        inner = reach * (0.82 if hour % 3 == 0 else 0.88)
        ends = [(cx + r * math.sin(a), cy - r * math.cos(a)) for r in (inner, reach)]
        marks.append(stroke(ends, width if hour % 3 == 0 else width * 0.6, curved=False))
    return union(*marks)


def _strap(canvas: Canvas, look: Look, strap_half: float) -> None:
    strap = smooth(
        [
            (50 - strap_half * 0.8, 2),
            (50 - strap_half * 0.8, 2),
            (50 + strap_half * 0.8, 2),
            (50 + strap_half * 0.8, 2),
            (50 + strap_half, 30),
            (50 + strap_half, 70),
            (50 + strap_half * 0.8, 98),
            (50 + strap_half * 0.8, 98),
            (50 - strap_half * 0.8, 98),
            (50 - strap_half * 0.8, 98),
            (50 - strap_half, 70),
            (50 - strap_half, 30),
        ]
    )
    canvas.paint(strap, look.cloth(), Shade(edge=0.25, width=3, barrel=0.25))
    if look.pattern == "plain":
        for x in (50 - strap_half * 0.72, 50 + strap_half * 0.72):
            canvas.stitch([(x, 4), (x, 30)], lighter(look.main, 0.45))
            canvas.stitch([(x, 70), (x, 96)], lighter(look.main, 0.45))
    for y in (78, 83.5, 89):
        canvas.paint(ellipse(50, y, 1.1, 1.4), darker(look.main, 0.65), FLAT)


def _case(variant: str, r: float) -> tuple[Mask, Mask]:
    """Outlines of a watch's case and of the glass in it."""
    if variant == "square":
        body, glass = (
            rounded_box(50 - r, 50 - r, 50 + r, 50 + r, 6),
            rounded_box(50 - r + 3, 50 - r + 3, 50 + r - 3, 50 + r - 3, 4),
        )
    elif variant == "tonneau":
        body = smooth(
            [
                (50 - r * 0.75, 50 - r * 1.2),
                (50, 50 - r * 1.26),
                (50 + r * 0.75, 50 - r * 1.2),
                (50 + r, 50),
                (50 + r * 0.75, 50 + r * 1.2),
                (50, 50 + r * 1.26),
                (50 - r * 0.75, 50 + r * 1.2),
                (50 - r, 50),
            ]
        )
        glass = ellipse(50, 50, r - 3, r * 1.08)
    else:
        body, glass = ellipse(50, 50, r), ellipse(50, 50, r - 3)
    return body, glass


def _watch(canvas: Canvas, look: Look) -> None:
    case: Colour = look.rng.choice((STEEL, STEEL, BRASS, (206, 150, 130), INK))
    r = look.jitter(21, 0.06)
    strap_half = r * look.rng.uniform(0.5, 0.66)
    _strap(canvas, look, strap_half)
    dial = look.rng.choice((WHITE, INK, look.accent, mix(look.main, WHITE, 0.8)))
    ink = INK if luminance(dial) > 0.45 else WHITE
    body, glass = _case(look.variant, r)
    canvas.paint(rounded_box(50 + r - 1, 47, 50 + r + 3.4, 53, 1), darker(case, 0.15), METAL)
    if look.variant == "chronograph":
        for y in (37, 60):
            canvas.paint(rounded_box(50 + r - 4, y, 50 + r + 1.6, y + 3.4, 1), darker(case, 0.15), METAL)
    canvas.shadow(body, 0.45, blur=1.6, dx=0.6, dy=1.2)
    canvas.paint(body, case, _METAL_RING)
    canvas.paint(glass, dial, Shade(edge=-0.2, width=2, slope=0.06))
    reach = r - 5
    canvas.paint(_hour_marks(50, 50, reach, width=1.1, every=look.rng.choice((1, 1, 3))), ink, FLAT)
    if look.variant == "chronograph":
        for dx, dy in ((-0.42, 0.0), (0.42, 0.0), (0.0, 0.45)):
            cx, cy = 50 + dx * r, 50 + dy * r
            canvas.paint(ellipse(cx, cy, r * 0.2), mix(dial, ink, 0.25), SOFT)
            canvas.line(_hand(look.rng.random(), r * 0.15, cx, cy), 0.5, ink, curved=False)
    canvas.line(_hand(10.15 / 12, reach * 0.58, 50, 50), 1.7, ink, curved=False)
    canvas.line(_hand(9 / 60, reach * 0.85, 50, 50), 1.2, ink, curved=False)
    sweep = look.accent if dial != look.accent else WHITE
    canvas.line(_hand(35 / 60, reach * 0.9, 50, 50), 0.6, sweep, curved=False)
    canvas.paint(ellipse(50, 50, 1.3), sweep, SOFT)
    glint = intersection(glass, polygon([(34, 24), (46, 24), (34, 62), (22, 62)]))
    canvas.glow(glint, (255, 255, 255), 0.22, blur=0.6)


def _bells(canvas: Canvas, metal: Colour, r: float, cy: float) -> None:
    """Feet, bells, hammer and handle of an alarm clock."""
    for sign in (-1, 1):
        canvas.paint(
            stroke([(50 + sign * r * 0.55, cy + r * 0.7), (50 + sign * r * 0.8, cy + r + 6)], 3.4, curved=False),
            metal,
            METAL,
        )
        bell = intersection(
            ellipse(50 + sign * r * 0.62, cy - r * 0.98, r * 0.42, r * 0.36),
            polygon(
                [
                    (50 + sign * -5, 0),
                    (50 + sign * 60, 0),
                    (50 + sign * 60, cy - r * 0.35),
                    (50 + sign * -5, cy - r * 1.1),
                ]
            ),
        )
        canvas.paint(bell, metal, SHINY)
    canvas.paint(
        stroke([(44, cy - r * 1.2), (46, cy - r * 1.52), (54, cy - r * 1.52), (56, cy - r * 1.2)], 1.8),
        metal,
        METAL,
    )
    canvas.paint(rounded_box(48.5, cy - r * 1.3, 51.5, cy - r * 0.9, 1), metal, METAL)


def _clock_hands(canvas: Canvas, look: Look, reach: float, cy: float, ink: Colour, face: Colour) -> None:
    hour, minute = look.rng.random(), look.rng.random()
    hands = union(
        stroke(_hand((int(hour * 12) + minute) / 12, reach * 0.52, 50, cy), 2.3, curved=False),
        stroke(_hand(minute, reach * 0.8, 50, cy), 1.5, curved=False),
    )
    canvas.shadow(hands, 0.25, blur=0.7, dx=0.8, dy=1)
    canvas.paint(hands, ink, FLAT)
    canvas.line(
        _hand(look.rng.random(), reach * 0.86, 50, cy),
        0.6,
        look.main if face != look.main else look.accent,
        curved=False,
    )
    canvas.paint(ellipse(50, cy, 1.9), ink, SOFT)


def _clock(canvas: Canvas, look: Look) -> None:
    metal: Colour = look.rng.choice((BRASS, STEEL, INK))
    face = look.rng.choice((WHITE, mix(look.accent, WHITE, 0.8), INK, look.accent))
    ink = INK if luminance(face) > 0.45 else WHITE
    r = look.jitter(34, 0.05)
    cy = 50.0
    if look.variant == "alarm":
        r, cy = look.jitter(27, 0.05), 57.0
        _bells(canvas, metal, r, cy)
    square = look.variant == "square"
    ring = 6.5
    body = rounded_box(50 - r, cy - r, 50 + r, cy + r, 7) if square else ellipse(50, cy, r)
    inner = (
        rounded_box(50 - r + ring, cy - r + ring, 50 + r - ring, cy + r - ring, 3)
        if square
        else ellipse(50, cy, r - ring)
    )
    if look.variant == "sunburst":
        r *= 0.78
        rays = [stroke(_hand(i / 24, 44 if i % 2 else 38, 50, cy), 1.8, curved=False) for i in range(24)]
        canvas.paint(union(*rays), look.rng.choice((OAK, BRASS, WALNUT)), Shade(edge=0.3, width=0.8))
        body, inner = ellipse(50, cy, r), ellipse(50, cy, r - ring)
        canvas.shadow(body, 0.4, blur=1.4)
    canvas.paint(body, look.cloth(), Shade(edge=0.4, width=2.6, slope=0.14))
    canvas.paint(inner, face, Shade(edge=-0.3, width=2.6, slope=0.04))
    reach = r - ring - 3
    canvas.paint(
        _hour_marks(50, cy, reach, width=look.rng.uniform(1.2, 2.4), every=look.rng.choice((1, 1, 3))), ink, FLAT
    )
    if look.rng.random() < 0.35:
        canvas.paint(
            mark(look.logo, 50, cy + reach * 0.45, reach * 0.14),
            look.accent if face != look.accent else look.main,
            FLAT,
        )
    _clock_hands(canvas, look, reach, cy, ink, face)


KINDS = (
    Kind(
        "watch",
        "watch",
        ("round", "square", "tonneau", "chronograph"),
        ("plain", "striped", "diagonal", "two-tone", "checked", "dotted"),
        (49, 299),
        "lying",
        _watch,
    ),
    Kind(
        "clock",
        "clock",
        ("round", "square", "alarm", "sunburst"),
        ("plain", "two-tone", "speckled", "striped", "checked"),
        (19, 99),
        "standing",
        _clock,
    ),
)
