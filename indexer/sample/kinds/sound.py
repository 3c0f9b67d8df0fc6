"""Headphones and loudspeakers."""

from __future__ import annotations

from indexer.sample.canvas import CLOTH, FLAT, METAL, PUFFY, SHINY, SOFT, Canvas, Shade
from indexer.sample.look import Kind, Look
from indexer.sample.palette import BRASS, INK, OAK, STEEL, WALNUT, WHITE, darker, lighter, luminance
from indexer.sample.pattern import mark
from indexer.sample.shapes import (
    Point,
    difference,
    ellipse,
    intersection,
    revolve,
    rounded_box,
    smooth,
    stroke,
)


def _headphones(canvas: Canvas, look: Look) -> None:
    cup_w, cup_h = {"over-ear": (11.0, 18.0), "on-ear": (8.5, 12.0), "studio": (13.0, 16.0)}[look.variant]
    cup_h = look.jitter(cup_h, 0.07)
    spread = look.jitter(31, 0.05)
    crown = 13.0
    arc: list[Point] = [
        (50 - spread, 56),
        (50 - spread, 38),
        (50 - spread * 0.66, crown + 7),
        (50, crown),
        (50 + spread * 0.66, crown + 7),
        (50 + spread, 38),
        (50 + spread, 56),
    ]
    band_width = look.rng.uniform(4, 7.5)
    metal = look.rng.choice((STEEL, BRASS, INK))
    canvas.paint(stroke(arc, band_width * 0.55), metal, Shade(edge=0.45, width=1))
    pad = stroke(arc[1:-1], band_width)
    canvas.paint(pad, look.cloth(), Shade(edge=0.35, width=2))
    canvas.paint(stroke([(x * 0.9 + 5, y + 5.5) for x, y in arc[2:5]], 4), look.accent, CLOTH)
    for sign in (-1, 1):
        cx = 50 + sign * spread
        cushion = rounded_box(
            cx - sign * 6 - cup_w * 0.55, 60 - cup_h, cx - sign * 6 + cup_w * 0.55, 60 + cup_h, cup_w * 0.5
        )
        canvas.paint(cushion, darker(look.accent, 0.5), PUFFY)
        cup = smooth(
            [
                (cx + sign * -2, 60 - cup_h * 0.98),
                (cx + sign * cup_w * 0.7, 60 - cup_h * 0.8),
                (cx + sign * cup_w, 60),
                (cx + sign * cup_w * 0.7, 60 + cup_h * 0.8),
                (cx + sign * -2, 60 + cup_h * 0.98),
                (cx + sign * -3, 60),
            ]
        )
        canvas.shadow(cup, 0.3, blur=1.2, dx=0.5, dy=1)
        canvas.paint(cup, look.cloth(), SHINY)
        disc = ellipse(cx + sign * cup_w * 0.42, 60, cup_w * 0.3, cup_h * 0.5)
        canvas.paint(difference(disc, ellipse(cx + sign * cup_w * 0.42, 60, cup_w * 0.22, cup_h * 0.4)), metal, METAL)
        canvas.paint(ellipse(cx + sign * cup_w * 0.42, 60, cup_w * 0.13, cup_h * 0.2), look.accent, SOFT)
        canvas.paint(rounded_box(cx - 1.8, 36, cx + 1.8, 48, 1), metal, METAL)
    if look.variant == "studio":
        cable: list[Point] = [(50 - spread, 60 + cup_h), (50 - spread + 2, 86), (40, 92), (52, 86), (62, 93)]
        canvas.paint(stroke(cable, 1.4), INK, SOFT)


def _speaker(canvas: Canvas, look: Look) -> None:
    if look.variant == "cylinder":
        half = look.jitter(22, 0.08)
        body = revolve(50, [(half, 20), (half, 20), (half, 86), (half, 88)], sag=0.15)
        canvas.paint(body, look.cloth(), Shade(edge=0.1, width=2, barrel=0.75))
        canvas.paint(
            intersection(body, revolve(50, [(half, 78), (half, 88)], curved=False, sag=0.15)),
            look.accent,
            Shade(edge=0.1, width=2, barrel=0.75),
        )
        canvas.paint(ellipse(50, 20, half, half * 0.16), lighter(look.main, 0.2), SOFT)
        canvas.paint(ellipse(50, 20, half * 0.6, half * 0.09), darker(look.accent, 0.2), SOFT)
        canvas.paint(mark(look.logo, 50, 70, 4), look.accent if look.pattern == "plain" else WHITE, FLAT)
        return
    half, top = {"bookshelf": (22.0, 16.0), "cube": (30.0, 30.0), "wide": (42.0, 38.0)}[look.variant]
    half = look.jitter(half, 0.05)
    foot = 90.0 if look.variant != "wide" else 80.0
    wood = look.rng.choice((OAK, WALNUT, darker(look.main, 0.35)))
    canvas.paint(rounded_box(50 - half - 2, top - 2, 50 + half + 2, foot, 4), wood, Shade(edge=0.3, width=2))
    canvas.paint(
        rounded_box(50 - half + 1, top + 1, 50 + half - 1, foot - 3, 3),
        look.cloth(),
        Shade(edge=0.12, width=2, slope=0.1),
    )
    if look.variant == "wide":
        r = min((foot - top) * 0.36, half * 0.4)
        cones = [(50 - half * 0.5, (top + foot) / 2, r), (50 + half * 0.5, (top + foot) / 2, r)]
        canvas.paint(
            stroke([(30, top - 2), (33, top - 12), (67, top - 12), (70, top - 2)], 2.6), darker(wood, 0.3), SOFT
        )
    elif look.variant == "cube":
        cones = [(50.0, (top + foot) / 2, half * 0.68)]
    else:
        cones = [(50.0, foot - half * 0.98, half * 0.72), (50.0, top + half * 0.62, half * 0.36)]
    rim = look.rng.choice((STEEL, look.accent, BRASS))
    for cx, cy, r in cones:
        canvas.paint(ellipse(cx, cy, r), rim, Shade(edge=0.4, width=1.2, slope=0.2))
        canvas.paint(ellipse(cx, cy, r * 0.88), INK, Shade(edge=-0.5, width=3, slope=-0.2))
        canvas.paint(difference(ellipse(cx, cy, r * 0.7), ellipse(cx, cy, r * 0.64)), (86, 88, 94), FLAT)
        canvas.paint(ellipse(cx, cy, r * 0.3), look.accent, SHINY)
    canvas.paint(mark(look.logo, 50 + half - 7, foot - 7.5, 2.6), WHITE if luminance(look.main) < 0.6 else INK, FLAT)


KINDS = (
    Kind(
        "headphones",
        "headphones",
        ("over-ear", "on-ear", "studio"),
        ("plain", "two-tone", "speckled", "striped", "dotted"),
        (29, 249),
        "standing",
        _headphones,
    ),
    Kind(
        "speaker",
        "speaker",
        ("bookshelf", "cube", "wide", "cylinder"),
        ("plain", "pinstriped", "dotted", "two-tone", "speckled", "zigzag"),
        (35, 199),
        "standing",
        _speaker,
    ),
)
