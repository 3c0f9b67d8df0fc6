"""Chairs, lamps and cushions."""

from __future__ import annotations

import math

from PIL import Image

from indexer.sample.canvas import FLAT, METAL, PUFFY, SOFT, Canvas, Shade
from indexer.sample.look import Kind, Look
from indexer.sample.palette import BRASS, INK, OAK, STEEL, WALNUT, Colour, darker, lighter
from indexer.sample.shapes import (
    Point,
    ellipse,
    intersection,
    revolve,
    rounded_box,
    smooth,
    stroke,
    taper,
    union,
)

_WOOD = Shade(edge=0.3, width=1.4, slope=0.05)
_LIT_SHADE = Shade(edge=0.06, width=3, barrel=0.45, slope=-0.08, gloss=0.12)


def _chair(canvas: Canvas, look: Look) -> None:
    wood: Colour = look.rng.choice((OAK, WALNUT, INK, lighter(OAK, 0.35)))
    half = look.jitter(20, 0.06)
    seat = look.jitter(56, 0.02)
    back_leg = [(50 - half * 0.8, seat), (50 - half * 0.95, 86)]
    front_leg = [(50 - half, seat + 3), (50 - half - 4, 95)]
    for leg, tone in ((back_leg, 0.35), (front_leg, 0.0)):
        opposite_leg = [(100 - x, y) for x, y in leg]
        legs = union(
            taper([leg[0], _middle(leg), leg[1]], 4, 2.4),
            taper([opposite_leg[0], _middle(opposite_leg), opposite_leg[1]], 4, 2.4),
        )
        canvas.paint(legs, darker(wood, tone), _WOOD)
    canvas.paint(stroke([(50 - half - 1.8, 78), (50 + half + 1.8, 78)], 1.6, curved=False), darker(wood, 0.2), _WOOD)
    cloth = look.cloth()
    if look.variant == "shell":
        _shell(canvas, cloth, half)
        return
    posts = [stroke([(x, 10), (x * 0.97 + 1.5, seat)], 3.4, curved=False) for x in (50 - half + 1.5, 50 + half - 1.5)]
    canvas.paint(union(*posts), wood, _WOOD)
    if look.variant == "ladder-back":
        slats = [
            smooth(
                [(50 - half, y), (50, y - 3), (50 + half, y), (50 + half, y + 5.5), (50, y + 2.5), (50 - half, y + 5.5)]
            )
            for y in (13, 25, 37)
        ]
        canvas.paint(union(*slats), wood if look.rng.random() < 0.5 else look.accent, _WOOD)
    else:
        back = rounded_box(50 - half - 1, 8, 50 + half + 1, 41 if look.variant == "dining" else 30, 6)
        canvas.paint(back, cloth, PUFFY)
    pad = smooth(
        [
            (50 - half + 1, seat - 5),
            (50, seat - 6.5),
            (50 + half - 1, seat - 5),
            (50 + half + 4, seat + 4),
            (50, seat + 6.5),
            (50 - half - 4, seat + 4),
        ]
    )
    canvas.shadow(pad, 0.3, blur=1.6, dx=0, dy=1.4)
    canvas.paint(pad, cloth, PUFFY)


def _shell(canvas: Canvas, cloth: Image.Image, half: float) -> None:
    """One curved piece for back and seat."""
    shell = smooth(
        [
            (50 - half - 4, 46),
            (50 - half, 22),
            (50 - half * 0.5, 8),
            (50, 6),
            (50 + half * 0.5, 8),
            (50 + half, 22),
            (50 + half + 4, 46),
            (50 + half, 60),
            (50, 63),
            (50 - half, 60),
        ]
    )
    canvas.paint(shell, cloth, PUFFY)
    seat_pad = smooth(
        [(50 - half * 0.9, 49), (50, 45), (50 + half * 0.9, 49), (50 + half, 58), (50, 62), (50 - half, 58)]
    )
    canvas.shadow(seat_pad, 0.45, blur=2.4, dx=0, dy=-1.5)
    canvas.paint(seat_pad, cloth, Shade(edge=0.25, width=5, slope=-0.1))


def _middle(ends: list[Point]) -> Point:
    (x0, y0), (x1, y1) = ends
    return (x0 + x1) / 2, (y0 + y1) / 2


def _lamp(canvas: Canvas, look: Look) -> None:
    metal: Colour = look.rng.choice((BRASS, STEEL, INK))
    if look.variant == "desk":
        canvas.paint(revolve(62, [(17, 88), (17.5, 90)], curved=False, sag=0.2), metal, METAL)
        canvas.paint(ellipse(62, 88, 17, 3.4), lighter(metal, 0.2), SOFT)
        canvas.paint(stroke([(62, 87), (74, 56), (46, 30)], 2.6, curved=False), metal, Shade(edge=0.5, width=1))
        canvas.paint(ellipse(74, 56, 3), darker(metal, 0.3), SOFT)
        canvas.paint(ellipse(30, 52, 17, 4.6), (255, 236, 178), FLAT)
        hood = smooth(
            [
                (46, 25),
                (50, 31),
                (49, 38),
                (48, 50),
                (48, 54),
                (48, 54),
                (30, 57),
                (12.5, 52),
                (12.5, 52),
                (20, 40),
                (35, 27),
            ]
        )
        canvas.paint(hood, look.cloth(), Shade(edge=0.3, width=5, slope=0.1, gloss=0.25))
        canvas.paint(ellipse(30, 53, 17.4, 3.4), (255, 240, 196), FLAT)
        look.brand(canvas, 36, 42, 4)
        return
    top, low, y0, y1 = {
        "cone": (9.0, 25.0, 14.0, 46.0),
        "drum": (20.0, 22.0, 14.0, 44.0),
        "dome": (6.0, 26.0, 16.0, 44.0),
    }[look.variant]
    low = look.jitter(low, 0.07)
    base_colour = look.accent if look.rng.random() < 0.6 else metal
    if look.rng.random() < 0.6:
        belly = look.jitter(13, 0.2)
        profile: list[Point] = [
            (2.4, y1),
            (2.6, 52),
            (belly * 0.7, 60),
            (belly, 70),
            (belly * 0.75, 84),
            (belly * 0.6, 90),
        ]
        canvas.paint(revolve(50, profile, sag=0.16), base_colour, Shade(edge=0.1, width=2, barrel=0.8, gloss=0.35))
    else:
        canvas.paint(revolve(50, [(1.5, y1), (1.5, 88)], curved=False), metal, METAL)
        canvas.paint(revolve(50, [(13, 88), (13.5, 91)], curved=False, sag=0.18), base_colour, METAL)
        canvas.paint(ellipse(50, 88, 13, 2.4), lighter(base_colour, 0.25), SOFT)
    canvas.paint(ellipse(50, y1, low, low * 0.13), (255, 236, 186), FLAT)
    side: list[Point] = [(top, y0), (top, y0), (low, y1), (low, y1)]
    if look.variant == "dome":
        side = [(top, y0), (top, y0), (low * 0.7, y0 + 7), (low * 0.95, y0 + 18), (low, y1), (low, y1)]
    shade = revolve(50, side, sag=0.1)
    canvas.paint(shade, look.cloth(), _LIT_SHADE)
    canvas.glow(intersection(ellipse(50, y1 - 10, low * 0.5, 9), shade), (255, 244, 206), 0.45, blur=6)
    canvas.paint(ellipse(50, y0, top, top * 0.13), lighter(look.main, 0.5), SOFT)


def _cushion(canvas: Canvas, look: Look) -> None:
    cloth = look.cloth()
    trim = look.accent if look.rng.random() < 0.6 else darker(look.main, 0.2)
    if look.variant == "round":
        radius = look.jitter(37, 0.05)
        canvas.paint(ellipse(50, 50, radius), cloth, Shade(edge=0.36, width=11, slope=0.1))
        for i in range(16):
            angle = i * math.pi / 8
            inner, outer = radius * 0.12, radius * 0.92
            path = [(50 + r * math.cos(angle), 50 + r * math.sin(angle)) for r in (inner, outer)]
            canvas.glow(stroke(path, 0.8, curved=False), darker(look.main, 0.8), 0.3, blur=0.8)
        canvas.paint(ellipse(50, 50, 4), trim, SOFT)
        return
    w, h = (41.0, 27.0) if look.variant == "oblong" else (36.0, 36.0)
    pinch = look.jitter(3.2, 0.3)
    corner = 1.04
    outline: list[Point] = [
        (50 - w * corner, 50 - h * corner),
        (50 - w * corner, 50 - h * corner),
        (50, 50 - h + pinch),
        (50 + w * corner, 50 - h * corner),
        (50 + w * corner, 50 - h * corner),
        (50 + w - pinch, 50),
        (50 + w * corner, 50 + h * corner),
        (50 + w * corner, 50 + h * corner),
        (50, 50 + h - pinch),
        (50 - w * corner, 50 + h * corner),
        (50 - w * corner, 50 + h * corner),
        (50 - w + pinch, 50),
    ]
    if look.variant == "tasselled":
        for x in (-1, 1):
            for y in (-1, 1):
                cx, cy = 50 + x * w * corner, 50 + y * h * corner
                threads = [
                    taper(
                        [
                            (cx, cy),
                            (cx + 3 * x - k * y, cy + 3 * y + k * x),
                            (cx + 7 * x - 1.7 * k * y, cy + 7 * y + 1.7 * k * x),
                        ],
                        1.3,
                        1.0,
                    )
                    for k in (-1.8, -0.9, 0.0, 0.9, 1.8)
                ]
                canvas.paint(union(*threads), trim, SOFT)
    body = smooth(outline)
    canvas.paint(body, cloth, Shade(edge=0.34, width=10, slope=0.12))
    canvas.paint(stroke(outline, 1.3, closed=True), trim, Shade(edge=0.4, width=0.8))
    for dx, dy in ((-1, -1), (1, -1), (-1, 1), (1, 1)):
        path = [(50 + dx * w * 0.9, 50 + dy * h * 0.88), (50 + dx * w * 0.72, 50 + dy * h * 0.76)]
        canvas.glow(stroke(path, 1.4, curved=False), darker(look.main, 0.8), 0.35, blur=1.4)
    look.brand(canvas, 50, 50, 14)


KINDS = (
    Kind(
        "chair",
        "chair",
        ("dining", "shell", "ladder-back", "café"),
        ("plain", "striped", "pinstriped", "dotted", "checked", "two-tone", "floral"),
        (59, 249),
        "standing",
        _chair,
    ),
    Kind(
        "lamp",
        "lamp",
        ("cone", "drum", "dome", "desk"),
        ("plain", "striped", "pinstriped", "dotted", "zigzag", "wavy", "two-tone", "floral"),
        (25, 149),
        "standing",
        _lamp,
    ),
    Kind(
        "cushion",
        "cushion",
        ("square", "oblong", "round", "tasselled"),
        ("plain", "striped", "diagonal", "dotted", "checked", "zigzag", "wavy", "two-tone", "floral"),
        (15, 59),
        "lying",
        _cushion,
    ),
)
