"""Views of a training picture: what shops and phones do to a photo without making it a picture of something else.

A product that stands on a plain ground is cut out and put before another ground, at another size and place. Any other
picture is cropped or framed. Both are turned, mirrored, seen at an angle, lit, softened and compressed. Colours shift
as far as light shifts them: recolouring makes another product, and is not done.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from indexer.robustness.background import find_plain_background

RGB = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]
Generator = np.random.Generator
Draw = Callable[[], RGB]
"""Gives another picture of the pool, (h, w, 3) uint8."""

OTHER_GROUND = 0.85
"""How often a product on a plain ground gets another one."""

LEAST_PRODUCT = 30
"""Pixels that a cut-out product has at least."""


def make_view(picture: RGB, random: Generator, draw_other: Draw, size: int) -> RGB:
    """A view (size, size, 3) uint8 of ``picture`` (h, w, 3) uint8; the same ``random`` state gives the same view."""
    product = cut_out(picture) if random.random() < OTHER_GROUND else None
    if product is None:
        changed = crop_or_frame(picture, random, size)
    else:
        changed = place_product(*product, random, draw_other, size)
    photo = soften(change_light(changed, random), random)
    return cover_edge(photo, random) if random.random() < 0.06 else photo


def cut_out(picture: RGB) -> tuple[RGB, Floats] | None:
    """The product on a plain ground, cropped to it, and its opacity (h, w) in 0..1; None if the ground is not plain."""
    ground = find_plain_background(picture)
    if ground is None:
        return None
    # One pixel further and soft, so that no rim of the old ground stays.
    opacity = 1 - cv2.GaussianBlur(cv2.dilate(ground.astype(np.float32), np.ones((3, 3), np.uint8)), (0, 0), 0.8)
    rows, columns = np.nonzero(opacity > 0.5)
    if len(rows) < LEAST_PRODUCT:
        return None
    inside = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    return picture[inside], opacity[inside].astype(np.float32)


def place_product(product: RGB, opacity: Floats, random: Generator, draw_other: Draw, size: int) -> Floats:
    """The product before another ground, with a soft shadow in most cases; (size, size, 3) float32."""
    height, width = opacity.shape
    zoom = random.uniform(0.45, 0.95) if random.random() < 0.85 else random.uniform(1.0, 1.4)
    scale = zoom * size / max(height, width)
    shift = size * random.uniform(-0.12, 0.12, 2)
    warp = _warp((width, height), (scale, scale), shift, random, size)
    flags = cv2.INTER_LINEAR
    moved = cv2.warpPerspective(product.astype(np.float32), warp, (size, size), None, flags, cv2.BORDER_REPLICATE)
    mask = cv2.warpPerspective(opacity, warp, (size, size), None, flags)
    ground = make_ground(random, draw_other, size)
    if random.random() < 0.6:
        down, across = random.uniform(0, 0.06) * size, random.uniform(-0.06, 0.06) * size
        fallen = cv2.warpAffine(mask, np.array([[1, 0, across], [0, 1, down]]), (size, size))
        shadow = cv2.GaussianBlur(fallen, (0, 0), random.uniform(2, 8))
        ground = ground * (1 - random.uniform(0.15, 0.5) * shadow[..., None])
    return np.asarray(moved * mask[..., None] + ground * (1 - mask[..., None]), np.float32)


def crop_or_frame(picture: RGB, random: Generator, size: int) -> Floats:
    """Three tenths to all of the picture, or all of it within a frame; (size, size, 3) float32."""
    height, width = picture.shape[:2]
    area = random.uniform(0.3, 1.0) if random.random() < 0.8 else random.uniform(1.0, 1.6)
    across, down = size / (width * math.sqrt(area)), size / (height * math.sqrt(area))
    # Where the crop's centre lies off the picture's, in pixels of the view.
    room = np.array([abs(width - size / across) * across, abs(height - size / down) * down]) / 2
    warp = _warp((width, height), (across, down), room * random.uniform(-1, 1, 2), random, size)
    border = cv2.BORDER_REFLECT if random.random() < 0.5 else cv2.BORDER_CONSTANT
    colour = tuple(random.uniform(0, 255, 3).tolist())
    return np.asarray(
        cv2.warpPerspective(
            picture.astype(np.float32), warp, (size, size), None, cv2.INTER_LINEAR, border, borderValue=colour
        ),
        np.float32,
    )


def make_ground(random: Generator, draw_other: Draw, size: int) -> Floats:
    """A ground: one colour, a slope, soft stains, a grain as of wood or cloth, or a piece of another picture."""
    kind = random.integers(0, 5)
    colour = random.uniform(0, 255, 3)
    ground: npt.NDArray[np.floating[Any]]
    if kind == 0:
        ground = np.broadcast_to(colour, (size, size, 3))
    elif kind == 1:
        share = np.linspace(0, 1, size)[:, None, None]
        ground = np.broadcast_to(colour * (1 - share) + random.uniform(0, 255, 3) * share, (size, size, 3))
    elif kind == 2:
        grid = random.integers(2, 24)
        stains = cv2.resize(random.normal(0, 1, (grid, grid, 3)), (size, size), interpolation=cv2.INTER_CUBIC)
        ground = stains.astype(np.float32) * random.uniform(5, 45) + colour
    elif kind == 3:
        grain = random.normal(0, 1, (random.integers(2, 6), random.integers(24, 80)))
        lines = cv2.resize(grain.T if random.random() < 0.5 else grain, (size, size), interpolation=cv2.INTER_LINEAR)
        ground = lines[..., None].astype(np.float32) * random.uniform(5, 35) * random.uniform(0.6, 1.2, 3) + colour
    else:
        ground = _piece(draw_other(), random, size)
    return np.asarray(np.clip(ground, 0, 255), np.float32)


def change_light(pixels: Floats, random: Generator) -> Floats:
    """Another exposure, warmth and balance; in some cases light from a side, and another contrast."""
    warmth = random.uniform(-0.12, 0.12)
    balance = np.exp(random.uniform(-0.1, 0.1, 3)) * [1 + warmth, 1, 1 - warmth]
    lit = pixels * (math.exp(random.uniform(-0.35, 0.3)) * balance)
    if random.random() < 0.4:
        angle, fall = random.uniform(0, 2 * math.pi), random.uniform(0.1, 0.4)
        down, across = np.mgrid[-0.5 : 0.5 : lit.shape[0] * 1j, -0.5 : 0.5 : lit.shape[1] * 1j]
        lit = lit * (1 + fall * (math.cos(angle) * across + math.sin(angle) * down))[..., None]
    if random.random() < 0.4:
        middle = lit.mean()
        lit = (lit - middle) * math.exp(random.uniform(-0.3, 0.2)) + middle
    return np.asarray(np.clip(lit, 0, 255), np.float32)


def soften(pixels: Floats, random: Generator) -> RGB:
    """In some cases blurred, noisy, or JPEG of a quality of 30 to 84."""
    if random.random() < 0.25:
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), random.uniform(0.3, 1.3) * len(pixels) / 160), np.float32)
    if random.random() < 0.25:
        pixels = np.asarray(pixels + random.normal(0, random.uniform(2, 9), pixels.shape), np.float32)
    whole: RGB = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    if random.random() < 0.35:
        # OpenCV takes pictures for BGR, and JPEG does not treat red and blue alike.
        _, data = cv2.imencode(".jpg", whole[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(30, 85))])
        whole = np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])
    return whole


def cover_edge(pixels: RGB, random: Generator) -> RGB:
    """A band of one colour over the top or the bottom, 8 to 22 % of the side: a banner."""
    covered = pixels.copy()
    depth = int(random.uniform(0.08, 0.22) * len(pixels))
    band = slice(0, depth) if random.random() < 0.5 else slice(len(pixels) - depth, None)
    covered[band] = random.uniform(0, 255, 3).astype(np.uint8)
    return covered


def _warp(
    sides: tuple[int, int], scale: tuple[float, float], shift: npt.NDArray[np.float64], random: Generator, size: int
) -> Matrix:
    """From a picture of ``sides`` (width, height) to the view: scaled, mirrored, turned, leant, stretched, shifted."""
    turn = random.normal(0, math.radians(25 if random.random() < 0.25 else 8))
    lean = random.uniform(-0.12, 0.12, 2) / size
    stretch = math.exp(random.uniform(-0.125, 0.125))
    mirror = -1 if random.random() < 0.4 else 1
    cosine, sine = math.cos(turn), math.sin(turn)
    centred = np.array([[1, 0, -sides[0] / 2], [0, 1, -sides[1] / 2], [0, 0, 1]])
    scaled = np.diag([scale[0] * mirror, scale[1], 1])
    turned = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    leant = np.array([[1, 0, 0], [0, 1, 0], [*lean, 1]])
    placed = np.array([[1, 0, size / 2 + shift[0]], [0, 1, size / 2 + shift[1]], [0, 0, 1]])
    matrix: Matrix = placed @ np.diag([stretch, 1 / stretch, 1]) @ leant @ turned @ scaled @ centred
    return matrix


def _piece(other: RGB, random: Generator, size: int) -> Floats:
    """Three to nine tenths of another picture, in most cases out of focus."""
    height, width = other.shape[:2]
    share = random.uniform(0.3, 0.9)
    tall, wide = max(4, int(height * share)), max(4, int(width * share))
    top, left = random.integers(0, max(1, height - tall + 1)), random.integers(0, max(1, width - wide + 1))
    piece = cv2.resize(other[top : top + tall, left : left + wide], (size, size)).astype(np.float32)
    blur = random.uniform(0, 6)
    return np.asarray(cv2.GaussianBlur(piece, (0, 0), blur) if blur > 0.5 else piece, np.float32)
