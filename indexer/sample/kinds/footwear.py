"""Sneakers and boots, seen from the side with the toe to the left."""

from __future__ import annotations

from indexer.sample.canvas import CLOTH, FLAT, SOFT, Canvas, Shade
from indexer.sample.look import Kind, Look
from indexer.sample.palette import GUM, INK, LEATHER, RUBBER, WHITE, darker, lighter, mix
from indexer.sample.shapes import Mask, Point, difference, intersection, polygon, rounded_box, smooth, stroke

_LEATHER = Shade(edge=0.26, width=5, slope=0.16, gloss=0.12)


def _sneaker(canvas: Canvas, look: Look) -> None:
    collar = {"low": 45.0, "high-top": 27.0, "runner": 42.0}[look.variant]
    sole_y = look.jitter(72, 0.015)
    upper_outline: list[Point] = [
        (7, sole_y),
        (7, sole_y),
        (7.5, 64),
        (15, 57.5),
        (29, 54),
        (41, 47),
        (50, collar + 3),
        (54, collar - 1),
        (58, collar + 2),
        (66, collar + 4 if look.variant != "high-top" else collar + 1),
        (76, collar - 3),
        (82, collar - 3),
        (85, collar + 4),
        (86, 58),
        (90, sole_y),
        (90, sole_y),
    ]
    upper = smooth(upper_outline)
    tongue = smooth(
        [(43, 50), (48, collar - 2), (50, collar - 7), (54, collar - 8.5), (57, collar - 6), (58, collar + 8)]
    )
    canvas.paint(tongue, mix(look.main, look.accent, 0.6), CLOTH)
    canvas.paint(upper, look.cloth(), CLOTH)
    inner_lining = smooth(
        [(55, collar + 1), (66, collar + 7), (77, collar + 1), (80, collar - 1.6), (76, collar - 2), (66, collar + 4)]
    )
    canvas.paint(inner_lining, darker(look.main, 0.55), FLAT)

    toe = intersection(upper, smooth([(3, 80), (3, 50), (20, 54), (26, 62), (24, 80)]))
    canvas.paint(toe, RUBBER if look.variant == "high-top" else lighter(look.main, 0.18), SOFT)
    heel = intersection(upper, smooth([(95, 80), (74, 80), (79, 66), (78, 56), (82, 45), (95, 45)]))
    canvas.paint(heel, look.accent, CLOTH)
    quarter = intersection(
        upper,
        smooth(
            [(35, 53), (45, 44), (53, collar - 1), (57, collar + 2), (56, collar + 9), (48, 57), (41, 61.5), (34, 59)]
        ),
    )
    canvas.shadow(quarter, 0.25, blur=1, dx=0.4, dy=0.6)
    canvas.paint(quarter, mix(look.main, look.accent, 0.25), CLOTH)
    rows = 4 if look.variant != "high-top" else 6
    for i in range(rows):
        t = i / (rows - 1)
        x, y = 39 + 14 * t, 53 - (53 - collar - 5) * t
        canvas.line(
            [(x - 1.5, y + 0.2), (x + 4, y + 1.5), (x + 6.5, y + 4.5)], 1.6, WHITE if look.main != WHITE else INK
        )
    _side_mark(canvas, look)
    _sneaker_sole(canvas, look, sole_y)


def _sneaker_sole(canvas: Canvas, look: Look, sole_y: float) -> None:
    chunk = 5.0 if look.variant == "runner" else 0.0
    sole = smooth(
        [
            (4.5, sole_y - 2),
            (5, sole_y - 3),
            (30, sole_y - 1),
            (60, sole_y - 1 - chunk * 0.4),
            (88, sole_y - 2 - chunk),
            (93, sole_y - 2 - chunk),
            (94, sole_y + 6),
            (88, sole_y + 9),
            (40, sole_y + 9),
            (12, sole_y + 8.5),
            (4, sole_y + 4),
        ]
    )
    canvas.paint(sole, RUBBER, Shade(edge=0.22, width=2, slope=0.12))
    tread = intersection(sole, polygon([(0, sole_y + 5.5), (100, sole_y + 5.5), (100, 100), (0, 100)]))
    canvas.paint(tread, look.rng.choice((GUM, look.accent, INK)), SOFT)
    canvas.line(
        [(6, sole_y + 1), (35, sole_y + 2.4), (92, sole_y + 1.4 - chunk * 0.6)], 0.8, mix(look.accent, RUBBER, 0.25)
    )


def _side_mark(canvas: Canvas, look: Look) -> None:
    """The maker's sign on a shoe's flank; it is what tells brands apart."""
    shape = look.logo % 4
    if shape == 0:
        for i in range(3):
            canvas.paint(
                polygon([(52 + 6 * i, 69.5), (56 + 6 * i, 54), (59 + 6 * i, 54), (55 + 6 * i, 69.5)]), look.accent, FLAT
            )
    elif shape == 1:
        swoop = smooth([(50, 63), (54, 68), (64, 64), (78, 54), (78, 54), (64, 60.5), (56, 62)])
        canvas.paint(swoop, look.accent, FLAT)
    elif shape == 2:
        canvas.line([(52, 68), (58, 57), (64, 68), (70, 57), (75, 67)], 2.4, look.accent, curved=False)
    else:
        canvas.paint(
            difference(rounded_box(55, 55, 69, 69, 7), rounded_box(58.4, 58.4, 65.6, 65.6, 4)), look.accent, FLAT
        )


def _boot(canvas: Canvas, look: Look) -> None:
    top = {"ankle": 34.0, "chelsea": 26.0, "laced": 22.0, "rain": 9.0}[look.variant]
    top = look.jitter(top, 0.06)
    upper = smooth(
        [
            (10, 82),
            (10, 82),
            (10.5, 73),
            (19, 66),
            (34, 62),
            (42, 54),
            (43.5, 44),
            (43, top + 1),
            (43, top + 1),
            (56, top - 1.5),
            (73, top + 1),
            (73, top + 1),
            (73.5, 50),
            (77, 66),
            (77, 82),
            (77, 82),
        ]
    )
    canvas.paint(upper, look.cloth(), _LEATHER)
    _boot_front(canvas, look, upper, top)
    canvas.paint(smooth([(43, top + 1), (57, top - 1.6), (73, top + 1), (58, top + 3.2)]), darker(look.main, 0.6), FLAT)
    canvas.stitch([(13, 70), (24, 66.6), (33, 66)], lighter(look.main, 0.4))
    if look.variant != "rain":
        canvas.line([(47, 60), (52, 68), (54, 82)], 0.6, darker(look.main, 0.4))
        heel_cup = intersection(upper, smooth([(90, 90), (64, 90), (67, 74), (72, 66), (90, 62)]))
        canvas.paint(heel_cup, darker(look.main, 0.16), _LEATHER)
    look.brand(canvas, 60, (top + 74) / 2 + (8 if look.variant == "chelsea" else 0), 4)
    _boot_sole(canvas, look)


def _boot_front(canvas: Canvas, look: Look, upper: Mask, top: float) -> None:
    """Elastic, laces, or a rain boot's cuff and toe cap."""
    if look.variant == "chelsea":
        gusset = smooth([(53, top + 3), (53, top + 3), (66, top + 3), (66, top + 3), (63, 52), (60, 57), (56.5, 52)])
        canvas.paint(gusset, look.accent, SOFT)
        for i in range(5):
            canvas.line([(55 + 2.2 * i, top + 4), (57 + 1.4 * i, 52)], 0.4, darker(look.accent, 0.35), curved=False)
        canvas.paint(stroke([(72, top + 2), (75, top - 5), (78, top - 3), (74, top + 8)], 1.8), look.accent, SOFT)
    elif look.variant in ("laced", "ankle"):
        count = 6 if look.variant == "laced" else 4
        for i in range(count):
            t = i / (count - 1)
            x, y = 41.5 - 6 * (1 - t) ** 2, 60 - (60 - top - 5) * t
            canvas.line([(x - 1, y - 1), (x + 5, y + 0.5), (x + 9, y + 3)], 1.5, look.accent)
            canvas.line([(x - 1, y + 2.6), (x + 5, y + 1.5), (x + 9, y - 1.4)], 1.3, darker(look.accent, 0.15))
    else:
        canvas.paint(intersection(upper, rounded_box(30, top - 4, 90, top + 7, 0.5)), look.accent, SOFT)
        canvas.paint(
            intersection(upper, smooth([(5, 90), (5, 70), (24, 68), (30, 74), (30, 90)])),
            darker(look.main, 0.2),
            _LEATHER,
        )


def _boot_sole(canvas: Canvas, look: Look) -> None:
    sole_colour = look.rng.choice((INK, GUM, RUBBER, darker(LEATHER, 0.3)))
    ground = look.rng.uniform(87.5, 91)
    sole = smooth(
        [
            (8, 81),
            (8, 81),
            (78.5, 81),
            (78.5, 81),
            (79, ground),
            (79, ground),
            (58.5, ground),
            (58.5, ground),
            (56.5, 85.5),
            (48, 85),
            (44, ground),
            (40, ground),
            (16, ground),
            (9, ground - 2),
            (6.5, 84),
        ]
    )
    canvas.paint(sole, sole_colour, Shade(edge=0.25, width=1.6))
    canvas.line([(8, 81.6), (40, 81.9), (78.5, 81.6)], 0.9, lighter(look.accent, 0.2))


KINDS = (
    Kind(
        "sneaker",
        "sneaker",
        ("low", "high-top", "runner"),
        ("plain", "striped", "diagonal", "dotted", "checked", "two-tone", "speckled", "floral"),
        (39, 139),
        "standing",
        _sneaker,
    ),
    Kind(
        "boot",
        "boot",
        ("ankle", "chelsea", "laced", "rain"),
        ("plain", "two-tone", "checked", "dotted", "floral", "speckled"),
        (49, 189),
        "standing",
        _boot,
    ),
)
