"""Which type of index a collection should have, what it will cost, and why; computed without building anything.

The constants, and those of the types' estimates, are for one 2.5 GHz core with AVX-512, measured at 50 000 to a million
vectors of 512 to 608 numbers (``python -m benchmarks.index``). They choose between types that differ severalfold, so
the choice is the same on other machines.
"""

from __future__ import annotations

from dataclasses import dataclass

from lookalike.index.index_types import Estimate, IndexTypes

AUTO = "auto"
EXACT_UP_TO = 20_000  # vectors; an exact scan of them takes milliseconds
SCAN_UP_TO = 2_000_000  # vectors; above, an index that missed its target is not replaced by a scan
DEFAULT_RECALL = 0.99

_SCAN, _GRAPH, _LISTS = "faiss-flat", "faiss-hnsw", "faiss-ivfpq"
"""The types that are planned if none is named."""


@dataclass(frozen=True, slots=True)
class IndexRequirements:
    """What an index must be and reach.

    ``engine`` is a type or "auto". ``target_recall`` is the least lower 95 % bound of recall@10. ``memory`` is the most
    bytes that the index may take in a service, None for no limit.
    """

    engine: str = AUTO
    target_recall: float = DEFAULT_RECALL
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The type to build, its estimate, and the reasons in words."""

    engine: str
    estimate: Estimate
    reasons: tuple[str, ...]


def plan_index(count: int, dimension: int, requirements: IndexRequirements, types: IndexTypes) -> Plan:
    """The type for ``count`` vectors; the one that the requirements name, unless the vectors are too few to train it.

    Raises VectorsInvalidError if there is no type of that name.
    """
    engine, reasons = _choose_type(count, dimension, requirements, types)
    estimate = types[engine].estimate(count, dimension)
    return Plan(engine, estimate, tuple(f"{engine}: {reason}" for reason in reasons))


def next_up(engine: str, count: int, types: IndexTypes) -> str | None:
    """The type to build if an approximate one missed its target; None if no other one is fast enough."""
    return None if count > SCAN_UP_TO else types[engine].next_up


def _choose_type(
    count: int, dimension: int, requirements: IndexRequirements, types: IndexTypes
) -> tuple[str, list[str]]:
    if requirements.engine != AUTO:
        if count < types[requirements.engine].min_vectors:
            return _SCAN, [f"{requirements.engine} was asked for, but {count} vectors are too few to train it on"]
        return requirements.engine, [f"asked for, over {count} vectors"]
    if count <= EXACT_UP_TO:
        return _SCAN, [f"exact search over {count} vectors", f"up to {EXACT_UP_TO} nothing else is worth it"]
    if requirements.target_recall >= 1.0:
        return _SCAN, [f"exact search over {count} vectors", "a recall of 1 was asked for"]
    scan, graph, lists = (types[name].estimate(count, dimension) for name in (_SCAN, _GRAPH, _LISTS))
    if requirements.memory is None or graph.memory <= requirements.memory:
        return _GRAPH, [
            f"a graph over {count} vectors, {_gigabytes(graph.memory)} in memory; the candidates are scored exactly",
            f"an exact scan would take {scan.query_ms:.0f} ms a query, this about {graph.query_ms:.1f} ms",
        ]
    return _LISTS, [
        f"lists of half-byte codes over {count} vectors, {_gigabytes(lists.memory)} in memory; the candidates are "
        "scored exactly from the disk",
        f"a graph would take {_gigabytes(graph.memory)}, and {_gigabytes(requirements.memory)} may be used",
    ]


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB"
