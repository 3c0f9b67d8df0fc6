"""Whether the colours of two aligned pictures are others: the blue box of a product beside the purple one."""

from __future__ import annotations

import numpy as np

from lookalike.copies.fingerprint import Bytes
from lookalike.copies.masks import Mask

_MIN_TURN = 12.0
"""Degrees between the hues of two pictures from which they differ: JPEG, contrast and saturation turn them less."""
_MIN_CHROMA = 10.0
"""Distance from grey in CIELAB (8 bits) from which a pixel has a hue."""
_MIN_SHARE = 0.02
"""Share of what both show that must have a hue in both."""


def turned_hues(first: Bytes, second: Bytes, compared: Mask) -> Mask | None:
    """Where (h, w) two aligned pictures have colours, if their hues differ, else None.

    Both are (h, w, 3) uint8: grey, and a and b of CIELAB plus 128. The angle is that of the sum, over all pixels, of
    one's conjugate chroma times the other's, as complex numbers a + ib: strong colours count most.
    """
    planes = [picture[..., 1:].astype(np.float32) - 128 for picture in (first, second)]
    chromas = [plane[..., 0] + 1j * plane[..., 1] for plane in planes]
    vivid = compared & (np.minimum(*np.abs(chromas)) > _MIN_CHROMA)
    if vivid.sum() < _MIN_SHARE * compared.sum() or not vivid.any():
        return None
    turn = np.degrees(np.angle((chromas[0].conj() * chromas[1])[vivid].sum()))
    return np.asarray(vivid) if abs(turn) >= _MIN_TURN else None
