"""Segmentation and replacement of the plain background of a product photo."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

RGB = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

FRAME_SHARE = 0.02
"""Width of the frame at the edge that gives the background colour, as a share of the shorter side."""

TOLERANCE = 20
"""Greatest distance of each channel from the background colour; noise and soft shadows stay within it."""

MIN_EDGE_SHARE = 0.85
"""Least share of the frame that has the background colour; the product may cover the rest."""

AREA_RANGE = (0.1, 0.95)
"""Least and greatest area of a background: less is a margin, more leaves no product."""

MIN_COLOUR_DISTANCE = 80
"""Least distance of the new colour from the old one, in one channel at least."""


def find_plain_background(picture: RGB) -> Mask | None:
    """Segment the plain background of ``picture``, (h, w, 3) uint8: a mask (h, w), or None if it has none.

    Background pixels have nearly the colour of the edge and are connected with it: the inside of a white shirt is not
    background.
    """
    height, width = picture.shape[:2]
    frame_width = max(1, round(FRAME_SHARE * min(height, width)))
    is_frame = np.ones((height, width), dtype=bool)
    is_frame[frame_width:-frame_width, frame_width:-frame_width] = False
    colour = np.median(picture[is_frame], axis=0)
    has_background_colour = (np.abs(picture - colour.astype(np.int16)) <= TOLERANCE).all(axis=2)
    if has_background_colour[is_frame].mean() < MIN_EDGE_SHARE:
        return None
    _, components = cv2.connectedComponents(has_background_colour.astype(np.uint8), connectivity=4)
    edge_components = np.unique(components[is_frame & has_background_colour])
    background: Mask = np.isin(components, edge_components)
    return background if AREA_RANGE[0] <= background.mean() <= AREA_RANGE[1] else None


def replace_background(picture: RGB, random: np.random.Generator) -> RGB | None:
    """Replace the background of ``picture`` by a colour or a vertical gradient; None if it has no plain background."""
    background = find_plain_background(picture)
    if background is None:
        return None
    old_colour = picture[background].mean(axis=0)
    first, second = _draw_other_colour(old_colour, random), _draw_other_colour(old_colour, random)
    if random.uniform() < 0.5:
        second = first
    gradient = np.linspace(0, 1, picture.shape[0], dtype=np.float32)[:, None, None]
    new_background = first * (1 - gradient) + second * gradient
    # Dilated by a pixel and blurred: edge pixels are mixed with the old background, and would remain as a rim.
    dilated_mask = cv2.dilate(background.astype(np.float32), np.ones((3, 3), np.uint8))
    blend = cv2.GaussianBlur(dilated_mask, (0, 0), 1.0)[..., None]
    result: RGB = np.rint(picture * (1 - blend) + new_background * blend).astype(np.uint8)
    return result


def _draw_other_colour(old_colour: npt.NDArray[np.float64], random: np.random.Generator) -> npt.NDArray[np.float32]:
    while True:
        colour = random.uniform(0, 255, 3).astype(np.float32)
        if np.abs(colour - old_colour).max() >= MIN_COLOUR_DISTANCE:
            return colour
