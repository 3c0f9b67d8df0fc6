"""Books and notebooks, lying with the cover up."""

from __future__ import annotations

from indexer.sample.canvas import CLOTH, FLAT, SOFT, Canvas, Shade
from indexer.sample.look import Kind, Look
from indexer.sample.palette import INK, WHITE, Colour, darker, luminance, mix
from indexer.sample.pattern import mark
from indexer.sample.shapes import (
    intersection,
    polygon,
    rounded_box,
)

_COVER = Shade(edge=0.12, width=2, slope=0.08)
_PAPER: Colour = (244, 238, 224)


def _block(canvas: Canvas, look: Look, box: tuple[float, float, float, float], thick: float) -> None:
    """The pages and the back cover that show below and beside the front cover."""
    x0, y0, x1, y1 = box
    pages = polygon(
        [
            (x0 + 1, y1 - 1),
            (x1 - 1, y0 + 1),
            (x1 + thick - 1, y0 + thick),
            (x1 + thick - 1, y1 + thick - 1),
            (x0 + thick, y1 + thick - 1),
        ]
    )
    back_cover = polygon(
        [(x0, y1), (x0 + thick, y1 + thick), (x1 + thick, y1 + thick), (x1 + thick, y0 + thick), (x1, y0)]
    )
    canvas.paint(back_cover, darker(look.main, 0.3), SOFT)
    canvas.paint(pages, _PAPER, FLAT)
    for i in range(1, 5):
        t = i / 5 * thick
        canvas.line(
            [(x0 + t, y1 + t), (x1 + t - 0.6, y1 + t), (x1 + t - 0.6, y0 + t)], 0.25, darker(_PAPER, 0.25), curved=False
        )


def _book(canvas: Canvas, look: Look) -> None:
    half = look.jitter({"pocket": 21.0, "novel": 25.0, "album": 32.0, "notebook": 24.0}[look.variant], 0.04)
    tall = look.jitter({"pocket": 31.0, "novel": 37.0, "album": 32.0, "notebook": 34.0}[look.variant], 0.04)
    thick = look.rng.uniform(3.5, 8.5)
    x0, x1, y0, y1 = 47 - half, 47 + half, 47 - tall, 47 + tall
    _block(canvas, look, (x0, y0, x1, y1), thick)
    cover = rounded_box(x0, y0, x1, y1, 1.2)
    canvas.paint(cover, look.cloth(), _COVER)
    spine = intersection(cover, rounded_box(x0 - 2, y0 - 2, x0 + 4.4, y1 + 2, 0.2))
    canvas.paint(
        spine,
        look.accent if look.variant in ("novel", "album") else darker(look.main, 0.18),
        Shade(edge=0.25, width=1.5),
    )
    canvas.glow(intersection(cover, rounded_box(x0 + 4.8, y0, x0 + 6, y1, 0.1)), INK, 0.5, blur=0.5)
    if look.variant == "notebook":
        canvas.paint(rounded_box(x1 - 7, y0, x1 - 5, y1, 0.2), look.accent, SOFT)
        canvas.paint(
            polygon(
                [
                    (52, y1),
                    (55, y1),
                    (55.5 + thick, y1 + thick + 6),
                    (53.5 + thick, y1 + thick + 4.4),
                    (51.6 + thick, y1 + thick + 6),
                ]
            ),
            look.accent,
            CLOTH,
        )
        look.brand(canvas, 49, 47, 7)
        return
    plate_top = y0 + tall * look.rng.choice((0.25, 0.4, 1.2))
    plate = rounded_box(x0 + 9, plate_top, x1 - 5, plate_top + tall * 0.48, 1)
    label = WHITE if luminance(look.main) < 0.6 else mix(look.main, INK, 0.75)
    ink = INK if label == WHITE else WHITE
    canvas.paint(plate, label, FLAT)
    middle = (x0 + 9 + x1 - 5) / 2
    for row, (share, width) in enumerate(
        ((look.rng.uniform(0.55, 0.85), 2.2), (look.rng.uniform(0.3, 0.6), 2.2), (0.35, 0.9))
    ):
        y = plate_top + tall * (0.12 + 0.13 * row)
        reach = (half - 7) * share
        canvas.line([(middle - reach, y), (middle + reach, y)], width, ink, curved=False)
    emblem_y = plate_top + tall * (1.0 if plate_top < 47 - tall * 0.2 else -0.55)
    if look.pattern == "plain":
        canvas.paint(mark(look.logo, middle, emblem_y, half * 0.36), look.accent, FLAT)


KINDS = (
    Kind(
        "book",
        "book",
        ("pocket", "novel", "album", "notebook"),
        ("plain", "striped", "diagonal", "dotted", "checked", "zigzag", "wavy", "two-tone", "floral"),
        (6, 39),
        "lying",
        _book,
    ),
)
