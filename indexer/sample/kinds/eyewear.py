"""Sunglasses, from the front."""

from __future__ import annotations

from indexer.sample.canvas import SOFT, Canvas, Shade
from indexer.sample.look import Kind, Look
from indexer.sample.palette import STEEL, Colour, darker, lighter
from indexer.sample.shapes import (
    Point,
    ellipse,
    intersection,
    mirror,
    polygon,
    rounded_box,
    smooth,
    stroke,
    taper,
    union,
)


def _lens(variant: str, size: float) -> list[Point]:
    """Outline of the left lens about (29, 50)."""
    shapes: dict[str, list[Point]] = {
        "round": [(-1, 0), (-0.71, -0.71), (0, -1), (0.71, -0.71), (1, 0), (0.71, 0.71), (0, 1), (-0.71, 0.71)],
        "square": [
            (-1.1, -0.72),
            (0, -0.8),
            (1.05, -0.7),
            (1.0, 0.1),
            (0.8, 0.7),
            (0, 0.8),
            (-0.85, 0.72),
            (-1.08, 0.1),
        ],
        "aviator": [
            (-1.1, -0.55),
            (-0.4, -0.82),
            (0.5, -0.8),
            (1.05, -0.5),
            (1.0, 0.2),
            (0.55, 0.95),
            (-0.35, 1.08),
            (-0.95, 0.45),
        ],
        "cat-eye": [
            (-1.4, -0.85),
            (-1.4, -0.85),
            (-0.4, -0.68),
            (0.6, -0.62),
            (1.05, -0.3),
            (0.9, 0.4),
            (0.2, 0.78),
            (-0.6, 0.66),
            (-1.08, 0.0),
        ],
    }
    return [(29 + size * x, 50 + size * y) for x, y in shapes[variant]]


def _sunglasses(canvas: Canvas, look: Look) -> None:
    size = look.jitter(16.5, 0.05)
    wire = look.variant == "aviator"
    rim = 1.6 if wire else look.rng.uniform(3.2, 5.2)
    frame_shade = Shade(edge=0.45, width=1.2, gloss=0.25)
    tint: Colour = look.rng.choice(((54, 58, 64), (92, 66, 48), (56, 84, 72), (70, 78, 120), (150, 84, 104)))
    points = _lens(look.variant, size)
    left = smooth(points)
    right = mirror(left)
    arm = taper([(29 - size, 43), (8, 40), (6, 33)], rim * 0.9 + 1, 1.6)
    canvas.paint(union(arm, mirror(arm)), darker(look.main, 0.25), frame_shade)
    frame = stroke(points, 2 * rim, closed=True)
    bridge_y = 46.0 if look.variant != "round" else 47.5
    bridge = stroke([(29 + size - 1, bridge_y), (50, bridge_y - 4), (71 - size + 1, bridge_y)], max(rim, 2))
    if wire:
        bridge = union(
            bridge,
            stroke(
                [(29 + size * 0.4, 50 - size * 0.84), (50, 50 - size * 0.86), (71 - size * 0.4, 50 - size * 0.84)], 1.6
            ),
        )
    whole = union(frame, mirror(frame), bridge)
    canvas.paint(whole, look.cloth(), frame_shade)
    canvas.cut(union(left, right))
    glass = union(left, right)
    canvas.paint(glass, tint, Shade(edge=-0.1, width=2, slope=0.0))
    fade = rounded_box(0, 52, 100, 80, 1)
    canvas.glow(intersection(fade, glass), lighter(tint, 0.65), 0.55, blur=6)
    for offset in (0.0, 42.0):
        glint = intersection(
            glass, polygon([(24 + offset, 30), (31 + offset, 30), (22 + offset, 70), (15 + offset, 70)])
        )
        canvas.glow(glint, (255, 255, 255), 0.28, blur=0.8)
    for x in (29 - size * 1.12, 71 + size * 1.12):
        canvas.paint(ellipse(x, 43, 1.1), look.accent if not wire else STEEL, SOFT)


KINDS = (
    Kind(
        "sunglasses",
        "sunglasses",
        ("round", "square", "aviator", "cat-eye"),
        ("plain", "two-tone", "speckled", "striped"),
        (15, 159),
        "lying",
        _sunglasses,
    ),
)
