"""T-shirts, caps and socks, laid flat."""

from __future__ import annotations

from indexer.sample.canvas import CLOTH, PUFFY, SOFT, Canvas, Shade
from indexer.sample.look import Kind, Look
from indexer.sample.palette import darker, lighter, mix
from indexer.sample.shapes import Point, difference, ellipse, intersection, polygon, rounded_box, smooth, stroke


def _shirt(canvas: Canvas, look: Look) -> None:
    half = look.jitter(23, 0.06)
    hem = look.jitter(88, 0.02)
    sleeve_y = 84.0 if look.variant == "long-sleeved" else 46.0
    sleeve_x = 44.0 if look.variant == "long-sleeved" else 43.0
    cuff = 9.0 if look.variant == "long-sleeved" else 14.0
    left: list[Point] = [
        (50 - 10, 14),
        (50 - 10, 14),
        (50 - half - 4, 19),
        (50 - half - 8, 23),
        (50 - sleeve_x, sleeve_y - 4),
        (50 - sleeve_x, sleeve_y - 4),
        (50 - sleeve_x + cuff, sleeve_y + 2),
        (50 - sleeve_x + cuff, sleeve_y + 2),
        (50 - half, 41),
        (50 - half, 41),
        (50 - half + 0.6, 62),
        (50 - half - 0.6, hem),
        (50 - half - 0.6, hem),
    ]
    right = [(100 - x, y) for x, y in reversed(left)]
    body = smooth([*left, (50, hem + 1.6), *right, (50, 16)])
    back = smooth([(40, 14), (40, 14), (50, 16.5), (60, 14), (60, 14), (55, 21), (45, 21)])
    neck = smooth([(39.6, 12), (60.4, 12), (59, 18), (50, 23.5), (41, 18)])
    if look.variant == "v-neck":
        neck = polygon([(39.6, 12), (60.4, 12), (59.6, 15), (50, 31), (40.4, 15)])
    canvas.paint(back, darker(look.main, 0.35), CLOTH)
    canvas.paint(difference(body, neck), look.cloth(), Shade(edge=0.2, width=6, slope=0.08))
    for points in ([(33, 40), (35, 60), (33, 84)], [(66, 44), (63, 62), (66, 86)], [(46, 60), (49, 74), (45, 88)]):
        canvas.glow(stroke(points, 2.0), darker(look.main, 0.75), 0.2, blur=1.8)
    trim = look.accent if look.rng.random() < 0.5 else darker(look.main, 0.12)
    rib: list[Point] = [(39.8, 14), (41.6, 18.5), (50, 24.4), (58.4, 18.5), (60.2, 14)]
    if look.variant == "v-neck":
        rib = [(40, 14.4), (50, 31.5), (60, 14.4)]
    canvas.paint(stroke(rib, 2.2, curved=look.variant != "v-neck"), trim, SOFT)
    for flip in (False, True):
        edge = [(50 - sleeve_x + 0.6, sleeve_y - 5.4), (50 - sleeve_x + cuff + 0.4, sleeve_y + 0.6)]
        path = [(100 - x, y) for x, y in edge] if flip else edge
        canvas.line(path, 1.6, trim, curved=False)
        seam: list[Point] = [(50 - half + 0.5, 41), (50 - half + 1.5, 30), (50 - half - 2, 19)]
        canvas.line([(100 - x, y) for x, y in seam] if flip else seam, 0.4, darker(look.main, 0.35))
    canvas.stitch([(50 - half + 1, hem - 2), (50 + half - 1, hem - 2)], darker(look.main, 0.3))
    if look.variant == "pocket":
        canvas.paint(polygon([(54, 36), (67, 36), (67, 47), (60.5, 51), (54, 47)]), look.accent, CLOTH)
    else:
        look.brand(canvas, 50, 48, look.rng.choice((6.0, 10.0, 12.0)))


def _bucket_hat(canvas: Canvas, look: Look, crown_top: float) -> None:
    crown = smooth(
        [
            (28, 58),
            (28, 58),
            (31, 38),
            (36, crown_top + 4),
            (50, crown_top + 2),
            (64, crown_top + 4),
            (69, 38),
            (72, 58),
            (72, 58),
            (50, 62),
        ]
    )
    brim = smooth([(28, 56), (28, 56), (50, 60), (72, 56), (72, 56), (90, 74), (50, 84), (10, 74)])
    canvas.paint(brim, look.cloth(), CLOTH)
    for i in (1, 2, 3):
        canvas.line(
            [(28 - 4.4 * i, 57 + 4.4 * i), (50, 61 + 5.6 * i), (72 + 4.4 * i, 57 + 4.4 * i)],
            0.35,
            darker(look.main, 0.3),
        )
    canvas.paint(crown, look.cloth(), PUFFY)
    canvas.paint(intersection(crown, smooth([(20, 51), (50, 55), (80, 51), (80, 64), (20, 64)])), look.accent, CLOTH)
    look.brand(canvas, 50, 42, 6)


def _beanie(canvas: Canvas, look: Look) -> None:
    crown = smooth([(26, 66), (26, 66), (27, 44), (36, 26), (50, 21), (64, 26), (73, 44), (74, 66), (74, 66)])
    canvas.paint(crown, look.cloth(), PUFFY)
    cuff = smooth([(24, 62), (50, 65), (76, 62), (77, 70), (76, 79), (50, 82), (24, 79), (23, 70)])
    canvas.shadow(cuff, 0.3, blur=1.4, dx=0, dy=-1)
    canvas.paint(cuff, look.accent, PUFFY)
    for i in range(17):
        x = 26.5 + 3 * i
        canvas.line([(x, 64), (x, 79)], 0.5, darker(look.accent, 0.3), curved=False)
    canvas.paint(ellipse(50, 19, look.jitter(7, 0.2)), mix(look.accent, look.main, 0.3), PUFFY)


def _cap(canvas: Canvas, look: Look) -> None:
    crown_top = look.jitter(26, 0.08)
    if look.variant == "bucket":
        _bucket_hat(canvas, look, crown_top)
    elif look.variant == "beanie":
        _beanie(canvas, look)
    else:
        _peaked_cap(canvas, look, crown_top)


def _peaked_cap(canvas: Canvas, look: Look, crown_top: float) -> None:
    crown = smooth(
        [
            (30, 66),
            (30, 66),
            (31, 46),
            (41, crown_top + 3),
            (56, crown_top),
            (72, crown_top + 6),
            (83, 46),
            (85, 66),
            (85, 66),
            (58, 69),
        ]
    )
    canvas.paint(crown, look.cloth(), PUFFY)
    front = intersection(crown, smooth([(20, 80), (26, 30), (52, 18), (57, crown_top), (50, 46), (51, 80)]))
    if look.variant == "trucker":
        canvas.paint(front, lighter(look.accent, 0.1), CLOTH)
    seam_colour = darker(look.main, 0.35)
    canvas.line([(57, crown_top + 1), (50, 46), (51, 66.5)], 0.6, seam_colour)
    canvas.line([(57, crown_top + 1), (72, 44), (74, 66)], 0.6, seam_colour)
    canvas.paint(ellipse(57, crown_top + 0.4, 2.6, 1.5), look.accent, SOFT)
    brim = smooth(
        [(31, 63), (31, 63), (44, 66), (57, 68.5), (57, 68.5), (46, 75), (26, 77), (9, 74.5), (7, 71), (18, 66)]
    )
    canvas.shadow(brim, 0.3, blur=1.5, dx=0.5, dy=-1)
    canvas.paint(brim, look.accent if look.variant == "contrast brim" else darker(look.main, 0.06), CLOTH)
    canvas.line([(12, 72), (30, 70), (52, 70.5)], 0.4, seam_colour)
    ink = look.main if look.variant == "trucker" else look.accent
    Look(look.accent, ink, look.pattern, look.variant, look.logo, look.rng).brand(canvas, 40.5, 50, 6.5)


def _sock_outline(leg: float) -> list[Point]:
    return [
        (40, leg),
        (40, leg),
        (58, leg),
        (58, leg),
        (58.5, 44),
        (59, 58),
        (60, 66),
        (57, 75),
        (48, 80),
        (34, 84),
        (20, 88),
        (11, 86),
        (9, 79),
        (15, 73),
        (28, 69),
        (37, 62),
        (40, 52),
    ]


def _sock(canvas: Canvas, look: Look) -> None:
    leg = {"ankle": 38.0, "crew": 22.0, "knee-high": 6.0}[look.variant]
    cloth = look.cloth()
    ink = look.accent if look.pattern != "plain" or look.rng.random() < 0.6 else lighter(look.main, 0.25)
    for step, dy in ((18.0, -4.0), (0.0, 3.0)):
        outline = [(x + step + 12, y + dy) for x, y in _sock_outline(leg)]
        sock = smooth(outline)
        canvas.shadow(sock, 0.35, blur=2, dx=1.5, dy=1.5)
        canvas.paint(sock, cloth, PUFFY)
        ox, oy = step + 12, dy
        toe = intersection(
            sock, smooth([(ox, oy + 66), (ox + 17, oy + 68), (ox + 23, oy + 78), (ox + 24, oy + 96), (ox, oy + 96)])
        )
        canvas.paint(toe, ink, PUFFY)
        heel = intersection(
            sock,
            smooth(
                [(ox + 70, oy + 56), (ox + 56, oy + 58), (ox + 50, oy + 70), (ox + 55, oy + 84), (ox + 70, oy + 84)]
            ),
        )
        canvas.paint(heel, ink, PUFFY)
        cuff = intersection(sock, rounded_box(ox + 30, oy + leg - 2, ox + 70, oy + leg + 8, 0.5))
        canvas.paint(cuff, ink, PUFFY)
        for i in range(8):
            x = ox + 41.2 + 2.3 * i
            canvas.line([(x, oy + leg + 0.6), (x, oy + leg + 7.4)], 0.4, darker(ink, 0.3), curved=False)
    if look.variant != "ankle":
        look.brand(canvas, 61, leg + 24, 5)


KINDS = (
    Kind(
        "t-shirt",
        "T-shirt",
        ("crew neck", "v-neck", "long-sleeved", "pocket"),
        ("plain", "striped", "pinstriped", "dotted", "checked", "zigzag", "wavy", "two-tone", "floral"),
        (12, 49),
        "lying",
        _shirt,
    ),
    Kind(
        "cap",
        "cap",
        ("trucker", "contrast brim", "bucket", "beanie"),
        ("plain", "striped", "diagonal", "dotted", "checked", "speckled", "floral"),
        (14, 45),
        "lying",
        _cap,
    ),
    Kind(
        "sock",
        "socks",
        ("ankle", "crew", "knee-high"),
        ("plain", "striped", "dotted", "checked", "zigzag", "wavy", "two-tone", "floral"),
        (5, 19),
        "lying",
        _sock,
    ),
)
