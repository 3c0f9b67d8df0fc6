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
from lookalike.errors import ImageError, SourceError
from lookalike.index.base import Neighbours
from lookalike.thresholds import Threshold
from lookalike.tiers import Pictured, Tier
from service.bodies import Upload
from service.errors import ItemChangedError
from service.forms import Box
from service.pictures import WHOLE, Prepared
from service.problems import detail_of
from service.schemas import HitAnswer, QueryAnswer, SearchAnswer, ThresholdAnswer
from service.snapshots import OpenSnapshot
from service.state import Services
from service.timing import Stopwatch

Vectors = npt.NDArray[np.float32]
T = TypeVar("T")
STAGES = ("decode", "encode", "search", "catalogue")
MOST_TIERS = 20
"""How many hits of an answer get a tier: for each a file is read and decoded."""
TIERS_WEIGHT = 4
"""How many permits a search with tiers takes."""
_SIDE_BY_SIDE = 4


@dataclass(frozen=True, slots=True)
class How:
    """How to search."""

    k: int
    min_score: float | None
    threshold: float | None
    """A normalised score; None for the one that belongs to the collection."""
    tiers: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """A tier, or why it cannot be told; neither if nobody asked."""

    tier: Tier | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """What to search with; ``item`` is the indexed item that it is, which is then not answered.

    ``seen`` is what tells copies of it, or why nothing does, or None if nobody asked.
    """

    vector: Vectors
    answer: QueryAnswer
    item: ItemRecord | None = None
    seen: Pictured | str | None = None


async def embed(
    services: Services,
    encoder: ImageEncoder,
    upload: Upload,
    watch: Stopwatch,
    box: Box | None = None,
    *,
    look: bool = False,
) -> tuple[Vectors, Prepared]:
    """The (D,) vector of an uploaded picture, and what it was made of; with ``look`` also what tells copies."""
    with watch.stage("decode"):
        prepared = await services.pictures.prepare(upload.data, upload.name, encoder, box or WHOLE, look=look)
    if look:
        watch.move(prepared.looking_ms, "decode", "pixels")
    with watch.stage("encode"):
        vector = await services.batcher.encode(encoder, prepared.pixels)
    return vector, prepared


async def query_of_upload(
    services: Services,
    held: OpenSnapshot,
    upload: Upload,
    watch: Stopwatch,
    box: Box | None = None,
    *,
    look: bool = False,
) -> Query:
    """A query by an uploaded picture."""
    vector, prepared = await embed(services, await held.encoder(), upload, watch, box, look=look)
    answer = QueryAnswer(width=prepared.width, height=prepared.height, box=box or WHOLE, key=None)
    return Query(vector, answer, seen=prepared.seen)


async def query_of_key(
    services: Services, held: OpenSnapshot, key: str, watch: Stopwatch, box: Box | None = None, *, look: bool = False
) -> Query:
    """A query by an indexed item: its stored vector, or for a part of the picture a new one."""
    with watch.stage("catalogue"):
        item = await in_searchers(services, held.collection.item, key)
    answer = QueryAnswer(width=item.draft.width, height=item.draft.height, box=box or WHOLE, key=key)
    if box is None:
        vector = await in_searchers(services, held.collection.vector, item)
        return Query(vector, answer, item, await seen_item(services, held, item, watch) if look else None)
    with watch.stage("decode"):
        upload = await file_of(services, held, item)
    vector, prepared = await embed(services, await held.encoder(), upload, watch, box, look=look)
    return Query(vector, answer, item, prepared.seen)


async def seen_item(services: Services, held: OpenSnapshot, item: ItemRecord, watch: Stopwatch) -> Pictured | str:
    """What tells copies of an indexed picture, or in words why its file does not show it any more."""
    with watch.stage("pixels"):
        try:
            return await services.looks.of_item(await held.source(), item.draft, held.collection.limits)
        except (SourceError, ImageError, ItemChangedError) as error:
            return detail_of(error)


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
    threshold = collection.threshold(how.threshold)
    tiers = await _tiers(services, held, query, results, threshold, watch) if how.tiers else []
    untold = [Told()] * (len(results) - len(tiers))
    there = len(collection) - (query.item is not None)
    return SearchAnswer(
        collection=held.name,
        snapshot=held.generation,
        encoder=collection.manifest.encoder.name,
        results=[
            hit_answer(held.name, hit, threshold, told) for hit, told in zip(results, [*tiers, *untold], strict=True)
        ],
        threshold=ThresholdAnswer.of(threshold),
        query=query.answer,
        best_score=clean(float(found.scores[0, 0])) if there else None,
        exhausted=len(results) < how.k or how.k >= there,
        took_ms=watch.took_ms(),
    )


async def _tiers(
    services: Services, held: OpenSnapshot, query: Query, hits: list[Hit], threshold: Threshold, watch: Stopwatch
) -> list[Told]:
    """The tiers of the first hits."""
    near, seen = hits[:MOST_TIERS], query.seen
    if not isinstance(seen, Pictured):
        return [Told(problem=seen)] * len(near)
    # One answer's pictures take turns with those of others in the threads that look.
    room = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def one(hit: Hit, item: ItemRecord) -> Told:
        async with room:
            other = await seen_item(services, held, item, Stopwatch())
            if isinstance(other, str):
                return Told(problem=other)
            return Told(await services.looks.tier(seen, other, similar=threshold.similar(hit.score)))

    with watch.stage("pixels"):
        items = await in_searchers(services, lambda: [held.collection.item(hit.key) for hit in near])
        return list(await asyncio.gather(*(one(hit, item) for hit, item in zip(near, items, strict=True))))


def hit_answer(collection: str, hit: Hit, threshold: Threshold, told: Told) -> HitAnswer:
    """A neighbour as it is answered."""
    return HitAnswer(
        rank=hit.rank,
        key=hit.key,
        score=clean(hit.score),
        normalized_score=clean(hit.normalized_score),
        similar=is_similar(threshold, hit.score, told.tier),
        confidence=confidence(threshold, hit.score),
        tier=told.tier,
        tier_problem=told.problem,
        title=hit.title,
        product_id=hit.product_id,
        metadata=dict(hit.metadata),
        image_url=item_url(collection, hit.key, "image"),
        thumbnail_url=item_url(collection, hit.key, "thumbnail"),
    )


def is_similar(threshold: Threshold, score: float, tier: Tier | None) -> bool:
    """Whether two pictures count as similar: by their score, or because one is a copy, whatever the score is."""
    return threshold.similar(score) or (tier is not None and tier.is_copy)


def item_url(collection: str, key: str, part: str) -> str:
    """The path of an item's image or thumbnail."""
    return f"/collections/{collection}/items/{quote(key, safe='')}/{part}"


def confidence(threshold: Threshold, score: float) -> float | None:
    """The confidence that belongs to a cosine score, to four digits: pairs by the thousand do not tell more."""
    found = threshold.confidence(score)
    return None if found is None else round(found, 4)


def clean(score: float) -> float:
    """A score to six digits: what lies beyond is float32's noise."""
    return round(min(1.0, max(-1.0, score)), 6)


async def in_searchers(services: Services, work: Callable[..., T], *arguments: object) -> T:
    """What ``work`` returns, done in one of the threads for index and catalogue."""
    return await asyncio.get_running_loop().run_in_executor(services.searchers, work, *arguments)
