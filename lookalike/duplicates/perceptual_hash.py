"""Perceptual hashes of 256 bits, which survive another size, format, blur and tone, in all eight orientations.

A bit is the sign of one of the 16 × 16 lowest frequencies of a 64 × 64 grey picture, without the constant ones. A
mirror image or a quarter turn changes the signs of some frequencies and exchanges others, so the hashes of all
orientations follow from the one that is stored. `imagehash` knows no orientations, `pdqhash` has no wheels, OpenCV's
`img_hash` is in another distribution of OpenCV.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint8]

GREY_SIDE = 64
"""Side, in pixels, of the grey picture that a hash is computed of."""
BITS = 256
HASH_BYTES = BITS // 8
ORIENTATIONS = 8
_SIDE = 16

_FREQUENCIES = np.arange(1, _SIDE + 1)
_BASIS: npt.NDArray[np.float32] = np.cos(
    np.pi / GREY_SIDE * _FREQUENCIES[:, None] * (np.arange(GREY_SIDE)[None, :] + 0.5)
).astype(np.float32)
_IS_ODD = _FREQUENCIES % 2 == 1


def hash_grey(grey: npt.NDArray[np.float32]) -> Hashes:
    """The hashes of (..., 64, 64) grey pictures: (..., 32) uint8."""
    frequencies = _BASIS @ grey @ _BASIS.T
    bits = (frequencies > 0).reshape(*grey.shape[:-2], BITS)
    return np.packbits(bits, axis=-1)


def orient_hashes(hashes: Hashes) -> Hashes:
    """For (n, 32) hashes those of the eight orientations of each picture, (8, n, 32); the first is as it is."""
    bits = np.unpackbits(hashes, axis=-1).reshape(-1, _SIDE, _SIDE)
    oriented = []
    for grid in (bits, bits.transpose(0, 2, 1)):
        for flipped_down in (False, True):
            for flipped_across in (False, True):
                flips = (_IS_ODD[:, None] & flipped_down) ^ (_IS_ODD[None, :] & flipped_across)
                oriented.append(np.packbits((grid ^ flips).reshape(-1, BITS), axis=-1))
    return np.stack(oriented)
