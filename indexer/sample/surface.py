"""Textured surfaces that products stand or lie on: wood, linen, stone, marble, terrazzo.

Each is noise at a few scales, made from the caller's generator alone so that a seed gives the same pixels.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from indexer.sample.palette import Colour, darker, lighter, mix

Size = tuple[int, int]
_Field = npt.NDArray[np.float32]

_WOODS: tuple[Colour, ...] = ((206, 168, 122), (164, 118, 78), (112, 78, 56), (222, 196, 160), (150, 138, 126))
_CLOTHS: tuple[Colour, ...] = ((228, 220, 204), (178, 184, 190), (196, 160, 146), (140, 152, 138), (92, 100, 118))
_STONES: tuple[Colour, ...] = ((178, 176, 172), (206, 200, 192), (120, 122, 126), (190, 170, 152))


def noise(rng: random.Random, size: Size, cells: Size) -> _Field:
    """Smooth noise in [-1, 1] of ``size`` (width, height), with about ``cells`` bumps along each side; float32."""
    columns, rows = max(2, cells[0]), max(2, cells[1])
    grid = np.frombuffer(rng.randbytes(columns * rows), np.uint8).reshape(rows, columns)
    image = Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC)
    field: _Field = np.asarray(image, np.float32) / 127.5 - 1
    return field


def _apply_brightness(base: Colour, brightness: _Field) -> Image.Image:
    """``base`` times 1 + ``brightness`` (-1 to 1), per pixel, in steps of 1/127."""
    level = Image.fromarray(np.clip(brightness * 127.5 + 127.5, 0, 255).astype(np.uint8))
    bands = [level.point([min(255, round(value * step / 127.5)) for step in range(256)]) for value in base]
    return Image.merge("RGB", bands)


def wood(size: Size, rng: random.Random) -> Image.Image:
    """Boards that run from left to right."""
    width, height = size
    grain = 0.10 * noise(rng, size, (5, height // 3)) + 0.05 * noise(rng, size, (width // 24, height))
    grain += 0.06 * noise(rng, size, (3, 8))
    board = rng.randint(70, 130)
    top = -rng.randrange(board)
    while top < height:
        low, high = max(top, 0), min(top + board, height)
        grain[low:high] += rng.uniform(-0.08, 0.08)
        grain[low : min(low + 2, height)] -= 0.28
        top += board
    return _apply_brightness(rng.choice(_WOODS), grain)


def linen(size: Size, rng: random.Random) -> Image.Image:
    """Woven cloth with a few soft folds."""
    width, height = size
    weave = 0.07 * noise(rng, size, (width // 10, height)) + 0.07 * noise(rng, size, (width, height // 10))
    folds = noise(rng, size, (3, 4)) * 0.09
    return _apply_brightness(rng.choice(_CLOTHS), weave + folds)


def stone(size: Size, rng: random.Random) -> Image.Image:
    """Concrete or slate."""
    rough = sum(share * noise(rng, size, (cells, cells)) for share, cells in ((0.09, 4), (0.06, 15), (0.04, 60)))
    grit = 0.04 * noise(rng, size, (size[0] // 2, size[1] // 2))
    return _apply_brightness(rng.choice(_STONES), rough + grit)


def marble(size: Size, rng: random.Random) -> Image.Image:
    """White or dark marble: veins where smooth noise crosses zero."""
    veins = np.zeros((size[1], size[0]), np.float32)
    for cells, share, sharp in ((4, 0.20, 0.05), (8, 0.10, 0.06)):
        field = noise(rng, size, (cells, cells)) + 0.12 * noise(rng, size, (24, 24))
        veins -= share * np.exp(-((field / sharp) ** 2))
    cloud = 0.04 * noise(rng, size, (5, 5))
    if rng.random() < 0.3:
        return _apply_brightness((58, 62, 66), cloud - 2.2 * veins)
    return _apply_brightness((232, 230, 226), veins + cloud)


def terrazzo(size: Size, rng: random.Random) -> Image.Image:
    """Pale cement with coloured chips."""
    base: Colour = rng.choice(((232, 226, 216), (214, 218, 216), (226, 210, 200)))
    chips: tuple[Colour, ...] = ((176, 120, 98), (110, 124, 128), (204, 172, 120), (240, 240, 236), (150, 150, 146))
    large = Image.new("RGB", (size[0] * 2, size[1] * 2), base)
    draw = ImageDraw.Draw(large)
    for _ in range(size[0] * size[1] // 900):
        x, y, reach = rng.uniform(0, large.width), rng.uniform(0, large.height), rng.uniform(4, 15)
        corners = [(x + rng.uniform(-reach, reach), y + rng.uniform(-reach, reach)) for _ in range(4)]
        draw.polygon(corners, fill=mix(base, rng.choice(chips), 0.8))
    return large.reduce(2)


_SURFACES: tuple[Callable[[Size, random.Random], Image.Image], ...] = (wood, wood, linen, stone, marble, terrazzo)


def any_surface(size: Size, rng: random.Random) -> Image.Image:
    """One of the textured surfaces, RGB of ``size`` (width, height)."""
    return rng.choice(_SURFACES)(size, rng)


def gradient(size: Size, upper: Colour, lower: Colour) -> Image.Image:
    """A vertical run of colour from ``upper`` to ``lower``."""
    ramp = Image.linear_gradient("L").resize(size, Image.Resampling.BILINEAR)
    return Image.composite(Image.new("RGB", size, lower), Image.new("RGB", size, upper), ramp)


def paper(size: Size, colour: Colour, *, level: float | None) -> Image.Image:
    """A seamless paper backdrop; ``level`` is the height (share of the picture) at which wall bends into floor."""
    if level is None:
        return gradient(size, lighter(colour, 0.1), darker(colour, 0.08))
    y = np.linspace(0, 1, size[1], dtype=np.float32)
    bend = 1 / (1 + np.exp(-(y - level) / 0.035))
    brightness = 1.04 - 0.12 * y * (1 - bend) + 0.08 * bend - 0.10 * np.exp(-(((y - level) / 0.06) ** 2))
    column = np.asarray(colour, np.float32) * brightness[:, None]
    strip = Image.fromarray(np.clip(column, 0, 255).astype(np.uint8)[:, None, :])
    return strip.resize(size, Image.Resampling.NEAREST)
