"""Of pictures that have very many like them by hash, only the nearest stay candidates.

Forms that differ in a number, screenshots of one app, products photographed alike: each of a thousand is near each
other one by hash, which is half a million pairs, of which none joins the next. A copy of one of them shows the same
words in the same places, so what sets a picture apart from the rest of its crowd ranks its copies first: 100 JPEGs,
half and a third the size, of 400 forms and of 400 screenshots all had their original in the first place. Copies of
another frame, cut, bordered or turned, are found in a crowd by the encoder, or beside the likely original.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor

import numpy as np
import numpy.typing as npt

from lookalike.copies import Fingerprint
from lookalike.duplicates.candidates import CandidatePairs, Numbers
from lookalike.duplicates.disjoint_sets import DisjointSets

Layouts = npt.NDArray[np.float16]

CROWD = 48
"""Pictures near one by hash from which it is in a crowd."""
NEAREST = 4
"""Candidates of each picture of a crowd that stay."""
_SIDE = 48
"""Side, in pixels, of the grey picture that is compared."""
_PAIRS_AT_ONCE = 1 << 14


def thin_crowds(
    pairs: CandidatePairs, count: int, layout_of: Callable[[int], Layouts | None], threads: Executor
) -> CandidatePairs:
    """The pairs without those by hash of two pictures of a crowd of which neither is among the other's nearest.

    ``pairs`` are of pictures numbered below ``count``; ``layout_of`` gives ``layout`` of one of them, or None if it
    cannot be read. Pairs of equal hashes, which are few, stay. The distance of pairs in a crowd becomes that of what
    sets both apart, 0 to 1.
    """
    is_near = (pairs.distances > 0) & (pairs.distances < 1)
    near_counts = np.bincount(np.concatenate([pairs.first[is_near], pairs.second[is_near]]), minlength=count)
    is_crowded = near_counts > CROWD
    places = np.flatnonzero(is_near & is_crowded[pairs.first] & is_crowded[pairs.second])
    if not len(places):
        return pairs
    numbers, ends = np.unique(np.stack([pairs.first[places], pairs.second[places]]), return_inverse=True)
    first, second = ends.reshape(2, -1)
    distances = _distances(_set_apart(numbers, first, second, layout_of, threads), first, second)
    is_kept = np.ones(len(pairs), bool)
    is_kept[places] = _is_near_either(first, second, distances)
    new_distances = pairs.distances.copy()
    new_distances[places] = distances
    return CandidatePairs(pairs.first[is_kept], pairs.second[is_kept], new_distances[is_kept])


def layout(fingerprint: Fingerprint) -> Layouts:
    """A picture's (48 * 48,) grey levels less their mean, of length 1."""
    small = fingerprint.squashed_grey(_SIDE)
    flat: Layouts = _unit((small - small.mean()).reshape(1, -1)).ravel().astype(np.float16)
    return flat


def _set_apart(
    numbers: Numbers, first: Numbers, second: Numbers, layout_of: Callable[[int], Layouts | None], threads: Executor
) -> Layouts:
    """For each of the ``numbers`` its layout less the mean of its crowd, of length 1; zeros if it cannot be read.

    ``first`` and ``second`` are places in ``numbers`` of pairs that are in one crowd.
    """
    layouts = np.zeros((len(numbers), _SIDE * _SIDE), np.float16)
    for place, found in enumerate(threads.map(layout_of, numbers.tolist())):
        if found is not None:
            layouts[place] = found
    crowds = DisjointSets(len(numbers))
    for pair in zip(first.tolist(), second.tolist(), strict=True):
        crowds.join(*pair)
    for crowd in crowds.sets(range(len(numbers))):
        mean = layouts[crowd].mean(axis=0, dtype=np.float32)
        layouts[crowd] = _unit(layouts[crowd] - mean).astype(np.float16)
    return layouts


def _distances(layouts: Layouts, first: Numbers, second: Numbers) -> npt.NDArray[np.float32]:
    """Half of 1 less the cosine, for each pair."""
    cosines = np.empty(len(first), np.float32)
    for start in range(0, len(first), _PAIRS_AT_ONCE):
        block = slice(start, start + _PAIRS_AT_ONCE)
        cosines[block] = np.einsum(
            "ij,ij->i", layouts[first[block]].astype(np.float32), layouts[second[block]].astype(np.float32)
        )
    return np.clip((1 - cosines) / 2, 0, 1)


def _is_near_either(first: Numbers, second: Numbers, distances: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Of each pair, whether one of the two is among the nearest of the other."""
    owners = np.concatenate([first, second])
    order = np.lexsort((np.concatenate([distances, distances]), owners))
    starts = np.flatnonzero(np.append(True, np.diff(owners[order]) != 0))
    ranks = np.arange(len(owners)) - np.repeat(starts, np.diff(np.append(starts, len(owners))))
    is_nearest = np.empty(len(owners), bool)
    is_nearest[order] = ranks < NEAREST
    is_near_first, is_near_second = is_nearest.reshape(2, -1)
    either: npt.NDArray[np.bool_] = is_near_first | is_near_second
    return either


def _unit(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    units: npt.NDArray[np.float32] = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 1e-6)
    return units
