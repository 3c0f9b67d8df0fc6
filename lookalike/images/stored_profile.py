"""The colour profile of a file, however it says it: an ICC profile, or the numbers of a PNG or HEIF."""

from __future__ import annotations

from typing import Any

from PIL import Image

from lookalike.images.matrix_profile import SRGB_CURVE, SRGB_PRIMARIES, WHITE_D65, Point, matrix_profile

# ITU-T H.273: primaries, and the curves of pictures for ordinary screens. PQ and HLG would need tone mapping.
_PRIMARIES: dict[int, tuple[tuple[Point, Point, Point], Point]] = {
    1: (SRGB_PRIMARIES, WHITE_D65),
    9: (((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)), WHITE_D65),
    11: (((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), (0.314, 0.351)),
    12: (((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), WHITE_D65),
}
_CURVES: dict[int, tuple[float, ...]] = {
    **dict.fromkeys((1, 6, 13, 14, 15), SRGB_CURVE),  # those of television are shown like sRGB's
    4: (2.2,),
    5: (2.8,),
    8: (1.0,),
}
_MAX_CHUNKS = 1000


def stored_profile(image: Image.Image, data: bytes) -> bytes | None:
    """An ICC profile for the loaded ``image`` of the file ``data``; None where it says none, and so is sRGB."""
    if image.format == "PNG" and (numbers := _cicp(data)) is not None:
        return _of_numbers(*numbers)
    profile = image.info.get("icc_profile")
    if isinstance(profile, bytes) and profile:
        return profile
    if image.format == "PNG" and "srgb" not in image.info:
        return _of_chromaticities(image.info.get("chromaticity"), image.info.get("gamma"))
    nclx = image.info.get("nclx_profile")
    if isinstance(nclx, dict):
        return _of_numbers(nclx.get("color_primaries", 2), nclx.get("transfer_characteristics", 2))
    return None


def _of_numbers(primaries: int, transfer: int) -> bytes | None:
    if primaries not in _PRIMARIES or transfer not in _CURVES or (primaries == 1 and _CURVES[transfer] is SRGB_CURVE):
        return None
    return matrix_profile(*_PRIMARIES[primaries], _CURVES[transfer])


def _of_chromaticities(chromaticity: Any, gamma: Any) -> bytes | None:
    """Of a PNG's cHRM and gAMA together. One alone is left out: programs write it without meaning it."""
    if not (isinstance(chromaticity, tuple) and len(chromaticity) == 8 and isinstance(gamma, float) and 0 < gamma < 8):
        return None
    white, red, green, blue = ((chromaticity[n], chromaticity[n + 1]) for n in (0, 2, 4, 6))
    # 1 / 2.2 is what is written for sRGB.
    curve = SRGB_CURVE if abs(gamma - 1 / 2.2) < 0.01 else (1 / gamma,)
    return matrix_profile((red, green, blue), white, curve)


def _cicp(data: bytes) -> tuple[int, int] | None:
    """Primaries and transfer of a PNG's cICP chunk, which stands before the pixels and above every other profile."""
    offset = 8
    for _ in range(_MAX_CHUNKS):
        length, kind = int.from_bytes(data[offset : offset + 4], "big"), data[offset + 4 : offset + 8]
        if kind == b"cICP" and length == 4:
            return data[offset + 8], data[offset + 9]
        if kind in (b"IDAT", b"IEND", b""):
            return None
        offset += 12 + length
    return None
