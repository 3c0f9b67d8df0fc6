"""Checks of what an index is given: vectors and masks."""

from __future__ import annotations

import math

import numpy as np

from lookalike.errors import VectorsInvalidError
from lookalike.index.base import Mask, Vectors

_DOT_LIMIT = 4096  # numbers


def check_vectors(vectors: Vectors, dimension: int) -> Vectors:
    """The same rows, contiguous; raises VectorsInvalidError unless they are finite (n, dimension) float32."""
    if vectors.ndim != 2 or vectors.shape[1] != dimension:
        raise VectorsInvalidError(f"expected vectors of shape (n, {dimension}), got {vectors.shape}", subject="vectors")
    if vectors.dtype != np.float32:
        raise VectorsInvalidError(f"expected float32 vectors, got {vectors.dtype}", subject="vectors")
    if not _is_finite(vectors):
        raise VectorsInvalidError("vectors have NaN or infinite numbers", subject="vectors")
    return np.ascontiguousarray(vectors)


def _is_finite(vectors: Vectors) -> bool:
    # A dot product is the fastest check of a query. It may also overflow, which the second check rules out; and BLAS
    # would split a long one among threads, which a search must not use.
    if vectors.size <= _DOT_LIMIT and math.isfinite(np.vdot(vectors, vectors)):
        return True
    return bool(np.isfinite(vectors).all())


def check_mask(mask: Mask | None, count: int) -> None:
    """Raises VectorsInvalidError unless ``mask`` is None or (count,) bool."""
    if mask is not None and (mask.shape != (count,) or mask.dtype != np.bool_):
        raise VectorsInvalidError(
            f"expected a mask of shape ({count},) and dtype bool, got {mask.shape} {mask.dtype}",
            subject="mask",
        )
