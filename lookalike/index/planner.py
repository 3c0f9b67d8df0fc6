"""Which type of index a collection should have, what it will cost, and why; from numbers alone.

The constants are for one 2.5 GHz core with AVX-512, measured at 50 000 to a million vectors of 512 to 608 numbers
(``python -m benchmarks.index``). They choose between types that differ severalfold, so another machine chooses alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

AUTO = "auto"
EXACT_UP_TO = 20_000  # vectors; an exact scan of so many takes milliseconds, and nothing can be missed
SCAN_UP_TO = 2_000_000  # beyond that no scan is offered in place of an index that missed its target
FEWEST = 2_000  # vectors that an approximate index wants to be trained on
DEFAULT_RECALL = 0.99

_CODE = 192.0  # bytes of a code on a graph, at most
_LINKED = 128.0 + 5.0  # bytes of links a vector on the ground floor, and its share of the floors above
_COMPONENTS = 256  # that the graph is built on, and that lists keep


@dataclass(frozen=True, slots=True)
class IndexWish:
    """What is asked of an index.

    ``engine`` is a type or "auto". ``target_recall`` is the least that the lower 95 % bound of recall@10 may be.
    ``memory`` is how many bytes a service may hold for the index, None if that need not be minded.
    """

    engine: str = AUTO
    target_recall: float = DEFAULT_RECALL
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an index costs: ``memory`` is what a query needs at hand to be fast, ``disk`` what a snapshot of it takes.

    Bytes, seconds of one core, and milliseconds a query on one core.
    """

    engine: str
    memory: float
    disk: float
    build_s: float
    query_ms: float

    def fields(self) -> dict[str, Any]:
        """For a program."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Plan:
    """The type to build, its estimate, and the reasons in words."""

    engine: str
    estimate: Estimate
    reasons: tuple[str, ...]


def estimates(count: int, dimension: int) -> list[Estimate]:
    """What each type would cost for so many vectors of so many numbers."""
    return [make(count, dimension) for make in _MODELS.values()]


def plan_index(count: int, dimension: int, wish: IndexWish) -> Plan:
    """The type for so many vectors; one that is named in the wish is taken, unless there is too little to train on."""
    engine, reasons = _chosen(count, dimension, wish)
    model = _MODELS.get(engine, _flat)
    estimate = model(count, dimension)
    return Plan(engine, estimate, tuple(f"{engine}: {reason}" for reason in reasons))


def next_up(engine: str, count: int) -> str | None:
    """What to build where an approximate type missed its target; None if nothing else is quick enough."""
    if count > SCAN_UP_TO:
        return None
    return {"faiss-ivfpq": "faiss-hnsw", "faiss-hnsw": "faiss-flat16", "faiss-flat16": "faiss-flat"}.get(engine)


def _chosen(count: int, dimension: int, wish: IndexWish) -> tuple[str, list[str]]:
    approximate = wish.engine in ("faiss-hnsw", "faiss-ivfpq")
    if approximate and count < FEWEST:
        return "faiss-flat", [f"{wish.engine} was asked for, but {count} vectors are too few to train it on"]
    if wish.engine != AUTO:
        return wish.engine, [f"asked for, over {count} vectors"]
    if count <= EXACT_UP_TO:
        return "faiss-flat", [f"exact search over {count} vectors", f"up to {EXACT_UP_TO} nothing else is worth it"]
    if wish.target_recall >= 1.0:
        return "faiss-flat", [f"exact search over {count} vectors", "a recall of 1 was asked for"]
    graph, lists = _hnsw(count, dimension), _ivfpq(count, dimension)
    if wish.memory is None or graph.memory <= wish.memory:
        return "faiss-hnsw", [
            f"a graph over {count} vectors, {_gigabytes(graph.memory)} in memory; the candidates are scored exactly",
            f"an exact scan would take {_flat(count, dimension).query_ms:.0f} ms a query, this about "
            f"{graph.query_ms:.1f} ms",
        ]
    return "faiss-ivfpq", [
        f"lists of half-byte codes over {count} vectors, {_gigabytes(lists.memory)} in memory; the candidates are "
        "scored exactly from the disk",
        f"a graph would take {_gigabytes(graph.memory)}, and {_gigabytes(wish.memory)} may be used",
    ]


def _flat(count: int, dimension: int) -> Estimate:
    size = 4.0 * count * dimension
    return Estimate("faiss-flat", size, size, 0.0, 1000 * size / 8.5e9)


def _flat16(count: int, dimension: int) -> Estimate:
    size = 2.0 * count * dimension
    return Estimate("faiss-flat16", size, 3 * size, 4e-7 * count, 1000 * size / 7.5e9)


def _hnsw(count: int, dimension: int) -> Estimate:
    # 30 000 and 100 000 vectors of 608 numbers: built in 13.5 and 51 s of a core, a query that finds 99 % takes
    # 0.19 and 0.25 ms.
    size = count * (min(dimension, _CODE) + _LINKED)
    share = 0.4 + 0.6 * min(dimension, _COMPONENTS) / _COMPONENTS
    build, query = 51.0 * share * _growth(count, 1.1), 0.25 * share * _growth(count, 0.2)
    return Estimate("faiss-hnsw", size, size + 4.0 * count * dimension, build, query)


def _ivfpq(count: int, dimension: int) -> Estimate:
    # The same: built in 2.9 and 5.6 s, a query takes 1.1 and 1.6 ms.
    width = min(dimension, _COMPONENTS)
    lists = min(16_384.0, 1.6 * math.sqrt(max(1, count)))
    size = count * (width / 4 + 8) + 4 * lists * width
    training = 6 * 40 * lists * lists * width * 2 / 2e10
    coding = count * (lists * width * 2 / 2e10 + 1e-5)
    build = 2.0 + training + coding
    return Estimate("faiss-ivfpq", size, size + 4.0 * count * dimension, build, 1.6 * _growth(count, 0.35))


def _growth(count: int, power: float) -> float:
    """A power of the count, in hundreds of thousands."""
    return float((max(1, count) / 100_000) ** power)


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB"


_MODELS: dict[str, Callable[[int, int], Estimate]] = {
    "faiss-flat": _flat,
    "faiss-flat16": _flat16,
    "faiss-hnsw": _hnsw,
    "faiss-ivfpq": _ivfpq,
}
