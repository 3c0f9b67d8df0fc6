"""What covers a picture's corner and is no part of it, and what only looks like that."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lookalike.copies.masks import local_range
from lookalike.copies.occlusion import corner_mask

Grey = npt.NDArray[np.uint8]
SHOWN = np.random.default_rng(0).integers(60, 200, (200, 300)).astype(np.uint8)


def _with_strip(ground: int, ink: int, letters: int) -> Grey:
    """A picture under a strip of one ground with ``letters`` strokes on it."""
    picture = SHOWN.copy()
    picture[:46] = ground
    for letter in range(letters):
        picture[8:38, 10 + 12 * letter : 13 + 12 * letter] = ink
    return picture


def test_two_banners_of_other_words_are_compared() -> None:
    first, second = _with_strip(255, 0, 23), _with_strip(0, 255, 8)
    blank_shares = [float((local_range(grey, 3)[:46] <= 4).mean()) for grey in (first, second)]
    assert blank_shares[0] < 0.8 < blank_shares[1]  # one is blanker than the other: that alone is no empty corner
    differs = np.zeros(SHOWN.shape, bool)
    differs[:46] = True
    assert not corner_mask(first, second, differs, np.ones(SHOWN.shape, bool)).any()


def test_the_empty_corner_of_a_turned_picture_is_not_compared() -> None:
    turned = SHOWN.copy()
    corner = np.add.outer(np.arange(200), np.arange(300)) < 60
    turned[corner] = 0
    covered = corner_mask(SHOWN, turned, corner, np.ones(SHOWN.shape, bool))
    assert covered[corner].all()
    assert covered.mean() < 0.1
