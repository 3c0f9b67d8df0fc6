"""Which of two copies of one frame may have been made of the other, by their finest detail.

What is made of a picture adds something that the picture knows nothing of: the errors of a lossy format, grain. So the
difference of the two is uncorrelated with the detail of the one that it was added to, and correlated negatively with
that of the one that has it; and what a JPEG was made of gives that JPEG when it is compressed again as the JPEG was.
Grey levels do not tell when a palette has replaced the colours of a photograph: that is looked for by itself.
Sharpening and smoothing add a multiple of the detail itself. And what was enlarged has no detail beyond the frequencies
that the smaller one can have.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Levels = npt.NDArray[np.float32]

_SIDE = 512
"""Side, in pixels, of the middle of a picture that is compared."""
_MIN_SIDE = 64
_THUMBNAIL_SIDE = 32
_MIN_LIKENESS = 0.9
"""Correlation of thumbnails from which two pictures lie on each other as they are, neither turned nor mirrored."""
_ASPECT_TOLERANCE = 0.02
_SMALLER = 0.85
"""Scale up to which there are enough frequencies that only the larger one can have."""
_DETAIL_SIGMA, _TONE_SIGMA = 1.0, 4.0
"""Standard deviations, in pixels, of the blurs that leave detail out, and that leave only tones."""
_DETAIL_LEVELS, _MIN_DETAIL = 2.0, 100
"""Levels of detail from which a pixel counts, and how many such pixels it takes to say anything."""
_INVISIBLE_RMS, _INVISIBLE_SLOPE = 2.5, 0.1
"""Root mean square in levels, and multiple of the detail, up to which nobody sees a difference in detail."""
_EQUAL_RMS = 0.75
"""Root mean square in levels below which the larger file has no more to show: compressing it to the smaller one would
have cost more."""
_MAX_CORRELATION = -0.06
"""Correlation of the difference with the copy's detail up to which the copy is the one with errors added."""
_MAX_SMOOTHED = -0.25
"""Multiple of the copy's detail that the kept one lacks, from which it may be a smoothed one."""
_BLOCK = 8
_BLOCKY = 0.2
"""By how much the borders of the blocks of 8 × 8 pixels stand out more in a copy that was compressed hard."""
_MIDDLE_GREY = 128
_RECOMPRESSED_RMS = 1.0
"""Root mean square in levels up to which a picture is what a JPEG was made of: its errors are those of whole levels."""
_EMPTY = 0.07
"""Power beyond the frequencies of the smaller one, as a share of that in the octave below them, up to which the larger
one may be enlarged."""
_UNSEEN_RMS = 1.25
"""Root mean square in levels of power beyond those frequencies up to which the larger one may be enlarged: 0.4 to 1.2
of enlarged soft photographs, most of it errors of JPEG; 2.5 and more of sharp ones."""
_ENLARGED_RMS = 2.0
"""Root mean square in levels of the difference to the enlarged smaller one up to which the larger one shows no more:
0.5 to 2.0 of enlarged photographs; 1.8 and more of those that a JPEG of half or three quarters of the size was made of,
and less only of soft ones, where nobody sees it."""
_PALETTE = 256
"""The most colours of a GIF, or of a PNG with a palette."""
_MAX_EVEN = 0.8
"""Share of pixels of the colour of the next one up to which a picture with a palette is a photograph: 0.1 to 0.7 of
photographs, 0.9 and more of drawings, forms and screenshots."""
_SAMPLE_STEP = 8
"""Every which pixel, both ways, is enough to tell most pictures from those with a palette."""


@dataclass(frozen=True, slots=True, eq=False)
class FinestDetail:
    """The middle of a picture at full resolution, in grey levels, its size (height, width), and a thumbnail.

    ``quantisation`` are the (8, 8) steps of a JPEG's luminance, None of other formats. The middle begins at a multiple
    of 8 pixels, as the blocks of a JPEG do. ``has_palette`` says that it is no drawing, but has as few
    colours as a GIF.
    """

    middle: Pixels
    size: tuple[int, int]
    thumbnail: Pixels
    quantisation: Levels | None
    has_palette: bool

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.middle.nbytes + self.thumbnail.nbytes


def read_finest_detail(pixels: Pixels, quantisation: Levels | None = None) -> FinestDetail:
    """What ``find_doubt`` compares, of an (h, w, 3) uint8 picture; ``quantisation`` are the (8, 8) steps of a JPEG."""
    height, width = pixels.shape[:2]
    top, left = _corner_of_middle((height, width))
    middle = np.ascontiguousarray(pixels[top : top + _SIDE, left : left + _SIDE])
    thumbnail = cv2.resize(pixels, (_THUMBNAIL_SIDE, _THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA)
    return FinestDetail(
        _grey(middle), (height, width), _grey(thumbnail.astype(np.uint8)), quantisation, _has_palette(middle)
    )


def find_doubt(kept: FinestDetail, copy: FinestDetail, *, is_larger_file: bool = False) -> str | None:
    """Why the kept one of two copies may have been made of the other, in words; None if nothing says so.

    ``is_larger_file`` says that the kept one has more bytes, and that both are in a lossy format. None also where they
    do not lie on each other as they are, or are too small to tell.
    """
    aspects = [detail.size[1] / detail.size[0] for detail in (kept, copy)]
    if (
        min(*kept.size, *copy.size) < _MIN_SIDE
        or abs(aspects[0] / aspects[1] - 1) > _ASPECT_TOLERANCE
        or not _correlation(*(detail.thumbnail.astype(np.float32) for detail in (kept, copy))) >= _MIN_LIKENESS
    ):
        return None
    scale = copy.size[1] / kept.size[1]
    if kept.size == copy.size and kept.has_palette and not copy.has_palette:
        return "has more colours than the palette of the kept one"
    if kept.size == copy.size:
        return _doubt_of_equal_size(kept, copy, is_larger_file=is_larger_file)
    if scale < _SMALLER and _detail_beyond(kept.middle, scale).is_empty:
        return "the larger one has no finer detail and may have been enlarged"
    if scale > 1 / _SMALLER and not _is_enlargement(copy, kept):
        return "has finer detail than the kept one"
    return None


def _doubt_of_equal_size(kept_detail: FinestDetail, copy_detail: FinestDetail, *, is_larger_file: bool) -> str | None:
    kept, copy = kept_detail.middle.astype(np.float32), copy_detail.middle.astype(np.float32)
    difference = _without_tones(kept - copy)
    rms = float(difference.std())
    if is_larger_file and rms < _EQUAL_RMS:
        return "the kept one shows nothing more with more bytes: it may have been saved again at a higher quality"
    detail = copy - cv2.GaussianBlur(copy, (0, 0), _DETAIL_SIGMA)
    counts = np.abs(detail) > _DETAIL_LEVELS
    if np.count_nonzero(counts) < _MIN_DETAIL:
        return None
    difference, detail = difference[counts], detail[counts]
    slope = float(np.vdot(difference, detail) / np.vdot(detail, detail))
    is_invisible = rms <= _INVISIBLE_RMS and abs(slope) < _INVISIBLE_SLOPE
    has_errors = _cosine(difference, detail) <= _MAX_CORRELATION
    is_copy = has_errors and (slope >= _MAX_SMOOTHED or _blockiness(copy) - _blockiness(kept) >= _BLOCKY)
    if is_invisible or is_copy or _is_compressed(kept, copy, copy_detail.quantisation):
        return None
    if slope >= _INVISIBLE_SLOPE:
        return "the kept one has the same detail more sharply: it may have been sharpened, or this one smoothed"
    if has_errors:
        return "has the same detail more sharply: it may have been sharpened, or the kept one smoothed"
    return "it cannot be told which one was made of the other: grain may have been added, or smoothed away"


def _is_compressed(kept: Levels, copy: Levels, steps: Levels | None) -> bool:
    """Whether the kept one, compressed as a JPEG with these steps, is the copy; False without steps.

    The kept one with visible grain, or sharpened, is another picture after that too.
    """
    if steps is None:
        return False
    kept_blocks, copy_blocks = _blocks(kept), _blocks(copy)
    places, frequencies = np.arange(_BLOCK), np.arange(_BLOCK)[:, None]
    # The cosine transform of JPEG (ITU-T T.81, A.3.3), of levels about 0.
    basis = np.cos((2 * places + 1) * frequencies * np.pi / (2 * _BLOCK)) * np.sqrt(2 / _BLOCK)
    basis[0] /= np.sqrt(2)
    kept_steps, copy_steps = (
        basis @ (blocks - _MIDDLE_GREY) @ basis.T / steps for blocks in (kept_blocks, copy_blocks)
    )
    rounded, copy_rounded = np.round(kept_steps), np.round(copy_steps)
    # Half way between two values either is right: whole levels have moved the coefficient.
    is_tie = np.abs(kept_steps - copy_rounded) <= 0.5 + 1 / steps
    coefficients = np.where(is_tie, copy_rounded, rounded) * steps
    compressed = np.clip(np.round(basis.T @ coefficients @ basis + _MIDDLE_GREY), 0, 255)
    return float((compressed - copy_blocks).std()) <= _RECOMPRESSED_RMS


def _has_palette(pixels: Pixels) -> bool:
    """Whether an (h, w, 3) picture is no drawing, and has at most ``_PALETTE`` colours."""
    colours = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    if len(np.unique(colours[::_SAMPLE_STEP, ::_SAMPLE_STEP])) > _PALETTE or len(np.unique(colours)) > _PALETTE:
        return False
    is_even = colours[:, 1:] == colours[:, :-1]
    return bool(np.count_nonzero(is_even) <= _MAX_EVEN * is_even.size)


def _blocks(levels: Levels) -> Levels:
    """The (n, 8, 8) blocks of a picture."""
    height, width = (side // _BLOCK for side in levels.shape)
    blocks = levels[: height * _BLOCK, : width * _BLOCK].reshape(height, _BLOCK, width, _BLOCK)
    return blocks.swapaxes(1, 2).reshape(-1, _BLOCK, _BLOCK)


def _corner_of_middle(size: tuple[int, int]) -> tuple[int, int]:
    """The upper and left edge of ``FinestDetail.middle`` in a picture of this height and width."""
    top, left = (max(0, side - _SIDE) // 2 // _BLOCK * _BLOCK for side in size)
    return top, left


def _is_enlargement(larger: FinestDetail, smaller: FinestDetail) -> bool:
    """Whether a picture shows no more than the smaller one does when it is enlarged."""
    scales = [small / large for small, large in zip(smaller.size, larger.size, strict=True)]
    # From the centre of a pixel of the larger middle to one of the smaller.
    edges = zip(_corner_of_middle(larger.size), _corner_of_middle(smaller.size), scales, strict=True)
    shifts = [(large_edge + 0.5) * scale - 0.5 - small_edge for large_edge, small_edge, scale in edges]
    matrix = np.array([[scales[1], 0, shifts[1]], [0, scales[0], shifts[0]]])
    enlarged = cv2.warpAffine(
        smaller.middle.astype(np.float32),
        matrix,
        larger.middle.shape[::-1],
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    inside = slice(_BLOCK, -_BLOCK)
    difference = _without_tones(enlarged - larger.middle)[inside, inside].ravel()
    # Other kernels of interpolation, and some sharpening, add multiples of the detail itself.
    blurred = [enlarged - cv2.GaussianBlur(enlarged, (0, 0), sigma) for sigma in (_DETAIL_SIGMA, 2 * _DETAIL_SIGMA)]
    kernels = np.stack([levels[inside, inside].ravel() for levels in blurred], axis=1)
    factors = np.linalg.lstsq(kernels, difference, rcond=None)[0]
    return float((difference - kernels @ factors).std()) <= _ENLARGED_RMS


@dataclass(frozen=True, slots=True)
class _DetailBeyond:
    """Power beyond some frequencies as a ``share`` of that in the octave below them, and ``rms`` in levels."""

    share: float
    rms: float

    @property
    def is_empty(self) -> bool:
        """Whether it is no detail: much less than there is below, or, in a soft picture, less than anybody sees."""
        return self.share < _EMPTY or self.rms < _UNSEEN_RMS


def _detail_beyond(larger: Pixels, scale: float) -> _DetailBeyond:
    """What a picture has beyond the frequencies that it has at ``scale``."""
    levels = larger.astype(np.float32)
    height, width = levels.shape
    window = np.hanning(height)[:, None] * np.hanning(width)[None, :]
    power = np.abs(np.fft.rfft2((levels - levels.mean()) * window)) ** 2
    # Resizing cuts rows and columns off, not circles; 1 is the finest frequency of the larger one.
    frequency = 2 * np.maximum(np.abs(np.fft.fftfreq(height))[:, None], np.fft.rfftfreq(width)[None, :])
    below = float(power[(frequency > scale / 2) & (frequency <= 0.95 * scale)].sum())
    beyond = float(power[frequency > 1.02 * scale].sum())
    # Parseval's theorem; the real transform has half of the frequencies.
    rms = float(np.sqrt(2 * beyond / (levels.size * (window**2).sum())))
    return _DetailBeyond(beyond / max(below, 1e-9), rms)


def _blockiness(levels: Levels) -> float:
    """Steps between blocks of 8 × 8 pixels over steps within them."""
    rows, columns = np.abs(np.diff(levels, axis=0)).mean(axis=1), np.abs(np.diff(levels, axis=1)).mean(axis=0)
    at_borders = float(rows[_BLOCK - 1 :: _BLOCK].mean() + columns[_BLOCK - 1 :: _BLOCK].mean())
    within = sum(float(rows[first::_BLOCK].mean() + columns[first::_BLOCK].mean()) for first in (2, 3, 4)) / 3
    return at_borders / max(within, 1e-6)


def _without_tones(levels: Levels) -> Levels:
    return np.asarray(levels - cv2.GaussianBlur(levels, (0, 0), _TONE_SIGMA), np.float32)


def _correlation(first: Levels, second: Levels) -> float:
    return _cosine(first - first.mean(), second - second.mean())


def _cosine(first: Levels, second: Levels) -> float:
    lengths = float(np.linalg.norm(first)) * float(np.linalg.norm(second))
    return float(np.vdot(first, second)) / max(lengths, 1e-9)


def _grey(pixels: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
