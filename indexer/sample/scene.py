"""The surroundings of a product: backdrop, shadow, and small props."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from indexer.sample.canvas import FLAT, MATT_BARREL, PUFFY, SHINY, SOFT, Canvas, Shade
from indexer.sample.look import Pose
from indexer.sample.palette import LEAF, OAK, PALETTE, WHITE, Colour, darker, lighter, mix
from indexer.sample.shapes import Point, ellipse, polygon, revolve, rounded_box, smooth, stroke
from indexer.sample.surface import Size, any_surface, gradient, paper

Backdrop = Literal["white", "paper", "surface"]

LEVEL = 0.66
"""Where wall meets floor, as a share of the picture's height."""

_SHADOW_GRAIN = 2


def backdrop(style: Backdrop, size: Size, pose: Pose, rng: random.Random) -> Image.Image:
    """An RGB background of ``size``; a standing product gets a wall and a floor, a lying one a top view."""
    is_standing = pose == "standing"
    if style == "white":
        tint = rng.choice(((250, 250, 250), (246, 247, 249), (250, 248, 245)))
        return paper(size, tint, level=LEVEL) if is_standing else gradient(size, (252, 252, 252), tint)
    if style == "paper":
        colour = PALETTE[rng.choice(tuple(PALETTE))]
        return paper(size, mix(colour, WHITE, rng.uniform(0.15, 0.7)), level=LEVEL if is_standing else None)
    if not is_standing:
        return any_surface(size, rng)
    width, height = size
    edge = round(height * LEVEL)
    wall = mix(PALETTE[rng.choice(tuple(PALETTE))], WHITE, rng.uniform(0.45, 0.8))
    image = gradient(size, lighter(wall, 0.12), darker(wall, 0.12))
    floor = any_surface((width, 2 * (height - edge)), rng).resize((width, height - edge), Image.Resampling.BOX)
    image.paste(floor, (0, edge))
    seam = Image.new("L", size, 0)
    ImageDraw.Draw(seam).rectangle((0, edge - 4, width, edge + 3), fill=90)
    image.paste((30, 26, 30), (0, 0), seam.filter(ImageFilter.GaussianBlur(4)))
    return image


def cast_shadow(image: Image.Image, cover: Image.Image, pose: Pose, strength: float, lean: float) -> None:
    """Darken ``image`` with the shadow of an object that has the alpha ``cover`` (same size).

    ``lean`` is how far the shadow runs to the right (negative: left), as a share of the object's height.
    """
    small = cover.reduce(_SHADOW_GRAIN)
    box = small.getbbox()
    if box is None:
        return
    if pose == "lying":
        reach = 3 + 5 * abs(lean)
        offset_cover = ImageChops.offset(small, round(reach if lean > 0 else -reach), round(reach))
        _darken(image, _blur_mask(offset_cover, 2 + reach / 3, strength), _blur_mask(small, 1.5, strength))
        return
    x0, _, x1, base = box
    squash = 0.2
    flat = small.transform(
        small.size,
        Image.Transform.AFFINE,
        (1, lean / squash, -lean * base / squash, 0, 1 / squash, base - base / squash),
        Image.Resampling.BILINEAR,
    )
    foot = small.crop((x0, max(base - (x1 - x0) // 12, 0), x1, base)).getbbox() or (0, 0, x1 - x0, 1)
    contact = Image.new("L", small.size, 0)
    half_height = max(2, (x1 - x0) // 28)
    ImageDraw.Draw(contact).ellipse(
        (x0 + foot[0] - 2, base - half_height - 1, x0 + foot[2] + 2, base + half_height - 1), fill=255
    )
    _darken(image, _blur_mask(flat, 3, strength * 0.75), _blur_mask(contact, 1.75, min(1.0, strength * 1.5)))


def _blur_mask(mask: Image.Image, blur: float, strength: float) -> Image.Image:
    blurred_mask = mask.filter(ImageFilter.BoxBlur(blur)).filter(ImageFilter.BoxBlur(blur * 0.6))
    return blurred_mask.point(lambda value: value * strength)


def _darken(image: Image.Image, wide_shadow: Image.Image, near_shadow: Image.Image) -> None:
    shadows = ImageChops.add(wide_shadow, near_shadow)
    box = shadows.getbbox()
    if box is None:
        return
    x0, y0, x1, y1 = box
    size = ((x1 - x0) * _SHADOW_GRAIN, (y1 - y0) * _SHADOW_GRAIN)
    shadow = shadows.crop(box).resize(size, Image.Resampling.BILINEAR)
    image.paste((24, 20, 28), (x0 * _SHADOW_GRAIN, y0 * _SHADOW_GRAIN), shadow)


def _ball(canvas: Canvas, colour: Colour) -> None:
    canvas.paint(ellipse(50, 62, 30), colour, Shade(edge=0.35, width=12, slope=0.12, gloss=0.3))


def _block(canvas: Canvas, colour: Colour) -> None:
    canvas.paint(polygon([(14, 40), (62, 40), (62, 92), (14, 92)]), colour, SOFT)
    canvas.paint(polygon([(14, 40), (32, 26), (82, 26), (62, 40)]), lighter(colour, 0.25), FLAT)
    canvas.paint(polygon([(62, 40), (82, 26), (82, 76), (62, 92)]), darker(colour, 0.3), FLAT)


def _vase(canvas: Canvas, colour: Colour) -> None:
    for dx in (-16, -5, 7, 18):
        stem: list[Point] = [(50, 50), (50 + dx * 0.6, 26), (50 + dx, 8)]
        canvas.line(stem, 1.2, darker(OAK, 0.2))
        for t in (0.0, 7.0, 14.0):
            canvas.paint(ellipse(50 + dx - dx * t / 40, 8 + t, 3.2, 4.6), mix(OAK, WHITE, 0.35), SOFT)
    side: list[Point] = [(7, 46), (6, 54), (18, 68), (20, 80), (12, 92)]
    canvas.paint(revolve(50, side), mix(colour, WHITE, 0.4), MATT_BARREL)


def _sprig(canvas: Canvas, colour: Colour) -> None:
    green = mix(LEAF, colour, 0.25)
    canvas.line([(50, 96), (48, 60), (56, 20)], 1.6, darker(green, 0.3))
    for i in range(7):
        y = 84 - 10.5 * i
        x = 49.5 + max(0, 60 - y) * 0.14
        for sign in (-1, 1):
            leaf = [
                (x, y),
                (x, y),
                (x + sign * 9, y - 13),
                (x + sign * 25, y - 15),
                (x + sign * 25, y - 15),
                (x + sign * 15, y - 3),
            ]
            canvas.paint(smooth(leaf), mix(green, WHITE, 0.05 * i), SOFT)


def _pebbles(canvas: Canvas, colour: Colour) -> None:
    for x, y, r, share in ((30, 60, 17, 0.55), (64, 68, 22, 0.7), (54, 36, 12, 0.4)):
        canvas.shadow(ellipse(x, y, r, r * 0.8), 0.4)
        canvas.paint(ellipse(x, y, r, r * 0.8), mix(colour, (170, 166, 160), share), PUFFY)


def _pencil(canvas: Canvas, colour: Colour) -> None:
    canvas.paint(rounded_box(45, 24, 55, 84, 0.5), colour, Shade(edge=0.2, width=1, barrel=0.6))
    canvas.paint(polygon([(45, 24), (55, 24), (51.4, 9), (48.6, 9)]), (226, 196, 154), SOFT)
    canvas.paint(polygon([(48.6, 9), (51.4, 9), (50, 4)]), (50, 50, 54), FLAT)
    canvas.paint(rounded_box(45, 84, 55, 95, 2.5), (228, 140, 140), SOFT)


def _coffee(canvas: Canvas, colour: Colour) -> None:
    canvas.paint(ellipse(48, 50, 38), mix(colour, WHITE, 0.75), Shade(edge=0.25, width=3))
    canvas.paint(ellipse(48, 50, 28), mix(colour, WHITE, 0.6), Shade(edge=-0.2, width=3))
    canvas.paint(stroke([(66, 40), (84, 28), (76, 22), (62, 34)], 4.5), mix(colour, WHITE, 0.75), SOFT)
    canvas.paint(ellipse(48, 50, 22), mix(colour, WHITE, 0.82), SHINY)
    canvas.paint(ellipse(48, 50, 18.5), (92, 58, 38), Shade(edge=-0.3, width=4))


_PROPS: dict[Pose, tuple[Callable[[Canvas, Colour], None], ...]] = {
    "standing": (_ball, _block, _vase, _pebbles),
    "lying": (_sprig, _pebbles, _pencil, _coffee),
}
_PROP_COLOURS = ("ivory", "ochre", "coral", "sage", "sky blue", "grey")


@lru_cache(maxsize=64)
def _draw_prop(pose: Pose, choice: int, colour: str) -> Image.Image:
    canvas = Canvas()
    _PROPS[pose][choice](canvas, PALETTE[colour])
    return canvas.render()


def prop(pose: Pose, rng: random.Random) -> Image.Image:
    """A small object to put beside a product, RGBA on a transparent square."""
    return _draw_prop(pose, rng.randrange(len(_PROPS[pose])), rng.choice(_PROP_COLOURS))
