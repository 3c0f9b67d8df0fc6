"""Self-match of a published snapshot: each indexed picture, used as a query, must find itself at rank 1."""

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
from lookalike.collection.hit import Hit
from lookalike.errors import LookalikeError
from lookalike.sources.base import Source

TOLERANCE = 1e-4


@dataclass
class Verification:
    """Results: ``failures`` are defects of the snapshot, ``stale`` pictures that have changed since it was made.

    ``lowest`` is the lowest cosine of a picture with its own vector.
    """

    items: int
    checked_count: int = 0
    lowest: float | None = None
    failures: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)

    def fields(self) -> dict[str, Any]:
        """The fields of the JSON answer."""
        return {
            "items": self.items,
            "checked": self.checked_count,
            "lowest_self_score": None if self.lowest is None else round(self.lowest, 6),
            "failures": self.failures,
            "stale": self.stale,
        }


def verify_self_match(
    collection: Collection, source: Source, items: Iterator[ItemRecord], total: int, reporter: Reporter
) -> Verification:
    """Search with each item's own picture.

    The item must have rank 1 with a score of 1.000 within 1e-4; exact copies under other keys may tie with it. A
    picture whose file has changed or was removed since is counted as stale, not as a failure.
    """
    result = Verification(items=len(collection))
    batch = PipelineOptions().batch
    with reporter.stage(f"{collection.manifest.collection}: self-match", total) as stage:
        while page := list(islice(items, batch)):
            pictures = [(item, data) for item in page if (data := _read(source, item, result)) is not None]
            if pictures:
                _check(collection, pictures, result)
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


def _check(collection: Collection, pictures: list[tuple[ItemRecord, bytes]], result: Verification) -> None:
    queries = collection.encoder.encode([data for _, data in pictures])
    best = collection.hits(collection.neighbours(queries, 1))
    for (item, _), query, hits in zip(pictures, queries, best, strict=True):
        self_score = _cosine(query, collection.vector(item))
        result.checked_count += 1
        result.lowest = self_score if result.lowest is None else min(result.lowest, self_score)
        if self_score < 1 - TOLERANCE:
            result.failures.append(f"{item.draft.key}: scores {self_score:.4f} with itself")
        elif not hits or not _is_rank_one(collection, item, query, self_score, hits[0]):
            best_hit = f"{hits[0].key} at {hits[0].score:.4f}" if hits else "nothing"
            result.failures.append(f"{item.draft.key}: rank 1 is {best_hit}")


def _is_rank_one(collection: Collection, item: ItemRecord, query: Vectors, self_score: float, first_hit: Hit) -> bool:
    """Whether the first hit is the item, or ties with it by its stored vector: the index's score is not enough."""
    if abs(first_hit.score - self_score) > TOLERANCE:
        return False
    return first_hit.key == item.draft.key or _cosine(query, collection.vector(first_hit.key)) >= self_score - TOLERANCE


def _cosine(first: Vectors, second: Vectors) -> float:
    return float(np.clip(first @ second, -1.0, 1.0))
