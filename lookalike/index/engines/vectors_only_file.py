"""What the exact scans share: their file, which has only the shape of the vectors, and their estimate."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from lookalike.errors import IndexDamagedError
from lookalike.index.base import Vectors
from lookalike.index.index_types import Estimate

OldShape = Callable[[Path], tuple[int, int]]


def scan_estimate(count: int, dimension: int) -> Estimate:
    """The cost of an exact scan, which reads all vectors for each query: measured at 8.5 GB a second."""
    size = 4.0 * count * dimension
    return Estimate(size, size, 0.0, 1000 * size / 8.5e9)


def write_shape(path: Path, vectors: Vectors) -> None:
    """Write the number and the dimension of the vectors; raises OSError."""
    count, dimension = vectors.shape
    path.write_text(json.dumps({"count": count, "dimension": dimension}) + "\n")


def check_shape(path: Path, vectors: Vectors, old_shape: OldShape) -> None:
    """Raise IndexDamagedError unless the file has the shape of these vectors.

    In older snapshots the file is a copy of the vectors; ``old_shape`` reads the shape of such a file, and raises
    IndexDamagedError for any other.
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
