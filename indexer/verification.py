"""Proof that a published snapshot is what it says: checksums, counts, and every picture finding itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from indexer.pipeline import PipelineOptions
from indexer.progress import Reporter
from indexer.sources.base import Source
from lookalike.api import Collection
from lookalike.catalogue.records import ItemRecord
from lookalike.errors import LookalikeError

TOLERANCE = 1e-4


@dataclass
class Verification:
    """What was found: ``failures`` are faults of the snapshot, ``stale`` pictures that changed since it was made."""

    items: int
    checked: int = 0
    lowest: float = 1.0
    failures: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)

    def fields(self) -> dict[str, Any]:
        """For a program."""
        return {
            "items": self.items,
            "checked": self.checked,
            "lowest_self_score": round(self.lowest, 6),
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
    best = collection.search_vectors(queries, k=1)
    for (item, _), query, hits in zip(fresh, queries, best, strict=True):
        key = item.draft.key
        own = float(np.clip(query @ collection.vector(item), -1.0, 1.0))
        result.checked += 1
        result.lowest = min(result.lowest, own)
        if own < 1 - TOLERANCE:
            result.failures.append(f"{key}: scores {own:.4f} with itself")
        elif not hits or hits[0].score > own + TOLERANCE or hits[0].score < own - TOLERANCE:
            found = f"{hits[0].key} at {hits[0].score:.4f}" if hits else "nothing"
            result.failures.append(f"{key}: rank 1 is {found}")
