"""Mugs, bottles and teapots: bodies of revolution under barrel light."""

from __future__ import annotations

from indexer.sample.canvas import FLAT, GLAZE, MATT_BARREL, METAL, SOFT, Canvas, Shade
from indexer.sample.look import Kind, Look
from indexer.sample.palette import OAK, STEEL, WHITE, Colour, darker, lighter, mix
from indexer.sample.shapes import (
    Point,
    band,
    difference,
    ellipse,
    intersection,
    revolve,
    rounded_box,
    stroke,
    taper,
    union,
)

_INSIDE = Shade(edge=-0.25, width=4, slope=-0.25)


def _mug(canvas: Canvas, look: Look) -> None:
    half, top, foot_y = {"tall": (20.0, 16.0, 84.0), "classic": (25.0, 24.0, 80.0), "wide": (31.0, 32.0, 78.0)}.get(
        look.variant, (25.0, 26.0, 80.0)
    )
    half = look.jitter(half, 0.06)
    cx = 44.0
    foot = half * {"tapered": 0.68, "wide": 0.62}.get(look.variant, look.rng.uniform(0.88, 1.0))
    middle = (top + foot_y) / 2
    belly = half * (0.86 if look.variant == "tapered" else 1.0)
    body = revolve(cx, [(half, top), (half, top), (belly, middle), (foot, foot_y - 1)], sag=0.16)

    handle_main = look.accent if look.rng.random() < 0.3 else look.main
    reach, drop = look.jitter(15, 0.15), (foot_y - top) * 0.3
    grip: list[Point] = [
        (cx + half - 3, middle - drop),
        (cx + half + reach * 0.75, middle - drop * 1.02),
        (cx + half + reach, middle - drop * 0.2),
        (cx + half + reach * 0.7, middle + drop * 0.75),
        (cx + belly - 4, middle + drop * 1.1),
    ]
    canvas.paint(stroke(grip, look.jitter(5.4, 0.12)), handle_main, Shade(edge=0.4, width=2, slope=0.1))
    canvas.paint(body, look.cloth(), GLAZE)
    if look.rng.random() < 0.35:
        clay = intersection(body, band(foot_y - 9, 110, bow=half * 0.16))
        canvas.paint(clay, mix(OAK, WHITE, 0.35), MATT_BARREL)
    look.brand(canvas, cx - half * 0.05, middle + 3, half * 0.42)
    canvas.paint(ellipse(cx, top, half, half * 0.17), lighter(look.main, 0.35), SOFT)
    inner = look.accent if look.rng.random() < 0.4 else mix(look.main, WHITE, 0.55)
    canvas.paint(ellipse(cx, top + 0.4, half - 1.8, half * 0.17 - 1.1), darker(inner, 0.18), _INSIDE)


def _bottle(canvas: Canvas, look: Look) -> None:
    half, shoulder = {"slim": (12.5, 34.0), "broad": (20.0, 36.0), "sport": (15.5, 26.0), "flask": (16.0, 22.0)}[
        look.variant
    ]
    half = look.jitter(half, 0.06)
    neck = half * {"flask": 0.86, "sport": 0.6}.get(look.variant, 0.38)
    neck_y = {"flask": 19.0, "sport": 19.0}.get(look.variant, 20.0)
    profile: list[Point] = [(neck, neck_y - 6), (neck, neck_y), (neck * 1.05, neck_y + 2)]
    profile += [(half * 0.96, shoulder), (half, shoulder + 6), (half, 70), (half, 90), (half, 90), (half * 0.9, 93)]
    body = revolve(50, profile, sag=0.12)
    canvas.paint(body, look.cloth(), GLAZE if look.rng.random() < 0.6 else MATT_BARREL)
    if look.pattern == "plain":
        low, high = shoulder + 12, 80.0
        if look.rng.random() < 0.5:
            label = intersection(body, band(low, high, bow=half * 0.1))
            canvas.paint(label, mix(look.accent, WHITE, 0.15), MATT_BARREL)
            canvas.paint(intersection(body, band(low + 2, low + 3.2, bow=half * 0.1)), look.main, FLAT)
            canvas.paint(intersection(body, band(high - 3.2, high - 2, bow=half * 0.1)), look.main, FLAT)
            label_look = Look(look.accent, look.main, "plain", look.variant, look.logo, look.rng)
            label_look.brand(canvas, 50, (low + high) / 2 + 1, half * 0.5)
        else:
            look.brand(canvas, 50, 58, half * 0.5)
    cap: Colour = look.rng.choice((STEEL, OAK, look.accent, darker(look.main, 0.5)))
    cap_half = neck + 1.2
    cap_top = neck_y - (13 if look.variant in ("flask", "sport") else 11)
    shade = METAL if cap == STEEL else MATT_BARREL
    canvas.shadow(
        revolve(50, [(cap_half, cap_top), (cap_half, neck_y - 2)], curved=False), 0.3, blur=1.2, dx=0.3, dy=1.2
    )
    canvas.paint(revolve(50, [(cap_half, cap_top), (cap_half, neck_y - 2)], curved=False, sag=0.15), cap, shade)
    canvas.paint(ellipse(50, cap_top, cap_half, cap_half * 0.16), lighter(cap, 0.3), SOFT)
    if look.variant == "sport":
        canvas.paint(difference(stroke([(46, cap_top), (50, cap_top - 7), (54, cap_top)], 2.0)), darker(cap, 0.2), SOFT)


def _teapot(canvas: Canvas, look: Look) -> None:
    half, top, foot_y = {"round": (25.0, 38.0, 80.0), "tall": (20.0, 30.0, 84.0), "low": (29.0, 46.0, 80.0)}[
        look.variant
    ]
    half = look.jitter(half, 0.06)
    middle = (top + foot_y) / 2
    mouth = half * 0.52
    spout: list[Point] = [
        (50 - half * 0.7, middle + 9),
        (50 - half - 7, middle + 4),
        (50 - half - 11, top + 4),
        (50 - half - 17, top - 2),
    ]
    canvas.paint(taper(spout, 13, 5), look.main, Shade(edge=0.35, width=3, slope=0.1))
    canvas.paint(ellipse(50 - half - 17.6, top - 2.6, 2.6, 1.3), darker(look.main, 0.55), FLAT)
    reach = look.jitter(17, 0.1)
    grip: list[Point] = [
        (50 + half * 0.75, top + 5),
        (50 + half + reach * 0.7, top + 1),
        (50 + half + reach, middle - 2),
        (50 + half + reach * 0.5, middle + 11),
        (50 + half * 0.85, middle + 12),
    ]
    wooden = look.rng.random() < 0.3
    canvas.paint(stroke(grip, 4.6), OAK if wooden else look.main, Shade(edge=0.4, width=2))
    profile: list[Point] = [
        (mouth, top),
        (mouth * 1.1, top),
        (half * 0.86, top + 7),
        (half, middle),
        (half * 0.86, foot_y - 8),
        (half * 0.6, foot_y),
    ]
    canvas.paint(revolve(50, profile, sag=0.14), look.cloth(), GLAZE)
    canvas.paint(
        intersection(revolve(50, profile, sag=0.14), band(foot_y - 2.5, 110, bow=2)),
        darker(look.main, 0.25),
        MATT_BARREL,
    )
    look.brand(canvas, 49, middle + 3, half * 0.36)
    lid_colour = look.accent if look.rng.random() < 0.35 else look.main
    lid = union(
        ellipse(50, top, mouth + 1.6, (mouth + 1.6) * 0.2),
        revolve(50, [(3, top - 8), (mouth * 0.75, top - 5), (mouth + 1.4, top)]),
    )
    canvas.shadow(lid, 0.3, blur=1.2, dx=0.2, dy=1.2)
    canvas.paint(lid, lid_colour, GLAZE)
    knob = OAK if wooden else look.accent
    canvas.paint(
        union(ellipse(50, top - 11.5, 3.6), rounded_box(48.6, top - 10, 51.4, top - 6, 1)),
        knob,
        Shade(edge=0.4, width=1.6),
    )


KINDS = (
    Kind(
        "mug",
        "mug",
        ("classic", "tall", "wide", "tapered"),
        ("plain", "striped", "dotted", "checked", "zigzag", "wavy", "speckled", "two-tone", "floral"),
        (8, 29),
        "standing",
        _mug,
    ),
    Kind(
        "bottle",
        "bottle",
        ("slim", "broad", "sport", "flask"),
        ("plain", "striped", "diagonal", "dotted", "wavy", "speckled", "two-tone", "floral"),
        (12, 45),
        "standing",
        _bottle,
    ),
    Kind(
        "teapot",
        "teapot",
        ("round", "tall", "low"),
        ("plain", "striped", "dotted", "pinstriped", "wavy", "speckled", "two-tone", "floral"),
        (24, 89),
        "standing",
        _teapot,
    ),
)
