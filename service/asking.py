"""From a picture or a key to an answer: what the routes of searching have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from lookalike.catalogue.records import ItemRecord
from lookalike.collection.searcher import Hit
from lookalike.encoder.base import ImageEncoder
from lookalike.index.base import Neighbours
from lookalike.thresholds import Threshold
from service.bodies import Upload
from service.forms import Box
from service.pictures import WHOLE
from service.schemas import HitAnswer, QueryAnswer, SearchAnswer, ThresholdAnswer
from service.snapshots import OpenSnapshot
from service.state import Services
from service.timing import Stopwatch

Vectors = npt.NDArray[np.float32]
T = TypeVar("T")
STAGES = ("decode", "encode", "search", "catalogue")


@dataclass(frozen=True, slots=True)
class How:
    """How to search."""

    k: int
    min_score: float | None
    threshold: Threshold


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """What to search with; ``item`` is the indexed item that it is, which is then not answered."""

    vector: Vectors
    answer: QueryAnswer
    item: ItemRecord | None = None


async def embed(
    services: Services, encoder: ImageEncoder, upload: Upload, watch: Stopwatch, box: Box | None = None
) -> tuple[Vectors, int, int]:
    """The (D,) vector of an uploaded picture, and its width and height."""
    with watch.stage("decode"):
        prepared = await services.pictures.prepare(upload.data, upload.name, encoder, box or WHOLE)
    with watch.stage("encode"):
        vector = await services.batcher.encode(encoder, prepared.pixels)
    return vector, prepared.width, prepared.height


async def query_of_upload(
    services: Services, held: OpenSnapshot, upload: Upload, watch: Stopwatch, box: Box | None = None
) -> Query:
    """A query by an uploaded picture."""
    vector, width, height = await embed(services, await held.encoder(), upload, watch, box)
    return Query(vector, QueryAnswer(width=width, height=height, box=box or WHOLE, key=None))


async def query_of_key(
    services: Services, held: OpenSnapshot, key: str, watch: Stopwatch, box: Box | None = None
) -> Query:
    """A query by an indexed item: its stored vector, or for a part of the picture a new one."""
    with watch.stage("catalogue"):
        item = await in_searchers(services, held.collection.item, key)
    answer = QueryAnswer(width=item.draft.width, height=item.draft.height, box=box or WHOLE, key=key)
    if box is None:
        return Query(await in_searchers(services, held.collection.vector, item), answer, item)
    with watch.stage("decode"):
        upload = await file_of(services, held, item)
    vector, _, _ = await embed(services, await held.encoder(), upload, watch, box)
    return Query(vector, answer, item)


async def file_of(services: Services, held: OpenSnapshot, item: ItemRecord) -> Upload:
    """An indexed item's file; raises a leaf of SourceError if it cannot be read any more."""
    source = await held.source()
    data = await services.pictures.read(source, item.draft.location, held.collection.limits.max_bytes)
    return Upload(item.draft.key, data)


async def answer(services: Services, held: OpenSnapshot, query: Query, how: How, watch: Stopwatch) -> SearchAnswer:
    """The neighbours of a query."""
    collection = held.collection

    def neighbours() -> Neighbours:
        return collection.neighbours(query.vector[None], how.k, exclude=query.item)

    def hits(found: Neighbours) -> list[Hit]:
        return collection.hits(found, min_score=how.min_score)[0]

    with watch.stage("search"):
        found = await in_searchers(services, neighbours)
    with watch.stage("catalogue"):
        results = await in_searchers(services, hits, found)
    there = len(collection) - (query.item is not None)
    return SearchAnswer(
        collection=held.name,
        snapshot=held.generation,
        encoder=collection.manifest.encoder.name,
        results=[hit_answer(held.name, hit, how.threshold) for hit in results],
        threshold=ThresholdAnswer.of(how.threshold),
        query=query.answer,
        best_score=clean(float(found.scores[0, 0])) if there else None,
        exhausted=len(results) < how.k or how.k >= there,
        took_ms=watch.took_ms(),
    )


def hit_answer(collection: str, hit: Hit, threshold: Threshold) -> HitAnswer:
    """A neighbour as it is answered."""
    return HitAnswer(
        rank=hit.rank,
        key=hit.key,
        score=clean(hit.score),
        normalized_score=clean(hit.normalized_score),
        similar=threshold.similar(hit.score),
        title=hit.title,
        product_id=hit.product_id,
        metadata=dict(hit.metadata),
        image_url=item_url(collection, hit.key, "image"),
        thumbnail_url=item_url(collection, hit.key, "thumbnail"),
    )


def item_url(collection: str, key: str, part: str) -> str:
    """The path of an item's image or thumbnail."""
    return f"/collections/{collection}/items/{quote(key, safe='')}/{part}"


def clean(score: float) -> float:
    """A score to six digits: what lies beyond is float32's noise."""
    return round(min(1.0, max(-1.0, score)), 6)


async def in_searchers(services: Services, work: Callable[..., T], *arguments: object) -> T:
    """What ``work`` returns, done in one of the threads for index and catalogue."""
    return await asyncio.get_running_loop().run_in_executor(services.searchers, work, *arguments)
