"""Places where a copy shows something else: a changed number, a caption, a logo, a face painted over.

Agreement in the mean hides them, so the worst places decide. The pictures are aligned to a fraction of a pixel, the
sharper one is blurred, and one's levels are mapped to the other's; what then lies beyond all neighbouring pixels of the
other is a residual, in grey or in colour. What JPEG, scaling or blur leave is everywhere where there is detail, and
keeps the shape of what is there; an edit is in one place, and does not. A ground of another colour, and other
hues as a whole, which mapped levels hide, are looked for by themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt

from lookalike.copies.alignment import Matrix
from lookalike.copies.fingerprint import Bytes, Fingerprint
from lookalike.copies.ground import are_coloured_alike, changed_ground
from lookalike.copies.hue import turned_hues
from lookalike.copies.level_matching import match_levels, match_sharpness
from lookalike.copies.masks import Mask, grow, has_detail, rows_and_columns, shrink, square
from lookalike.copies.occlusion import banner_masks, corner_mask
from lookalike.copies.refinement import AlignedPair, align_details
from lookalike.copies.warping import scale_between, warp

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 as fractions of the upright picture's width and height."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """From which residuals on a place differs.

    ``usual_percentile`` of the residuals of the other detail, and at least ``least_usual`` levels, are usual. A place
    differs whose peak is ``certain`` times as large, whatever its shape, or ``probable`` times if its shape correlates
    by less than ``max_correlation``, or ``other_residual`` levels if it correlates by less than ``other_correlation``:
    where all of a page differs, residuals are large everywhere.
    """

    usual_percentile: float
    probable: float
    certain: float
    max_correlation: float
    least_usual: float = 1e-3
    other_residual: float = math.inf
    other_correlation: float = 0.0


_GREY = _Rule(95.0, 4.0, 12.0, 0.8, other_residual=30.0, other_correlation=0.6)
_COLOUR = _Rule(95.0, 10.0, 30.0, 0.8)
"""Colours that overexposure clips have large residuals."""
_PIXELS = _Rule(99.9, 2.0, 5.0, 0.9, least_usual=5.0)
"""Residuals pixel by pixel are small where nothing was changed."""

_MARGIN = 3
"""Pixels at the edge of what both show that are not compared."""
_SMOOTHING = 3
"""Side, in pixels, over which residuals are averaged."""
_MIN_RESIDUAL = 20.0
"""Levels of averaged residual from which a place may differ."""
_SAME_FRAME = 0.75
"""Pixels that the corners of two pictures may be apart for them to lie on each other pixel by pixel."""
_NOISE_PRODUCT = 200.0
"""Added to the product of the variances of a place, in squared levels each, so that flat places do not correlate."""
_MERGE_DISTANCE = 15
"""Pixels between residuals that belong to one place."""
_PADDING = 4
"""Pixels around a place that its shape is compared with."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One place that differs: where it is in either picture."""

    first: Box
    second: Box


@dataclass(frozen=True, slots=True, eq=False)
class _Planes:
    """One plane of both pictures in one frame, (h, w) uint8 each; ``compared`` (h, w) is where they are compared.

    ``residuals`` (h, w) uint8 is by how much each pixel of either is lighter or darker than all of the other's next to
    it.
    """

    first: Bytes
    second: Bytes
    compared: Mask
    residuals: Bytes

    @classmethod
    def of(cls, first: Bytes, second: Bytes, compared: Mask) -> Self:
        """The planes with their residuals, ``first`` with the levels of ``second``."""
        first = match_levels(first, second, compared)
        return cls(first, second, compared, np.maximum(_beyond(first, second), _beyond(second, first)))

    @property
    def has_detail(self) -> Mask:
        """Where either is not even."""
        return has_detail(self.first) | has_detail(self.second)


@dataclass(frozen=True, slots=True)
class DetailComparison:
    """Where two copies differ, the largest place first, and the share of either picture that is a banner."""

    differences: tuple[Difference, ...] = ()
    banners: tuple[float, float] = (0.0, 0.0)


def compare_details(
    first: Fingerprint, second: Fingerprint, matrix: Matrix, *, most: int | None = None
) -> DetailComparison:
    """Compare two copies place by place; ``matrix`` (3, 3) maps ``first.grey`` to ``second.grey``.

    What one of them shows beyond the other's edge, and a banner or border over it, is no difference. With ``most`` the
    comparison ends at so many places that differ, any of them.
    """
    to_details = (
        scale_between(second.grey, second.detail) @ matrix @ np.linalg.inv(scale_between(first.grey, first.detail))
    )
    if abs(np.linalg.det(to_details[:2, :2])) > 1:  # the finer one is scaled down
        swapped = _compare_finer(second, first, np.linalg.inv(to_details), most)
        differences = tuple(Difference(first=place.second, second=place.first) for place in swapped.differences)
        return DetailComparison(differences, (swapped.banners[1], swapped.banners[0]))
    return _compare_finer(first, second, to_details, most)


def _compare_finer(first: Fingerprint, second: Fingerprint, matrix: Matrix, most: int | None) -> DetailComparison:
    """``compare_details`` in the frame of the second, which has no more pixels for the same thing than the first."""
    pair = align_details(first.detail, second.detail, matrix)
    banner_of_first, banner_of_second = banner_masks(pair.warped, pair.second, pair.inside)
    scale = abs(float(np.linalg.det(pair.matrix[:2, :2])))
    banners = (float(banner_of_first.sum() / scale / first.detail.size), float(banner_of_second.mean()))
    compared = shrink(pair.inside, _MARGIN) & ~banner_of_first & ~banner_of_second
    if not compared.any():
        return DetailComparison(banners=banners)
    differing = list(islice(_differing_places(first, second, pair, compared), most))
    places = _merge_overlapping([box for box, is_area in differing if not is_area])
    places += [box for box, is_area in differing if is_area]
    places.sort(key=lambda box: (box[0] - box[2]) * (box[3] - box[1]))
    back = np.linalg.inv(pair.matrix)
    differences = tuple(
        Difference(_fractions(_map_box(box, back), first.detail), _fractions(box, second.detail)) for box in places
    )
    return DetailComparison(differences, banners)


def _differing_places(
    first: Fingerprint, second: Fingerprint, pair: AlignedPair, compared: Mask
) -> Iterator[tuple[Box, bool]]:
    """Places, in pixels of ``pair.second``, where the two differ in detail or colour, some of which overlap; then areas
    whose ground or hue differs, each with true beside it: a changed word in one of them is a place of its own."""
    grey = _Planes.of(*match_sharpness(pair.warped, pair.second, pair.blocks), compared)
    differs = (grey.residuals >= _MIN_RESIDUAL) & compared
    grey = replace(grey, compared=compared & ~corner_mask(grey.first, grey.second, differs, pair.inside))
    yield from ((box, False) for box in _exceptional_pixels(first.detail, pair, grey.compared))
    yield from ((box, False) for box in _exceptional_places([grey], _GREY))
    colours = _ColouredPair.of(first, second, pair, grey.compared)
    yield from ((box, False) for box in colours.exceptional_places(pair.blocks))
    for find in (changed_ground, turned_hues):
        area = find(colours.first, colours.second, colours.compared)
        if area is not None:
            top, bottom, left, right = rows_and_columns(area)
            box = (float(left), float(top), float(right), float(bottom))
            yield _map_box(box, np.linalg.inv(colours.matrix)), True


@dataclass(frozen=True, slots=True, eq=False)
class _ColouredPair:
    """Two aligned pictures (h, w, 3) uint8, grey, a and b, in the frame of the second's ``detail_colour``.

    ``matrix`` (3, 3) maps pixels of the second's ``detail`` to it; ``compared`` (h, w) is where they are compared.
    """

    first: Bytes
    second: Bytes
    compared: Mask
    matrix: Matrix

    @classmethod
    def of(cls, first: Fingerprint, second: Fingerprint, pair: AlignedPair, compared: Mask) -> Self:
        """The aligned pictures with their colours."""
        height, width = second.detail_colour.shape[:2]
        matrix = scale_between(second.detail, second.detail_colour)
        to_frame = matrix @ pair.matrix @ np.linalg.inv(scale_between(first.detail, first.detail_colour))
        frame = (width, height)
        greys = [cv2.resize(grey, frame, interpolation=cv2.INTER_AREA) for grey in (pair.warped, pair.second)]
        warped = [warp(np.ascontiguousarray(first.detail_colour[..., which]), to_frame, frame) for which in range(2)]
        reduced = cv2.resize(compared.astype(np.uint8), frame, interpolation=cv2.INTER_AREA) > 0
        return cls(
            np.dstack([greys[0], *warped]).astype(np.uint8, copy=False),
            np.dstack([greys[1], second.detail_colour]).astype(np.uint8, copy=False),
            shrink(reduced, 1),
            matrix,
        )

    def exceptional_places(self, blocks: npt.NDArray[np.int64]) -> Iterator[Box]:
        """Places, in pixels of the second's ``detail``, whose colours differ and perhaps not their greys.

        ``blocks`` (n, 2) are the centres, in the same pixels, of blocks in which the pictures agree.
        """
        if not self.compared.any():
            return
        blocks = np.rint(blocks @ self.matrix[:2, :2].T).astype(np.int64)
        planes = []
        for channel in (1, 2):
            first, second = (np.ascontiguousarray(picture[..., channel]) for picture in (self.first, self.second))
            plane = _Planes.of(*match_sharpness(first, second, blocks), self.compared)
            if are_coloured_alike(plane.first[self.compared], plane.second[self.compared]):
                planes.append(plane)
        if planes:
            back = np.linalg.inv(self.matrix)
            yield from (_map_box(box, back) for box in _exceptional_places(planes, _COLOUR))


def _exceptional_places(planes: list[_Planes], rule: _Rule) -> Iterator[Box]:
    """Boxes, in pixels, around residuals of any of the ``planes`` that are exceptional by the rule."""
    residuals = np.max([plane.residuals * plane.compared for plane in planes], axis=0).astype(np.float32)
    residuals = cv2.blur(residuals, (_SMOOTHING, _SMOOTHING)).astype(np.float32, copy=False)
    exceeding = (residuals >= _MIN_RESIDUAL).astype(np.uint8)
    if not exceeding.any():
        return
    detailed = np.any([plane.compared & plane.has_detail for plane in planes], axis=0)
    merged = cv2.dilate(exceeding, square(_MERGE_DISTANCE)).astype(np.uint8, copy=False)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(merged)
    surroundings = grow(exceeding > 0, 2 * _PADDING + 1)
    for label in range(1, len(boxes)):
        is_here = labels == label
        peak = float(residuals[is_here].max())
        elsewhere = residuals[detailed & ~is_here]
        usual = float(np.percentile(elsewhere, rule.usual_percentile)) if len(elsewhere) else 0.0
        correlation = min(_correlation(plane, is_here & surroundings) for plane in planes)
        ratio = peak / max(usual, rule.least_usual)
        if (
            ratio >= rule.certain
            or (ratio >= rule.probable and correlation < rule.max_correlation)
            or (peak >= rule.other_residual and correlation < rule.other_correlation)
        ):
            x, y, width, height, _ = (float(value) for value in boxes[label])
            inset = _MERGE_DISTANCE // 2
            yield x + inset, y + inset, x + width - inset, y + height - inset


def _exceptional_pixels(first: Bytes, pair: AlignedPair, compared: Mask) -> Iterator[Box]:
    """Places, in pixels of ``pair.second``, that differ where both show one frame: no pixel lies beside its own.

    Digits in small print and thin strokes have nothing beyond all neighbouring pixels of another digit. ``first`` is
    the picture before it was warped.
    """
    height, width = pair.second.shape
    to_frame = scale_between(first, pair.second)
    corners = np.array([[0, width, 0, width], [0, 0, height, height], [1.0, 1.0, 1.0, 1.0]])
    if np.abs((pair.matrix @ np.linalg.inv(to_frame) - np.eye(3))[:2] @ corners).max() > _SAME_FRAME:
        return
    if first.shape != pair.second.shape:
        first = cv2.resize(first, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    first, second = match_sharpness(first, pair.second, pair.blocks)
    first = match_levels(first, second, compared)
    residuals = cv2.absdiff(first, second).astype(np.uint8, copy=False)
    yield from _exceptional_places([_Planes(first, second, compared, residuals)], _PIXELS)


def _merge_overlapping(boxes: list[Box]) -> list[Box]:
    """The boxes around those that overlap or nearly do: a place may differ in grey and in colour."""
    merged: list[Box] = []
    for box in boxes:
        current, reach = box, _MERGE_DISTANCE / 2
        for other in [other for other in merged if _gap(box, other) < reach]:
            merged.remove(other)
            current = (
                min(current[0], other[0]),
                min(current[1], other[1]),
                max(current[2], other[2]),
                max(current[3], other[3]),
            )
        merged.append(current)
    return merged


def _gap(first: Box, second: Box) -> float:
    """The distance of two boxes in pixels along the axis on which they are farther apart; negative if they overlap."""
    return max(first[0] - second[2], second[0] - first[2], first[1] - second[3], second[1] - first[3])


def _beyond(first: Bytes, second: Bytes) -> Bytes:
    """By how much ``second`` is lighter or darker than every pixel of ``first`` next to it."""
    neighbours = square(3)
    lighter = cv2.subtract(second, cv2.dilate(first, neighbours))
    darker = cv2.subtract(cv2.erode(first, neighbours), second)
    return np.maximum(lighter, darker).astype(np.uint8, copy=False)


def _correlation(planes: _Planes, place: Mask) -> float:
    """Correlation of the two planes in a place."""
    first, second = (grey[place].astype(np.float32) for grey in (planes.first, planes.second))
    first, second = first - first.mean(), second - second.mean()
    return float((first * second).mean() / np.sqrt((first * first).mean() * (second * second).mean() + _NOISE_PRODUCT))


def _map_box(box: Box, matrix: Matrix) -> Box:
    """The box around a mapped box: both by their edges, half a pixel from the centres that ``matrix`` maps."""
    x0, y0, x1, y1 = (edge - 0.5 for edge in box)
    corners = matrix[:2] @ np.array([[x0, x1, x0, x1], [y0, y0, y1, y1], [1.0, 1.0, 1.0, 1.0]]) + 0.5
    return float(corners[0].min()), float(corners[1].min()), float(corners[0].max()), float(corners[1].max())


def _fractions(box: Box, picture: Bytes) -> Box:
    height, width = picture.shape
    x0, y0, x1, y1 = (
        min(1.0, max(0.0, edge / side)) for edge, side in zip(box, (width, height, width, height), strict=True)
    )
    return round(x0, 4), round(y0, 4), round(x1, 4), round(y1, 4)
