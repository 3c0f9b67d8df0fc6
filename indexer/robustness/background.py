"""The plain ground that a product stands on in a shop's photo: found from the edge inwards, and replaced."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

RGB = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

FRAME = 0.02
"""The edge that is looked at, as a part of the shorter side."""

NEAR = 20
"""A pixel has the ground's colour if no channel is further away than this; noise and soft shadows stay within."""

PLAIN = 0.85
"""The part of the edge that must have one colour. The rest may be where the product leaves the picture."""

COVERS = (0.1, 0.95)
"""The part of the picture that may be ground: less is a margin, more is no product."""

APART = 80
"""At least one channel of the new colour is this far from the old."""


def plain_ground(picture: RGB) -> Mask | None:
    """Where the plain ground of ``picture``, (h, w, 3) uint8, lies: (h, w), or None if it has none.

    Ground is what has nearly the edge's one colour and hangs together with the edge: a white shirt's inside is not
    ground, though it is as white.
    """
    height, width = picture.shape[:2]
    depth = max(1, round(FRAME * min(height, width)))
    frame = np.ones((height, width), dtype=bool)
    frame[depth:-depth, depth:-depth] = False
    colour = np.median(picture[frame], axis=0)
    near = (np.abs(picture - colour.astype(np.int16)) <= NEAR).all(axis=2)
    if near[frame].mean() < PLAIN:
        return None
    _, parts = cv2.connectedComponents(near.astype(np.uint8), connectivity=4)
    at_edge = np.unique(parts[frame & near])
    ground: Mask = np.isin(parts, at_edge)
    return ground if COVERS[0] <= ground.mean() <= COVERS[1] else None


def replace_ground(picture: RGB, random: np.random.Generator) -> RGB | None:
    """``picture`` with another ground, one colour or a slope from one to another; None if its ground is not plain."""
    ground = plain_ground(picture)
    if ground is None:
        return None
    old = picture[ground].mean(axis=0)
    first, second = _other_colour(old, random), _other_colour(old, random)
    if random.uniform() < 0.5:
        second = first
    slope = np.linspace(0, 1, picture.shape[0], dtype=np.float32)[:, None, None]
    fresh = first * (1 - slope) + second * slope
    # One pixel further and soft: the product's edge is mixed with the old ground, and would stay as a rim.
    wider = cv2.dilate(ground.astype(np.float32), np.ones((3, 3), np.uint8))
    part = cv2.GaussianBlur(wider, (0, 0), 1.0)[..., None]
    changed: RGB = np.rint(picture * (1 - part) + fresh * part).astype(np.uint8)
    return changed


def _other_colour(old: npt.NDArray[np.float64], random: np.random.Generator) -> npt.NDArray[np.float32]:
    while True:
        colour = random.uniform(0, 255, 3).astype(np.float32)
        if np.abs(colour - old).max() >= APART:
            return colour
