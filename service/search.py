"""From a picture or a key to an answer: what the routes of searching have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from lookalike.catalogue.records import ItemRecord
from lookalike.collection.searcher import Hit
from lookalike.encoder.base import ImageEncoder
from lookalike.errors import ImageError, SourceError
from lookalike.index.base import Neighbours
from lookalike.thresholds import Threshold
from lookalike.tiers import Pictured, Tier
from service.errors import ItemChangedError
from service.http.body import Upload
from service.http.forms import Box
from service.http.problems import detail_of
from service.http.responses import as_json
from service.inference.decoder_pool import WHOLE, Prepared
from service.open_snapshot import OpenSnapshot
from service.schemas.responses import QueryAnswer, ThresholdAnswer
from service.services import Services
from service.telemetry.timing import Stopwatch

Vectors = npt.NDArray[np.float32]
T = TypeVar("T")
STAGES = ("decode", "encode", "search", "catalogue")
MOST_TIERS = 20
"""How many hits of an answer get a tier: for each a file is read and decoded."""
TIERS_WEIGHT = 4
"""How many permits a search with tiers takes."""
_SIDE_BY_SIDE = 4
_ANSWER = (
    b'{"collection":%b,"snapshot":%d,"encoder":%b,"results":[%b],"threshold":%b,"query":%b,"best_score":%b,'
    b'"exhausted":%b'
)
_HIT = b'{"rank":%d,%b,"score":%a,"normalized_score":%a,"similar":%b,"confidence":%b,"tier":%b,"tier_problem":%b,%b}'
_FEW = 50
"""How many neighbours are looked up in the event loop's own thread, where all are in memory."""


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


_UNTOLD = Told()


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a search is answered: a ``SearchAnswer`` as JSON, all of it before ``took_ms``, which is its last field.

    It is written here, and not by the framework: to make objects of a thousand neighbours, and JSON of these, costs
    more than to find them.
    """

    untimed: bytes
    snapshot: int


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
    with watch.stage("decode"), services.batcher.coming():
        prepared = await services.pictures.prepare(upload, encoder, box or WHOLE, look=look)
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


async def answer_to_key(
    services: Services, held: OpenSnapshot, key: str, how: How, watch: Stopwatch, box: Box | None = None
) -> Answer:
    """The neighbours of an indexed item by its stored vector, or for a part of its picture by a new one."""
    if box is not None:
        return await answer(
            services, held, await _query_of_part(services, held, key, watch, box, look=how.tiers), how, watch
        )

    def stored() -> Query:
        with watch.stage("catalogue"):
            item = held.collection.item(key)
            shown = QueryAnswer(width=item.draft.width, height=item.draft.height, box=WHOLE, key=key)
            return Query(held.collection.vector(item), shown, item)

    def work() -> tuple[Query, _Found]:
        query = stored()
        return query, _found(held, query, how, watch)

    if _at_once(held, how) and held.collection.has_row(key):
        query = stored()
        found = await _find(services, held, query, how, watch)
    else:
        # All of it in one thread: to go there and back three times costs as much as the search.
        query, found = await in_searchers(services, work)
    if how.tiers and query.item is not None:
        query = replace(query, seen=await seen_item(services, held, query.item, watch))
    return await _answered(services, held, query, found, how, watch)


async def _query_of_part(
    services: Services, held: OpenSnapshot, key: str, watch: Stopwatch, box: Box, *, look: bool
) -> Query:
    """A query by a part of an indexed item's picture."""
    with watch.stage("catalogue"):
        item = await in_searchers(services, held.collection.item, key)
    with watch.stage("decode"):
        upload = await file_of(services, held, item)
    vector, prepared = await embed(services, await held.encoder(), upload, watch, box, look=look)
    shown = QueryAnswer(width=item.draft.width, height=item.draft.height, box=box, key=key)
    return Query(vector, shown, item, prepared.seen)


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
    return Upload.of(item.draft.key, data)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What index and catalogue gave; ``best`` is the best cosine score, whatever the least score left out."""

    best: float
    hits: list[Hit]


async def _find(services: Services, held: OpenSnapshot, query: Query, how: How, watch: Stopwatch) -> _Found:
    """What a query finds: here and now in a small collection whose rows are in memory, else in a thread."""
    near = None
    if _at_once(held, how):
        near = _near(held, query, how, watch)
        if held.collection.has_rows(near):
            return _found(held, query, how, watch, near)
    return await in_searchers(services, _found, held, query, how, watch, near)


def _at_once(held: OpenSnapshot, how: How) -> bool:
    """Whether a search is done before a thread would have begun it, and so keeps no other request waiting."""
    return how.k <= _FEW and held.collection.is_light()


def _near(held: OpenSnapshot, query: Query, how: How, watch: Stopwatch) -> Neighbours:
    with watch.stage("search"):
        return held.collection.neighbours(query.vector[None], how.k, exclude=query.item)


def _found(held: OpenSnapshot, query: Query, how: How, watch: Stopwatch, near: Neighbours | None = None) -> _Found:
    """What a query finds, or what stands behind neighbours that were found already."""
    if near is None:
        near = _near(held, query, how, watch)
    with watch.stage("catalogue"):
        hits = held.collection.hits(near, min_score=how.min_score)[0]
    return _Found(float(near.scores[0, 0]), hits)


async def answer(services: Services, held: OpenSnapshot, query: Query, how: How, watch: Stopwatch) -> Answer:
    """The neighbours of a query."""
    found = await _find(services, held, query, how, watch)
    return await _answered(services, held, query, found, how, watch)


async def _answered(
    services: Services, held: OpenSnapshot, query: Query, found: _Found, how: How, watch: Stopwatch
) -> Answer:
    collection, hits = held.collection, found.hits
    threshold = collection.threshold(how.threshold)
    tiers = await _tiers(services, held, query, hits, threshold, watch) if how.tiers else []
    untold = [_UNTOLD] * (len(hits) - len(tiers))
    there = len(collection) - (query.item is not None)
    results = [_hit(held, hit, threshold, told) for hit, told in zip(hits, [*tiers, *untold], strict=True)]
    fields = (
        as_json(held.name),
        held.generation,
        as_json(collection.manifest.encoder.name),
        b",".join(results),
        ThresholdAnswer.of(threshold).model_dump_json().encode(),
        as_json(query.answer),
        _number(clean(found.best) if there else None),
        _bool(len(hits) < how.k or how.k >= there),
    )
    return Answer(_ANSWER % fields, held.generation)


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


def _hit(held: OpenSnapshot, hit: Hit, threshold: Threshold, told: Told) -> bytes:
    """A neighbour as it is answered: a ``HitAnswer``."""
    named, rest = held.rows.of(hit)
    score = hit.score
    fields = (
        hit.rank,
        named,
        clean(score),
        clean(hit.normalized_score),
        _bool(is_similar(threshold, score, told.tier)),
        _number(confidence(threshold, score)),
        b"null" if told.tier is None else as_json(told.tier),
        b"null" if told.problem is None else as_json(told.problem),
        rest,
    )
    return _HIT % fields


def _number(value: float | None) -> bytes:
    return b"null" if value is None else b"%a" % value


def _bool(value: bool) -> bytes:
    return b"true" if value else b"false"


def is_similar(threshold: Threshold, score: float, tier: Tier | None) -> bool:
    """Whether two pictures count as similar: by their score, or because one is a copy, whatever the score is."""
    return threshold.similar(score) or (tier is not None and tier.is_copy)


def confidence(threshold: Threshold, score: float) -> float | None:
    """The confidence that belongs to a cosine score, to four digits: pairs by the thousand do not tell more."""
    found = threshold.confidence(score)
    return None if found is None else round(found, 4)


def clean(score: float) -> float:
    """A score to six digits: what lies beyond is float32's noise."""
    return round(score, 6) if -1.0 <= score <= 1.0 else min(1.0, max(-1.0, score))


async def in_searchers(services: Services, work: Callable[..., T], *arguments: object) -> T:
    """What ``work`` returns, done in one of the threads for index and catalogue."""
    return await asyncio.get_running_loop().run_in_executor(services.searchers, work, *arguments)
