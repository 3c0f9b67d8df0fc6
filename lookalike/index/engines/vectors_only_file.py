"""What the exact scans share: their file, a note of the vectors that it belongs to, and what they cost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from lookalike.errors import IndexDamagedError
from lookalike.index.base import Vectors
from lookalike.index.index_types import Estimate

OldShape = Callable[[Path], tuple[int, int]]


def scan_estimate(count: int, dimension: int) -> Estimate:
    """What an exact scan costs, which reads all vectors for each query: measured at 8.5 GB a second."""
    size = 4.0 * count * dimension
    return Estimate(size, size, 0.0, 1000 * size / 8.5e9)


def write_note(path: Path, vectors: Vectors) -> None:
    """Write how many vectors of which dimension the index is over; raises OSError."""
    count, dimension = vectors.shape
    path.write_text(json.dumps({"count": count, "dimension": dimension}) + "\n")


def check_note(path: Path, vectors: Vectors, old_shape: OldShape) -> None:
    """Raise IndexDamagedError unless the file is a note of these vectors.

    Until notes were written the file held the vectors once more; ``old_shape`` tells how many are in such a file, of
    which dimension, and raises IndexDamagedError for anything else.
    """
    try:
        with path.open("rb") as file:
            head = file.read(200)
        fields = json.loads(head) if head.startswith(b"{") else None
        shape = old_shape(path) if fields is None else (fields["count"], fields["dimension"])
    except (OSError, ValueError, KeyError) as error:
        raise IndexDamagedError(f"{path} cannot be read as an index: {error}", subject=str(path)) from error
    if shape != vectors.shape:
        raise IndexDamagedError(
            f"{path} is of {shape[0]} vectors of {shape[1]} numbers, and there are {len(vectors)} of "
            f"{vectors.shape[1]} beside it",
            subject=str(path),
        )
