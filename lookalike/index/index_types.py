"""The port `IndexType`, which the planner reads, and the registry that builds and loads indexes by the type's name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from lookalike.errors import VectorsInvalidError
from lookalike.index.base import IndexSettings, ProgressCallback, VectorIndex, Vectors


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an index costs: ``memory`` that a fast query needs to be resident, ``disk`` of a snapshot.

    Bytes, seconds of one core, and milliseconds a query on one core.
    """

    memory: float
    disk: float
    build_s: float
    query_ms: float

    def fields(self, engine: str) -> dict[str, Any]:
        """The fields as JSON, with the name of the type."""
        return {"engine": engine, **asdict(self)}


class IndexType(Protocol):
    """What the class of an index has, besides the methods of ``VectorIndex`` for its instances."""

    @property
    def is_exact(self) -> bool:
        """Whether its recall is 1, it has no settings, and it can be built over no vectors."""

    @property
    def is_reference(self) -> bool:
        """Whether it serves to check the others, and is not listed as an alternative in a plan."""

    @property
    def min_vectors(self) -> int:
        """The number of vectors below which it cannot be trained well."""

    @property
    def next_up(self) -> str | None:
        """The type to build if this one missed its target; None for an exact one."""

    def estimate(self, count: int, dimension: int) -> Estimate:
        """What it costs for ``count`` vectors of ``dimension`` numbers."""

    def build(self, vectors: Vectors, report_progress: ProgressCallback) -> VectorIndex:
        """An index over (n, D) float32 unit vectors, which are not copied; n is at least 1 unless it is exact."""

    def load(self, path: Path, vectors: Vectors, settings: IndexSettings | None) -> VectorIndex:
        """The index that ``save`` wrote, over the vectors that it was built on; raises IndexDamagedError."""


@dataclass(frozen=True, slots=True)
class IndexTypes:
    """Index types by name; each is imported when it is first needed, since importing FAISS takes a while."""

    loaders: Mapping[str, Callable[[], IndexType]]

    def __iter__(self) -> Iterator[str]:
        """The names, the most common ones first."""
        return iter(self.loaders)

    def __getitem__(self, name: str) -> IndexType:
        """The type of that name; raises VectorsInvalidError if there is none."""
        if name not in self.loaders:
            raise VectorsInvalidError(
                f"there is no index engine {name!r}; there are: {', '.join(self.loaders)}", subject="engine"
            )
        return self.loaders[name]()

    def build(self, name: str, vectors: Vectors, report_progress: ProgressCallback) -> VectorIndex:
        """An index of a named type over (n, D) float32 unit vectors, which are not copied.

        Raises VectorsInvalidError for an unknown name, or if an approximate type gets no vector.
        """
        index_type = self[name]
        if len(vectors) == 0 and not index_type.is_exact:
            raise VectorsInvalidError(f"{name} cannot be built over no vectors: use faiss-flat", subject="vectors")
        return index_type.build(vectors, report_progress)

    def load(self, name: str, path: Path, vectors: Vectors, settings: IndexSettings | None = None) -> VectorIndex:
        """The index that a named type saved, over the vectors that it was built on.

        Raises IndexDamagedError, and VectorsInvalidError for an unknown name.
        """
        return self[name].load(path, vectors, settings)

    def estimates(self, count: int, dimension: int) -> dict[str, Estimate]:
        """What each type would cost for ``count`` vectors of ``dimension`` numbers, by name."""
        types = {name: self[name] for name in self.loaders}
        return {
            name: index_type.estimate(count, dimension)
            for name, index_type in types.items()
            if not index_type.is_reference
        }
