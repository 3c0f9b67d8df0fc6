"""A scan over half-precision copies of the vectors: reads half as much as an exact scan, and needs no training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from lookalike.index.base import IndexSettings, Vectors
from lookalike.index.engines.faiss_quantised import FaissQuantisedIndex
from lookalike.index.faiss_ops import faiss
from lookalike.index.index_types import Estimate


class FaissFlat16Index(FaissQuantisedIndex):
    """``faiss.IndexScalarQuantizer`` of 16-bit floats."""

    initial_settings: ClassVar[IndexSettings] = IndexSettings(effort=1, factor=2.0)
    next_up: ClassVar[str | None] = "faiss-flat"

    @classmethod
    def estimate(cls, count: int, dimension: int) -> Estimate:
        """See IndexType.estimate."""
        size = 2.0 * count * dimension
        return Estimate(size, 3 * size, 4e-7 * count, 1000 * size / 7.5e9)

    def efforts(self) -> Sequence[int]:
        """One: all rows are read."""
        return (1,)

    def depths(self, _effort: int) -> tuple[int, int]:
        """Few, since rounding to 16 bits swaps only close scores."""
        return 20, 40

    def cost(self, _effort: int, depth: int) -> float:
        """Two bytes a number, and the candidates' vectors."""
        return self.dimension * (2.0 * len(self) + 4.0 * depth)

    def _effort_for(self, _effort: int, _depth: int) -> int:
        return 1

    def _parameters(self, _effort: int, selector: Any) -> Any:
        return faiss.SearchParameters(sel=selector)

    @classmethod
    def _train(cls, vectors: Vectors) -> Any:
        index = faiss.IndexScalarQuantizer(vectors.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_L2)
        index.train(vectors[:1])
        return index

    @classmethod
    def _is_own_type(cls, index: Any) -> bool:
        return isinstance(index, faiss.IndexScalarQuantizer)
