"""Proof that a published snapshot is what it says: checksums, counts, and every picture finding itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from indexer.console.reporter import Reporter
from indexer.ingest.pipeline import PipelineOptions
from lookalike.api import Collection, Vectors
from lookalike.catalogue.records import ItemRecord
from lookalike.collection.searcher import Hit
from lookalike.errors import LookalikeError
from lookalike.sources.base import Source

TOLERANCE = 1e-4


@dataclass
class Verification:
    """What was found: ``failures`` are faults of the snapshot, ``stale`` pictures that changed since it was made."""

    items: int
    checked: int = 0
    lowest: float | None = None
    failures: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)

    def fields(self) -> dict[str, Any]:
        """For a program."""
        return {
            "items": self.items,
            "checked": self.checked,
            "lowest_self_score": None if self.lowest is None else round(self.lowest, 6),
            "failures": self.failures,
            "stale": self.stale,
        }


def verify_self_match(
    collection: Collection, source: Source, items: Iterator[ItemRecord], total: int, reporter: Reporter
) -> Verification:
    """Send each item's own picture back as a query.

    It must be rank 1 with a score of 1.000 within 1e-4; exact copies under other keys may tie with it. A picture
    whose file has changed or gone since is counted as stale, not as a failure.
    """
    result = Verification(items=len(collection))
    batch = PipelineOptions().batch
    with reporter.stage(f"{collection.manifest.collection}: self-match", total) as stage:
        while page := list(islice(items, batch)):
            fresh = [(item, data) for item in page if (data := _read(source, item, result)) is not None]
            if fresh:
                _check(collection, fresh, result)
            stage.advance(len(page), failures=len(result.failures), stale=len(result.stale))
    return result


def _read(source: Source, item: ItemRecord, result: Verification) -> bytes | None:
    draft = item.draft
    try:
        data = source.read(draft.location, max_bytes=draft.byte_size)
    except LookalikeError as error:
        result.stale.append(f"{draft.key}: {error.message}")
        return None
    if hashlib.sha256(data).hexdigest() != draft.content_digest:
        result.stale.append(f"{draft.key}: the file has changed since it was indexed")
        return None
    return data


def _check(collection: Collection, fresh: list[tuple[ItemRecord, bytes]], result: Verification) -> None:
    queries = collection.encoder.encode([data for _, data in fresh])
    best = collection.hits(collection.neighbours(queries, 1))
    for (item, _), query, hits in zip(fresh, queries, best, strict=True):
        own = _cosine(query, collection.vector(item))
        result.checked += 1
        result.lowest = own if result.lowest is None else min(result.lowest, own)
        if own < 1 - TOLERANCE:
            result.failures.append(f"{item.draft.key}: scores {own:.4f} with itself")
        elif not hits or not _is_rank_one(collection, item, query, own, hits[0]):
            found = f"{hits[0].key} at {hits[0].score:.4f}" if hits else "nothing"
            result.failures.append(f"{item.draft.key}: rank 1 is {found}")


def _is_rank_one(collection: Collection, item: ItemRecord, query: Vectors, own: float, first: Hit) -> bool:
    """Whether the first hit is the item, or ties with it by its own vector: the index's word is not enough."""
    if abs(first.score - own) > TOLERANCE:
        return False
    return first.key == item.draft.key or _cosine(query, collection.vector(first.key)) >= own - TOLERANCE


def _cosine(first: Vectors, second: Vectors) -> float:
    return float(np.clip(first @ second, -1.0, 1.0))
