"""Places in two dimensions at which pictures that are alike are near each other, by t-SNE.

t-SNE is laid over at most ``FITTED`` vectors, drawn by chance; each of the others is put at the places of those of them
that it is most alike. So time grows with the number of vectors, and not with its square. Why t-SNE, and what it was
compared with: decision 32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.errors import LayoutUnavailableError
from lookalike.index.base import Positions, ProgressCallback, Vectors
from lookalike.index.faiss_ops import search_all, use_threads
from lookalike.map.placement import NEIGHBOURS, middle_places

Places = npt.NDArray[np.float32]
ReadVectors = Callable[[Positions], Vectors]
"""The (n, D) unit vectors at n positions."""

FITTED = 20_000
"""The most vectors that t-SNE is fitted to: what it takes minutes for on two cores."""
PERPLEXITY = 30.0
"""About how many neighbours each vector is kept near to."""
FEWEST = 16
"""Fewer vectors are put at their two principal components: there are no neighbourhoods to keep."""
_BLOCK = 2048
_EARLY, _ALL = 250, 750
"""Iterations with exaggerated attraction, in which the clusters form, and all of them."""
_STEP = 25
"""Iterations between two reports of progress."""


def lay_out(
    count: int, read: ReadVectors, *, seed: int, threads: int, report_progress: ProgressCallback
) -> tuple[Places, int]:
    """A place (x, y) for each of ``count`` vectors, (count, 2) float32, and to how many of them t-SNE was fitted.

    Equal vectors and an equal ``seed`` give equal places on one machine. Raises LayoutUnavailableError without
    openTSNE.
    """
    if count < FEWEST:
        return _principal_components(read(np.arange(count))), count
    tsne = _import_tsne()
    fitted = np.arange(count)
    if count > FITTED:
        fitted = np.sort(np.random.default_rng(seed).choice(count, FITTED, replace=False))
    vectors = np.ascontiguousarray(read(fitted), dtype=np.float32)
    fitted_places = _fit(tsne, vectors, seed, threads, report_progress)
    if count == len(fitted):
        return fitted_places, count
    places = np.empty((count, 2), np.float32)
    places[fitted] = fitted_places
    others = np.setdiff1d(np.arange(count), fitted)
    for start in range(0, len(others), _BLOCK):
        block = others[start : start + _BLOCK]
        with use_threads(threads):
            neighbours = search_all(vectors, np.ascontiguousarray(read(block), dtype=np.float32), NEIGHBOURS)
        places[block] = middle_places(fitted_places[neighbours.positions], neighbours.scores)
        report_progress("placing", start + len(block), len(others))
    return places, len(fitted)


def _import_tsne() -> Any:
    try:
        import openTSNE
        from openTSNE import affinity, initialization, nearest_neighbors  # noqa: F401  # named as its attributes below
    except ImportError as error:
        raise LayoutUnavailableError(
            "maps are laid out by openTSNE, which is not installed here: run `pip install 'lookalike[map]'`",
            subject="openTSNE",
        ) from error
    return openTSNE


def _fit(tsne: Any, vectors: Vectors, seed: int, threads: int, report_progress: ProgressCallback) -> Places:
    """Places of (n, D) vectors by t-SNE, (n, 2), centred at 0; ``threads`` find neighbours, and one does the rest.

    openTSNE's threads spin while they wait for one that has no core: 500 vectors took on a busy machine
    24 s with two of them, and 6 s with one.
    """
    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
    neighbours, distances = _near(vectors, int(3 * perplexity), threads, report_progress)
    affinities = tsne.affinity.PerplexityBasedNN(
        knn_index=tsne.nearest_neighbors.PrecomputedNeighbors(neighbours, distances),
        perplexity=perplexity,
        n_jobs=1,
    )
    completed = 0

    def report(_iteration: int, _error: float, _embedding: object) -> None:
        nonlocal completed
        completed += _STEP
        report_progress("laying out", min(completed, _ALL), _ALL)

    embedding = tsne.TSNE(
        early_exaggeration_iter=_EARLY,
        n_iter=_ALL - _EARLY,
        random_state=seed,
        n_jobs=1,
        callbacks=report,
        callbacks_every_iters=_STEP,
    ).fit(affinities=affinities, initialization=tsne.initialization.pca(vectors, random_state=seed))
    places = np.asarray(embedding, dtype=np.float32)
    centred: Places = places - places.mean(axis=0)
    return centred


def _near(
    vectors: Vectors, k: int, threads: int, report_progress: ProgressCallback
) -> tuple[Positions, npt.NDArray[np.float64]]:
    """The k nearest other vectors of each, (n, k), and their Euclidean distances, sqrt(2 - 2 cosine)."""
    positions = np.empty((len(vectors), k), np.int64)
    distances = np.empty((len(vectors), k), np.float64)
    for start in range(0, len(vectors), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(vectors)))
        with use_threads(threads):
            found = search_all(vectors, vectors[rows], k + 1)
        # Where more than k have the same vector, itself may not be among its nearest: then the last one is left out.
        is_self = found.positions == rows[:, None]
        is_self[~is_self.any(axis=1), -1] = True
        positions[rows] = found.positions[~is_self].reshape(len(rows), k)
        cosines = found.scores[~is_self].reshape(len(rows), k).astype(np.float64)
        distances[rows] = np.sqrt(np.maximum(0, 2 - 2 * cosines))
        report_progress("finding neighbours", int(rows[-1]) + 1, len(vectors))
    return positions, distances


def _principal_components(vectors: Vectors) -> Places:
    """The first two principal components of a few vectors, (n, 2); zeros where there are none."""
    places = np.zeros((len(vectors), 2), np.float32)
    if len(vectors) > 1:
        centred = vectors - vectors.mean(axis=0)
        left, sizes, _ = np.linalg.svd(centred.astype(np.float64), full_matrices=False)
        components = (left * sizes)[:, :2]
        # A component's sign is arbitrary: the picture that is farthest out is on the positive side.
        farthest = np.abs(components).argmax(axis=0)
        signs = np.sign(components[farthest, np.arange(components.shape[1])])
        places[:, : components.shape[1]] = components * np.where(signs == 0, 1, signs)
    return places
