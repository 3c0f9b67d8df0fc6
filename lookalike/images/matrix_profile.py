"""A colour profile made from numbers: for files that name their primaries and curve instead of holding a profile.

ICC.1:2010: three colorant tags, adapted to D50, and one curve for all channels.
"""

from __future__ import annotations

import struct
from functools import lru_cache

import numpy as np

WHITE_D65 = (0.3127, 0.3290)
SRGB_PRIMARIES = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))

SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
"""Gamma, a, b, c and d of the parametric curve of type 3: (a x + b) ^ gamma from d on, c x below."""

Point = tuple[float, float]

_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D50 = np.array([0.9642, 1.0, 0.8249])


@lru_cache(maxsize=64)
def matrix_profile(primaries: tuple[Point, Point, Point], white: Point, curve: tuple[float, ...]) -> bytes | None:
    """The bytes of a profile; ``primaries`` and ``white`` are CIE xy, ``curve`` is a gamma or one like `SRGB_CURVE`.

    None if no colour space has these numbers.
    """
    try:
        colorants = _colorants(primaries, white)
        tags = [(name, _xyz(column)) for name, column in zip(("rXYZ", "gXYZ", "bXYZ"), colorants.T, strict=True)]
        trc = b"para" + struct.pack(">IHH", 0, {1: 0, 5: 3}[len(curve)], 0) + b"".join(map(_fixed, curve))
    except (np.linalg.LinAlgError, ZeroDivisionError, struct.error, KeyError, OverflowError, ValueError):
        return None
    tags += [("wtpt", _xyz(_D50)), *((name, trc) for name in ("rTRC", "gTRC", "bTRC"))]
    for name in ("desc", "cprt"):
        text = "made from a file's primaries".encode("utf-16-be")
        tags.append((name, b"mluc" + struct.pack(">III2s2sII", 0, 1, 12, b"en", b"US", len(text), 28) + text))
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags:
        table += name.encode() + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    rest = struct.pack(">I", len(tags)) + table + body
    header = struct.pack(">III4s4s4s12x4s", 128 + len(rest), 0, 0x04200000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    return header + bytes(28) + b"".join(map(_fixed, _D50)) + bytes(48) + rest


def _colorants(
    primaries: tuple[Point, Point, Point], white: Point
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Columns: XYZ of the three primaries, adapted from ``white`` to D50 by Bradford's transform."""
    unscaled = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in primaries]).T
    target = np.array([white[0] / white[1], 1.0, (1 - white[0] - white[1]) / white[1]])
    native = unscaled * np.linalg.solve(unscaled, target)
    gains = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ target))
    adapted: np.ndarray[tuple[int, int], np.dtype[np.float64]] = np.linalg.inv(_BRADFORD) @ gains @ _BRADFORD @ native
    if not np.isfinite(adapted).all() or abs(np.linalg.det(adapted)) < 1e-6:
        raise ValueError("the primaries span no space")
    return adapted


def _xyz(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(map(_fixed, values))


def _fixed(value: float) -> bytes:
    """ICC's s15Fixed16Number."""
    return struct.pack(">i", round(float(value) * 65536))
