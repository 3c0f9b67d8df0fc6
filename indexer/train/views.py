"""Augmentation: random views of a training picture that still show the same product.

A product with a plain background is cut out and composed with another background, at another size and position. Any
other picture is cropped or padded. Both are rotated, mirrored, seen in perspective, relit, blurred and compressed.
Colours shift no further than by light: a recoloured product would be another one.
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
"""A function that draws another picture of the pool, (h, w, 3) uint8."""

REPLACEMENT_RATE = 0.85
"""Probability that a plain background is replaced."""

MIN_PRODUCT_PIXELS = 30
"""Least number of pixels of a cut-out product."""

MIN_RECOLOURED_PIXELS = 900
"""Least number of pixels of a product that is recoloured: of smaller ones too little is seen."""

GREY_CHROMA = 12
"""Mean chroma in CIE Lab up to which a product counts as grey."""


def make_view(picture: RGB, random: Generator, draw_other: Draw, size: int) -> RGB:
    """A view (size, size, 3) uint8 of ``picture`` (h, w, 3) uint8; the same ``random`` state gives the same view."""
    product = cut_out(picture) if random.random() < REPLACEMENT_RATE else None
    if product is None:
        composition = crop_or_frame(picture, random, size)
    else:
        composition = place_product(*product, random, draw_other, size)
    photo = soften(change_light(composition, random), random)
    return cover_edge(photo, random) if random.random() < 0.06 else photo


def cut_out(picture: RGB) -> tuple[RGB, Floats] | None:
    """Cut out a product, cropped to it, with its opacity (h, w) in 0..1; None if the background is not plain."""
    background = find_plain_background(picture)
    if background is None:
        return None
    opacity = _opacity(background)
    rows, columns = np.nonzero(opacity > 0.5)
    if len(rows) < MIN_PRODUCT_PIXELS:
        return None
    product_box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    return picture[product_box], opacity[product_box]


def place_product(product: RGB, opacity: Floats, random: Generator, draw_other: Draw, size: int) -> Floats:
    """Compose the product with another background, in most cases with a soft shadow; (size, size, 3) float32."""
    height, width = opacity.shape
    zoom = random.uniform(0.45, 0.95) if random.random() < 0.85 else random.uniform(1.0, 1.4)
    scale = zoom * size / max(height, width)
    shift = size * random.uniform(-0.12, 0.12, 2)
    warp = _warp((width, height), (scale, scale), shift, random, size)
    flags = cv2.INTER_LINEAR
    warped_product = cv2.warpPerspective(
        product.astype(np.float32), warp, (size, size), None, flags, cv2.BORDER_REPLICATE
    )
    mask = cv2.warpPerspective(opacity, warp, (size, size), None, flags)
    background = make_background(random, draw_other, size)
    if random.random() < 0.6:
        shift_y, shift_x = random.uniform(0, 0.06) * size, random.uniform(-0.06, 0.06) * size
        shadow_mask = cv2.warpAffine(mask, np.array([[1, 0, shift_x], [0, 1, shift_y]]), (size, size))
        shadow = cv2.GaussianBlur(shadow_mask, (0, 0), random.uniform(2, 8))
        background = background * (1 - random.uniform(0.15, 0.5) * shadow[..., None])
    return np.asarray(warped_product * mask[..., None] + background * (1 - mask[..., None]), np.float32)


def crop_or_frame(picture: RGB, random: Generator, size: int) -> Floats:
    """Crop the picture to 30 to 100 % of its area, or pad it with a frame; (size, size, 3) float32."""
    height, width = picture.shape[:2]
    area = random.uniform(0.3, 1.0) if random.random() < 0.8 else random.uniform(1.0, 1.6)
    across, down = size / (width * math.sqrt(area)), size / (height * math.sqrt(area))
    # Greatest offset of the crop's centre, in pixels of the view.
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


def make_background(random: Generator, draw_other: Draw, size: int) -> Floats:
    """Make a background: one colour, a gradient, blurred spots, a grain, or a crop of another picture."""
    kind = random.integers(0, 5)
    colour = random.uniform(0, 255, 3)
    background: npt.NDArray[np.floating[Any]]
    if kind == 0:
        background = np.broadcast_to(colour, (size, size, 3))
    elif kind == 1:
        share = np.linspace(0, 1, size)[:, None, None]
        background = np.broadcast_to(colour * (1 - share) + random.uniform(0, 255, 3) * share, (size, size, 3))
    elif kind == 2:
        grid = random.integers(2, 24)
        stains = cv2.resize(random.normal(0, 1, (grid, grid, 3)), (size, size), interpolation=cv2.INTER_CUBIC)
        background = stains.astype(np.float32) * random.uniform(5, 45) + colour
    elif kind == 3:
        grain = random.normal(0, 1, (random.integers(2, 6), random.integers(24, 80)))
        lines = cv2.resize(grain.T if random.random() < 0.5 else grain, (size, size), interpolation=cv2.INTER_LINEAR)
        background = lines[..., None].astype(np.float32) * random.uniform(5, 35) * random.uniform(0.6, 1.2, 3) + colour
    else:
        background = _crop_blurred(draw_other(), random, size)
    return np.asarray(np.clip(background, 0, 255), np.float32)


def change_light(pixels: Floats, random: Generator) -> Floats:
    """Change exposure, warmth and white balance; in some cases add light from one side, or change the contrast."""
    warmth = random.uniform(-0.12, 0.12)
    balance = np.exp(random.uniform(-0.1, 0.1, 3)) * [1 + warmth, 1, 1 - warmth]
    result = pixels * (math.exp(random.uniform(-0.35, 0.3)) * balance)
    if random.random() < 0.4:
        angle, fall = random.uniform(0, 2 * math.pi), random.uniform(0.1, 0.4)
        down, across = np.mgrid[-0.5 : 0.5 : result.shape[0] * 1j, -0.5 : 0.5 : result.shape[1] * 1j]
        result = result * (1 + fall * (math.cos(angle) * across + math.sin(angle) * down))[..., None]
    if random.random() < 0.4:
        middle = result.mean()
        result = (result - middle) * math.exp(random.uniform(-0.3, 0.2)) + middle
    return np.asarray(np.clip(result, 0, 255), np.float32)


def soften(pixels: Floats, random: Generator) -> RGB:
    """In some cases blur, add noise, or compress as JPEG of quality 30 to 84."""
    if random.random() < 0.25:
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), random.uniform(0.3, 1.3) * len(pixels) / 160), np.float32)
    if random.random() < 0.25:
        pixels = np.asarray(pixels + random.normal(0, random.uniform(2, 9), pixels.shape), np.float32)
    rounded_pixels: RGB = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    if random.random() < 0.35:
        # OpenCV expects BGR, and JPEG treats red and blue differently.
        _, data = cv2.imencode(
            ".jpg", rounded_pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(30, 85))]
        )
        rounded_pixels = np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])
    return rounded_pixels


def cover_edge(pixels: RGB, random: Generator) -> RGB:
    """Cover the top or the bottom with a band of one colour, 8 to 22 % of the side, like a banner."""
    result = pixels.copy()
    depth = int(random.uniform(0.08, 0.22) * len(pixels))
    band = slice(0, depth) if random.random() < 0.5 else slice(len(pixels) - depth, None)
    result[band] = random.uniform(0, 255, 3).astype(np.uint8)
    return result


def _warp(
    sides: tuple[int, int], scale: tuple[float, float], shift: npt.NDArray[np.float64], random: Generator, size: int
) -> Matrix:
    """Draw the projective transform of a picture of ``sides`` (width, height) to the view."""
    angle = random.normal(0, math.radians(25 if random.random() < 0.25 else 8))
    perspective = random.uniform(-0.12, 0.12, 2) / size
    stretch = math.exp(random.uniform(-0.125, 0.125))
    mirror = -1 if random.random() < 0.4 else 1
    cosine, sine = math.cos(angle), math.sin(angle)
    centre_matrix = np.array([[1, 0, -sides[0] / 2], [0, 1, -sides[1] / 2], [0, 0, 1]])
    scale_matrix = np.diag([scale[0] * mirror, scale[1], 1])
    rotation_matrix = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    perspective_matrix = np.array([[1, 0, 0], [0, 1, 0], [*perspective, 1]])
    shift_matrix = np.array([[1, 0, size / 2 + shift[0]], [0, 1, size / 2 + shift[1]], [0, 0, 1]])
    matrix: Matrix = (
        shift_matrix
        @ np.diag([stretch, 1 / stretch, 1])
        @ perspective_matrix
        @ rotation_matrix
        @ scale_matrix
        @ centre_matrix
    )
    return matrix


def _crop_blurred(picture: RGB, random: Generator, size: int) -> Floats:
    """Crop 30 to 90 % of each side of a picture, in most cases blurred."""
    height, width = picture.shape[:2]
    share = random.uniform(0.3, 0.9)
    tall, wide = max(4, int(height * share)), max(4, int(width * share))
    top, left = random.integers(0, max(1, height - tall + 1)), random.integers(0, max(1, width - wide + 1))
    piece = cv2.resize(picture[top : top + tall, left : left + wide], (size, size)).astype(np.float32)
    blur = random.uniform(0, 6)
    return np.asarray(cv2.GaussianBlur(piece, (0, 0), blur) if blur > 0.5 else piece, np.float32)


def recolour(picture: RGB, random: Generator) -> RGB | None:
    """``picture`` with its product in another colour: another product, which only its colours tell from this one.

    In CIE Lab a colourful product is turned by 50 to 310 degrees of hue, or in one case of five made nearly grey; a
    grey one is tinted; in half of the cases the lightness changes too. None if the background is not plain, or the
    product has fewer than ``MIN_RECOLOURED_PIXELS``.
    """
    background = find_plain_background(picture)
    if background is None:
        return None
    opacity = _opacity(background)
    product = opacity > 0.5
    if product.sum() < MIN_RECOLOURED_PIXELS:
        return None
    lab = np.asarray(cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    changed = lab.copy()
    if np.hypot(lab[product][:, 1], lab[product][:, 2]).mean() > GREY_CHROMA:
        angle = math.radians(random.uniform(50, 310))
        strength = random.uniform(0.6, 1.2) if random.random() < 0.8 else 0.05
        cosine, sine = strength * math.cos(angle), strength * math.sin(angle)
        changed[..., 1] = cosine * lab[..., 1] - sine * lab[..., 2]
        changed[..., 2] = sine * lab[..., 1] + cosine * lab[..., 2]
    else:
        angle, chroma = random.uniform(0, 2 * math.pi), random.uniform(30, 60)
        changed[..., 1] += chroma * math.cos(angle)
        changed[..., 2] += chroma * math.sin(angle)
    if random.random() < 0.5:
        lightness, contrast = random.uniform(25, 80), random.uniform(0.6, 1.0)
        changed[..., 0] = np.clip(lightness + (lab[..., 0] - lab[product][:, 0].mean()) * contrast, 0, 100)
    recoloured = np.clip(cv2.cvtColor(changed, cv2.COLOR_LAB2RGB) * 255, 0, 255)
    part = opacity[..., None]
    return np.asarray(np.rint(recoloured * part + picture * (1 - part)), np.uint8)


def _opacity(background: npt.NDArray[np.bool_]) -> Floats:
    """The product's opacity (h, w) in 0..1; the background is dilated and blurred, so that no rim of it remains."""
    wider = cv2.dilate(background.astype(np.float32), np.ones((3, 3), np.uint8))
    return np.asarray(1 - cv2.GaussianBlur(wider, (0, 0), 0.8), np.float32)
