"""The types of index that there are: what the planner must know of each, and one registry that makes them by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from lookalike.errors import VectorsInvalidError
from lookalike.index.base import IndexSettings, Tell, VectorIndex, Vectors


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an index costs: ``memory`` is what a query needs at hand to be fast, ``disk`` what a snapshot of it takes.

    Bytes, seconds of one core, and milliseconds a query on one core.
    """

    memory: float
    disk: float
    build_s: float
    query_ms: float

    def fields(self, engine: str) -> dict[str, Any]:
        """For a program, with the name of the type."""
        return {"engine": engine, **asdict(self)}


class IndexType(Protocol):
    """What the class of an index says of all of its kind, beside being a ``VectorIndex``."""

    @property
    def is_exact(self) -> bool:
        """Whether it misses nothing, has no settings, and can be of no vectors at all."""

    @property
    def is_reference(self) -> bool:
        """Whether it is there to check others by, and so no alternative in a plan."""

    @property
    def fewest(self) -> int:
        """The fewest vectors that it is worth training on."""

    @property
    def next_up(self) -> str | None:
        """The type to build where this one missed its target; None where nothing is missed."""

    def estimate(self, count: int, dimension: int) -> Estimate:
        """What it costs for so many vectors of so many numbers."""

    def build(self, vectors: Vectors, tell: Tell) -> VectorIndex:
        """An index over (n, D) float32 unit vectors, n at least 1 unless it is exact, which it reads where they lie."""

    def load(self, path: Path, vectors: Vectors, settings: IndexSettings | None) -> VectorIndex:
        """The index that ``save`` wrote, over the vectors that it was built on; raises IndexDamagedError."""


@dataclass(frozen=True, slots=True)
class IndexTypes:
    """Index types by name; each is imported when it is first needed, since FAISS takes a while to load."""

    loaders: Mapping[str, Callable[[], IndexType]]

    def __iter__(self) -> Iterator[str]:
        """The names, the usual ones first."""
        return iter(self.loaders)

    def __getitem__(self, name: str) -> IndexType:
        """The type of that name; raises VectorsInvalidError for one that there is not."""
        if name not in self.loaders:
            raise VectorsInvalidError(
                f"there is no index engine {name!r}; there are: {', '.join(self.loaders)}", subject="engine"
            )
        return self.loaders[name]()

    def build(self, name: str, vectors: Vectors, tell: Tell) -> VectorIndex:
        """An index of a named type over (n, D) float32 unit vectors, which it reads where they lie.

        Raises VectorsInvalidError for an unknown name, or if an approximate type gets no vector.
        """
        index_type = self[name]
        if len(vectors) == 0 and not index_type.is_exact:
            raise VectorsInvalidError(f"{name} cannot be built over no vectors: use faiss-flat", subject="vectors")
        return index_type.build(vectors, tell)

    def load(self, name: str, path: Path, vectors: Vectors, settings: IndexSettings | None = None) -> VectorIndex:
        """The index that a named type saved, over the vectors that it was built on.

        Raises IndexDamagedError, and VectorsInvalidError for an unknown name.
        """
        return self[name].load(path, vectors, settings)

    def estimates(self, count: int, dimension: int) -> dict[str, Estimate]:
        """What each type would cost for so many vectors of so many numbers, by name."""
        types = {name: self[name] for name in self.loaders}
        return {
            name: index_type.estimate(count, dimension)
            for name, index_type in types.items()
            if not index_type.is_reference
        }
