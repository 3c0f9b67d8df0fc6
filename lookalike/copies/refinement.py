"""Alignment of two detail pictures to a fraction of a pixel, on from the coarse one of their fingerprints."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from lookalike.copies.alignment import Matrix
from lookalike.copies.fingerprint import Bytes, side_factor
from lookalike.copies.masks import Mask
from lookalike.copies.warping import warp

Floats = npt.NDArray[np.float32]

SMALLEST_BLOCK, LARGEST_BLOCK = 12, 32
"""Side, in pixels, of the blocks that are matched: a sixth of the frame's shorter side, within these."""
_STEPS = ((512, 6, 5), (1024, 3, 8))
"""Coarse, then fine: longest side of the frame, and how far a block may lie from where the matrix puts it, in pixels;
cells each way of a grid, of each of which the most textured block is matched."""
_MIN_VARIANCE = 60.0
"""Squared grey levels of a block that has something to match."""
_MIN_CORRELATION = 0.6
_MIN_BLOCKS = 5
_MAX_ERROR = 1.0
"""Pixels between where the corrected matrix puts a block and where it was matched."""
_MAX_CHANGE = 0.08
"""Largest change of the matrix's linear part: a larger one is a wrong match."""


@dataclass(frozen=True, slots=True, eq=False)
class AlignedPair:
    """The first picture ``warped`` into the frame of the ``second``, both (h, w) uint8.

    ``matrix`` (3, 3) maps pixels of the first to pixels of the second; ``inside`` is where the first has pixels;
    ``blocks`` (n, 2) int64 are the centres (x, y) of blocks in which the two agree, or of all if too few do.
    """

    warped: Bytes
    second: Bytes
    matrix: Matrix
    inside: Mask
    blocks: npt.NDArray[np.int64]


def align_details(first: Bytes, second: Bytes, matrix: Matrix) -> AlignedPair:
    """Refine ``matrix``, which maps ``first`` to ``second`` to within a hundredth of their sides."""
    blocks = np.empty((0, 2), np.int64)
    for side, reach, cells in _STEPS:
        scale = min(1.0, side_factor(second.shape) * side / max(second.shape))
        frame_size = (max(1, round(second.shape[1] * scale)), max(1, round(second.shape[0] * scale)))
        to_frame = np.diag([frame_size[0] / second.shape[1], frame_size[1] / second.shape[0], 1.0])
        frame = second if scale == 1 else cv2.resize(second, frame_size, interpolation=cv2.INTER_AREA)
        frame_matrix = to_frame @ matrix
        correction, blocks = _correct(
            warp(first, frame_matrix, frame_size), frame.astype(np.uint8, copy=False), reach, cells
        )
        matrix = np.linalg.inv(to_frame) @ correction @ frame_matrix
    size = (second.shape[1], second.shape[0])
    inside = cv2.warpAffine(np.full_like(first, 255), matrix[:2], size, flags=cv2.INTER_NEAREST)
    return AlignedPair(warp(first, matrix, size), second, matrix, inside > 0, blocks)


def _correct(warped: Bytes, frame: Bytes, reach: int, cells: int) -> tuple[Matrix, npt.NDArray[np.int64]]:
    """The map (3, 3) that moves ``warped`` onto ``frame``, and the centres of blocks that it moves to their match.

    Without enough of those the map is the identity, and the centres are those of all blocks that were tried.
    """
    side = min(LARGEST_BLOCK, max(SMALLEST_BLOCK, min(frame.shape) // 6 // 2 * 2))
    corners = (
        _textured_blocks(warped[reach : frame.shape[0] - reach, reach : frame.shape[1] - reach], side, cells) + reach
    )
    shifts = [_match_block(warped, frame, corner, side, reach) for corner in corners.tolist()]
    matched = np.array([shift is not None for shift in shifts], bool)
    unchanged = np.eye(3), corners + side // 2
    if matched.sum() < _MIN_BLOCKS:
        return unchanged
    centres = corners[matched].astype(np.float32) + (side - 1) / 2
    targets = centres + np.array([shift for shift in shifts if shift is not None], np.float32)
    correction, inliers = cv2.estimateAffine2D(
        centres, targets, method=cv2.RANSAC, ransacReprojThreshold=_MAX_ERROR, maxIters=300, confidence=0.995
    )
    if (
        correction is None
        or int(inliers.sum()) < _MIN_BLOCKS
        or np.abs(correction[:, :2] - np.eye(2)).max() > _MAX_CHANGE
    ):
        return unchanged
    return np.vstack([correction, [0.0, 0.0, 1.0]]), np.rint(targets[inliers.ravel() > 0]).astype(np.int64)


def _textured_blocks(grey: Bytes, side: int, cells: int) -> npt.NDArray[np.int64]:
    """Upper left corners (n, 2), as (x, y), of the block with most variance in each of ``cells`` × ``cells`` cells."""
    rows, columns = grey.shape[0] // side, grey.shape[1] // side
    if rows == 0 or columns == 0:
        return np.empty((0, 2), np.int64)
    blocks = grey[: rows * side, : columns * side].astype(np.float32)
    mean = cv2.resize(blocks, (columns, rows), interpolation=cv2.INTER_AREA)
    variance = cv2.resize(blocks * blocks, (columns, rows), interpolation=cv2.INTER_AREA) - mean * mean
    corners = []
    along = round(cells * side_factor(grey.shape))  # a long picture has more cells, not longer ones
    down, across = (along, cells) if rows > columns else (cells, along)
    for cell_rows in np.array_split(np.arange(rows), min(down, rows)):
        for cell_columns in np.array_split(np.arange(columns), min(across, columns)):
            cell = variance[np.ix_(cell_rows, cell_columns)]
            row, column = np.unravel_index(int(cell.argmax()), cell.shape)
            if cell[row, column] >= _MIN_VARIANCE:
                corners.append((int(cell_columns[column]) * side, int(cell_rows[row]) * side))
    return np.array(corners, np.int64).reshape(-1, 2)


def _match_block(
    warped: Bytes, frame: Bytes, corner: tuple[int, int], side: int, reach: int
) -> tuple[float, float] | None:
    """How far, (x, y) in pixels, a block of ``warped`` moved in ``frame``; None without one like it in reach."""
    x, y = corner
    block = warped[y : y + side, x : x + side]
    correlations = cv2.matchTemplate(
        frame[y - reach : y + side + reach, x - reach : x + side + reach], block, cv2.TM_CCOEFF_NORMED
    ).astype(np.float32, copy=False)
    _, best, _, (column, row) = cv2.minMaxLoc(correlations)
    if best < _MIN_CORRELATION or {row, column} & {0, 2 * reach}:  # the best is farther off, or, on a ramp, anywhere
        return None
    return (
        column - reach + _peak_offset(correlations[row], column),
        row - reach + _peak_offset(correlations[:, column], row),
    )


def _peak_offset(values: npt.NDArray[np.floating], place: int) -> float:
    """Where between the neighbours of ``place``, -0.5 to 0.5, the parabola through their values has its maximum."""
    if not 0 < place < len(values) - 1:
        return 0.0
    before, at, after = (float(value) for value in values[place - 1 : place + 2])
    bend = before - 2 * at + after
    return min(0.5, max(-0.5, 0.5 * (before - after) / bend)) if bend < 0 else 0.0
