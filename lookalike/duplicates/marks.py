"""Marks of a picture: the small facts by which candidates for copies are found.

They follow from a file's bytes alone, so they are remembered by the digest of its content and never go stale.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from lookalike.duplicates.edge_strips import strip_share
from lookalike.duplicates.perceptual_hash import GREY_SIDE, HASH_BYTES, Hashes, hash_grey
from lookalike.duplicates.quality import PictureQuality, measure_quality
from lookalike.images import resize

Pixels = npt.NDArray[np.uint8]
Grey = npt.NDArray[np.float32]

MARKS_VERSION = 3
"""Changes whenever the same file would get other marks."""
MIN_SIDE = 16
"""Pixels; a smaller picture has too little on it to be anybody's copy."""
_PLAIN_SPREAD = 4.0
"""Standard deviation, in grey levels, up to which a picture shows nothing."""
_SMALL_SIDE = 256
_GROUND_TOLERANCE = 16
"""Levels by which the colour of a uniform ground may vary: what JPEG and soft shadows do to it."""
_MIN_GROUND = 0.1
"""Share of the content's box from which the ground is masked out: a cut-out on black and on white have one mask."""
_FILLED = 0.5
"""Share of a row or column that is no ground, from which it belongs to a picture shown on the ground."""
_TALL = 2.5
"""Aspect ratio from which windows of the picture have hashes too."""
_MAX_WINDOWS = 256
_EXTREME = 0.001
"""Share of the darkest and of the lightest pixels that are no ends of the range, but noise."""
_END_LEVELS = 8
"""Levels that count as an end: an even ground that JPEG made uneven is one, too."""
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True)
class Marks:
    """``whole`` has hashes of the picture, of its content without a border, of the content without its ground, and of
    what a viewer shows in the middle of a screen; ``windows`` those of windows of a tall or wide picture. Each is a
    concatenation of hashes of 32 bytes.

    ``colourfulness`` is the mean distance between the channels, in levels; ``clipped`` the share of pixels at the ends
    of the picture's own range, which making it lighter or raising its contrast adds to; ``strips`` the share that is
    banners along its edges.
    ``is_plain`` says that nothing can be recognised: one colour, or fewer than ``MIN_SIDE`` pixels one way.
    ``taken_at`` is when the photograph was taken by its EXIF data, in seconds since 1970 by the camera's clock, and
    ``camera`` what took it; None and empty without. ``quality`` says how good it is as a photograph.
    """

    whole: bytes
    windows: bytes
    is_plain: bool
    colourfulness: float = 0.0
    clipped: float = 0.0
    strips: float = 0.0
    taken_at: float | None = None
    camera: str = ""
    quality: PictureQuality | None = None

    def to_bytes(self) -> bytes:
        """The form in which they are stored."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Marks:
        """The marks of ``to_bytes``."""
        return msgspec.msgpack.decode(data, type=cls)


def as_hashes(stored: bytes) -> Hashes:
    """The (n, 32) hashes of ``Marks.whole`` or ``Marks.windows``."""
    return np.frombuffer(stored, np.uint8).reshape(-1, HASH_BYTES)


def compute_marks(pixels: Pixels, *, taken_at: float | None = None, camera: str = "") -> Marks:
    """The marks of an upright (h, w, 3) uint8 picture of any size."""
    height, width = pixels.shape[:2]
    tiny = resize(np.ascontiguousarray(pixels), GREY_SIDE, GREY_SIDE)
    spread = max(float(tiny[..., channel].std()) for channel in range(3))
    if min(height, width) < MIN_SIDE or spread < _PLAIN_SPREAD:
        return Marks(b"", b"", True, taken_at=taken_at, camera=camera, quality=measure_quality(pixels))
    scale = min(1.0, _SMALL_SIDE / max(height, width))
    small = resize(np.ascontiguousarray(pixels), max(1, round(width * scale)), max(1, round(height * scale)))
    whole, windows = [tiny.astype(np.float32) @ _LUMA, *_content_greys(small)], _window_greys(pixels)
    return Marks(
        whole=_join_hashes(whole),
        windows=_join_hashes(windows),
        is_plain=False,
        colourfulness=round(float((tiny.max(axis=2).astype(np.int16) - tiny.min(axis=2)).mean()), 1),
        clipped=round(_clipped_share(small[..., 1]), 4),
        strips=round(strip_share(small), 3),
        taken_at=taken_at,
        camera=camera,
        quality=measure_quality(pixels),
    )


def _clipped_share(levels: Pixels) -> float:
    counts = np.bincount(levels.ravel(), minlength=256)
    shares = np.cumsum(counts) / counts.sum()
    darkest, lightest = (int(np.searchsorted(shares, share)) for share in (_EXTREME, 1 - _EXTREME))
    at_ends = counts[: darkest + _END_LEVELS].sum() + counts[max(0, lightest - _END_LEVELS + 1) :].sum()
    return float(at_ends / counts.sum())


def _join_hashes(greys: list[Grey]) -> bytes:
    return hash_grey(np.stack(greys)).tobytes() if greys else b""


def _grey(pixels: Pixels) -> Grey:
    """A picture as 64 × 64 grey levels."""
    return resize(np.ascontiguousarray(pixels), GREY_SIDE, GREY_SIDE).astype(np.float32) @ _LUMA


def _content_greys(small: Pixels) -> list[Grey]:
    """What a uniform ground surrounds, as it is and with the ground in the mean of the rest; empty without a ground.

    Third what fills most of a run of rows and columns: a photo on a telephone's screen, without the time above it.
    """
    corners = small[[0, 0, -1, -1], [0, -1, 0, -1]].astype(np.int16)
    if np.ptp(corners, axis=0).max() > _GROUND_TOLERANCE:
        return []
    is_content = np.abs(small.astype(np.int16) - np.median(corners, axis=0)).max(axis=2) > _GROUND_TOLERANCE
    rows, columns = np.flatnonzero(is_content.any(axis=1)), np.flatnonzero(is_content.any(axis=0))
    if len(rows) < MIN_SIDE or len(columns) < MIN_SIDE:
        return []
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    content, mask = small[box], is_content[box]
    greys = [_grey(content)] if content.shape != small.shape else []
    if mask.mean() < 1 - _MIN_GROUND:
        filled = np.where(mask[..., None], content, content[mask].mean(axis=0).astype(np.uint8))
        greys.append(_grey(filled))
    rows_run = _longest_run(mask.mean(axis=1) >= _FILLED)
    columns_run = _longest_run(mask[rows_run].mean(axis=0) >= _FILLED) if rows_run != slice(0, 0) else rows_run
    shown = content[rows_run, columns_run]
    if min(shown.shape[:2]) >= MIN_SIDE and shown.shape != content.shape:
        greys.append(_grey(shown))
    return greys


def _longest_run(is_filled: npt.NDArray[np.bool_]) -> slice:
    """The longest run of True, empty if there is none."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_filled, [False]]).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        return slice(0, 0)
    longest = int((ends - starts).argmax())
    return slice(int(starts[longest]), int(ends[longest]))


def _window_greys(pixels: Pixels) -> list[Grey]:
    """Square windows along a tall or wide picture, each half a window after the one before, without plain ones."""
    height, width = pixels.shape[:2]
    if max(height, width) < _TALL * min(height, width):
        return []
    if width > height:
        pixels, height, width = pixels.transpose(1, 0, 2), width, height
    length = min(round(GREY_SIDE * height / width), GREY_SIDE * _MAX_WINDOWS // 2)
    strip = resize(np.ascontiguousarray(pixels), GREY_SIDE, length).astype(np.float32) @ _LUMA
    starts = range(0, length - GREY_SIDE + 1, GREY_SIDE // 2)
    windows = (strip[start : start + GREY_SIDE] for start in starts)
    return [window for window in windows if float(window.std()) >= 2 * _PLAIN_SPREAD]
