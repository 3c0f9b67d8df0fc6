"""Backpacks and tote bags, from the front."""

from __future__ import annotations

from indexer.sample.canvas import CLOTH, FLAT, METAL, PUFFY, SOFT, Canvas, Shade
from indexer.sample.look import Kind, Look
from indexer.sample.palette import LEATHER, STEEL, darker, lighter, mix
from indexer.sample.pattern import mark
from indexer.sample.shapes import (
    Point,
    difference,
    ellipse,
    intersection,
    mirror,
    polygon,
    rounded_box,
    smooth,
    stroke,
    union,
)


def _backpack(canvas: Canvas, look: Look) -> None:
    half = look.jitter(26, 0.08)
    top = {"round": 20.0, "roll-top": 14.0, "flap": 20.0}[look.variant]
    trim = look.rng.choice((look.accent, LEATHER, darker(look.main, 0.4)))
    canvas.paint(stroke([(43, top + 4), (44, top - 7), (50, top - 9), (56, top - 7), (57, top + 4)], 3.2), trim, SOFT)
    strap = stroke([(50 - half + 5, 30), (50 - half - 6, 48), (50 - half - 4, 72), (50 - half + 4, 84)], 5.5)
    canvas.paint(union(strap, mirror(strap)), darker(trim, 0.15), CLOTH)
    pocket_side = smooth([(50 - half - 3, 60), (50 - half + 8, 58), (50 - half + 8, 88), (50 - half - 1, 86)])
    canvas.paint(union(pocket_side, mirror(pocket_side)), darker(look.main, 0.25), CLOTH)
    crown: list[Point] = [(50 - half * 0.72, top + 3), (50, top), (50 + half * 0.72, top + 3)]
    if look.variant == "roll-top":
        crown = [(50 - half * 0.82, top), (50 - half * 0.82, top), (50 + half * 0.82, top), (50 + half * 0.82, top)]
    body = smooth(
        [
            *crown,
            (50 + half, 40),
            (50 + half, 80),
            (50 + half * 0.86, 91),
            (50, 92.5),
            (50 - half * 0.86, 91),
            (50 - half, 80),
            (50 - half, 40),
        ]
    )
    canvas.paint(body, look.cloth(), PUFFY)
    if look.variant == "flap":
        flap = intersection(
            body,
            smooth([(0, 10), (100, 10), (100, 40), (50 + half * 0.9, 50), (50, 53), (50 - half * 0.9, 50), (0, 40)]),
        )
        canvas.shadow(flap, 0.4, blur=1.6, dx=0.4, dy=2)
        canvas.paint(flap, look.accent if look.pattern == "plain" else look.main, PUFFY)
        for x in (50 - half * 0.45, 50 + half * 0.45):
            canvas.paint(rounded_box(x - 2, 40, x + 2, 66, 1), trim, SOFT)
            canvas.paint(
                difference(rounded_box(x - 3.2, 55, x + 3.2, 61, 1), rounded_box(x - 1.8, 56.4, x + 1.8, 59.6, 0.5)),
                STEEL,
                METAL,
            )
    elif look.variant == "roll-top":
        canvas.paint(intersection(body, rounded_box(0, top - 2, 100, top + 6, 1)), darker(look.main, 0.12), PUFFY)
        canvas.paint(rounded_box(48, top - 1, 52, 52, 1), trim, SOFT)
        canvas.paint(rounded_box(46.4, 34, 53.6, 40, 1.2), darker(trim, 0.4), SOFT)
    else:
        arc: list[Point] = [(50 - half + 3, 52), (50 - half + 5, 36), (50 - half * 0.55, top + 9), (50, top + 6.5)]
        path = arc + [(100 - x, y) for x, y in reversed(arc[:-1])]
        canvas.line(path, 1.4, darker(look.main, 0.5))
        canvas.paint(rounded_box(50 + half - 8.6, 49, 50 + half - 5.4, 57, 1.2), trim, SOFT)
    pocket = rounded_box(50 - half * 0.74, 62, 50 + half * 0.74, 88, 7)
    canvas.shadow(pocket, 0.3, blur=1.6, dx=0.3, dy=0.8)
    front = look.main if look.pattern != "plain" else mix(look.main, look.accent, look.rng.choice((0.0, 0.0, 1.0)))
    canvas.paint(pocket, front, PUFFY)
    canvas.line([(50 - half * 0.66, 68), (50, 67), (50 + half * 0.66, 68)], 1.3, darker(front, 0.5))
    ink = look.accent if front != look.accent else look.main
    canvas.paint(mark(look.logo, 50, 77, 5), ink, FLAT)


def _tote(canvas: Canvas, look: Look) -> None:
    half, top = {"wide": (33.0, 46.0), "tall": (25.0, 36.0), "long-handled": (27.0, 50.0)}[look.variant]
    half = look.jitter(half, 0.05)
    rise = {"long-handled": 40.0, "wide": 24.0}.get(look.variant, 24.0)
    grip_colour = look.rng.choice((look.accent, LEATHER, look.main))

    def handle(lift: float) -> list[Point]:
        a = half * 0.48
        return [
            (50 - a, top + 8),
            (50 - a * 0.95, top - lift * 0.6),
            (50 - a * 0.45, top - lift),
            (50 + a * 0.45, top - lift),
            (50 + a * 0.95, top - lift * 0.6),
            (50 + a, top + 8),
        ]

    canvas.paint(stroke(handle(rise * 0.9), 3.0), darker(grip_colour, 0.3), CLOTH)
    inside = smooth([(50 - half, top), (50, top - 3), (50 + half, top), (50, top + 3)])
    canvas.paint(inside, darker(look.main, 0.5), FLAT)
    foot = half * look.rng.uniform(0.86, 0.98)
    body = smooth(
        [
            (50 - half, top),
            (50 - half, top),
            (50, top + 1.5),
            (50 + half, top),
            (50 + half, top),
            (50 + half * 0.97, 70),
            (50 + foot, 91),
            (50 + foot, 91),
            (50, 93),
            (50 - foot, 91),
            (50 - foot, 91),
            (50 - half * 0.97, 70),
        ]
    )
    canvas.paint(body, look.cloth(), Shade(edge=0.2, width=6, slope=0.12))
    for x in (50 - half * 0.5, 50 + half * 0.3):
        fold = polygon([(x, top + 4), (x + 5, top + 4), (x + 9, 90), (x + 6, 90)])
        canvas.glow(intersection(fold, body), darker(look.main, 0.7), 0.16, blur=2.5)
    canvas.paint(intersection(body, rounded_box(0, top - 5, 100, top + 5, 0.1)), lighter(look.main, 0.08), CLOTH)
    canvas.stitch([(50 - half + 1, top + 5.4), (50 + half - 1, top + 5.4)], darker(look.main, 0.35))
    front = stroke(handle(rise), 3.4)
    canvas.shadow(front, 0.3, blur=1.2)
    canvas.paint(front, grip_colour, CLOTH)
    for x in (50 - half * 0.48, 50 + half * 0.48):
        canvas.paint(rounded_box(x - 2.6, top + 4, x + 2.6, top + 12, 0.6), grip_colour, SOFT)
    if look.pattern == "plain":
        centre = (top + 94) / 2 + 3
        if look.rng.random() < 0.5:
            canvas.paint(ellipse(50, centre, 14), look.accent, FLAT)
            canvas.paint(mark(look.logo, 50, centre, 9), look.main, FLAT)
        else:
            canvas.paint(mark(look.logo, 50, centre, 14), look.accent, FLAT)


KINDS = (
    Kind(
        "backpack",
        "backpack",
        ("round", "roll-top", "flap"),
        ("plain", "striped", "diagonal", "dotted", "checked", "zigzag", "two-tone", "speckled", "floral"),
        (29, 119),
        "standing",
        _backpack,
    ),
    Kind(
        "tote-bag",
        "tote bag",
        ("wide", "tall", "long-handled"),
        ("plain", "striped", "pinstriped", "dotted", "checked", "zigzag", "wavy", "two-tone", "floral"),
        (12, 49),
        "lying",
        _tote,
    ),
)
