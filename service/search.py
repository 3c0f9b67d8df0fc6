"""One search: from a picture or a key to its neighbours, their rows and, where asked for, their tiers.

``service.search_json`` makes JSON of the result.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import Self

from lookalike.api import Collection
from lookalike.catalogue.records import ItemRecord
from lookalike.collection.searcher import Hit
from lookalike.encoder.base import Vectors
from lookalike.index.base import Neighbours
from lookalike.thresholds import Threshold
from lookalike.tiers import PLAIN_PROBLEM
from service.box import WHOLE_PICTURE, Box
from service.embedding import (
    NO_FINGERPRINT,
    FingerprintOutcome,
    embed_picture,
    fingerprint_item,
    read_item_picture,
)
from service.http.body import Upload
from service.open_snapshot import OpenSnapshot
from service.schemas.requests import BatchForm, SearchForm, SimilarQuery
from service.schemas.search_responses import QueryAnswer
from service.scores import TierOutcome
from service.services import Services
from service.telemetry.timing import Stopwatch

STAGES = ("decode", "encode", "search", "catalogue")
MAX_TIERS = 20
"""How many hits of a result get a tier: for each a file is read and decoded."""
TIERS_WEIGHT = 4
"""How many permits a search with tiers takes."""
_CONCURRENT_TIERS = 4
_MAX_INLINE_NEIGHBOURS = 50
"""How many neighbours are looked up in the event loop's own thread, where all are in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """How to search: ``min_score`` is a cosine, ``threshold`` a normalised score, None for the collection's own."""

    k: int
    min_score: float | None
    threshold: float | None
    tiers: bool = False

    @classmethod
    def from_request(cls, request: SearchForm | BatchForm | SimilarQuery) -> Self:
        """The options that a form or a query string has."""
        tiers = not isinstance(request, BatchForm) and request.tiers
        return cls(k=request.k, min_score=request.min_score, threshold=request.threshold, tiers=tiers)


@dataclass(frozen=True, slots=True, eq=False)
class PictureQuery:
    """Search with an uploaded picture, or with a part of it."""

    upload: Upload
    box: Box = WHOLE_PICTURE

    def cache_key(self, _options: SearchOptions) -> None:
        """Not cached: uploads rarely come twice."""


@dataclass(frozen=True, slots=True)
class KeyQuery:
    """Search with an indexed item, by its stored vector."""

    key: str

    def cache_key(self, options: SearchOptions) -> Hashable | None:
        """Not cached with tiers: the files that they are decided by may change."""
        return None if options.tiers else (self, options)


@dataclass(frozen=True, slots=True)
class ItemPartQuery:
    """Search with a part of an indexed item's picture, by a new vector."""

    key: str
    box: Box

    def cache_key(self, _options: SearchOptions) -> None:
        """Not cached: the item's file may change."""


Query = PictureQuery | KeyQuery | ItemPartQuery
"""What is searched with; ``cache_key`` identifies the response in a snapshot's cache, None if it may not be cached."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class EncodedQuery:
    """A query as a vector (D,); ``item`` is the indexed item that it is, which is left out of the hits.

    ``fingerprint`` is empty where no tiers were asked for. ``is_plain`` says that the picture is known to be of one
    colour: of an indexed one, whose file is not read, it is not known.
    """

    vector: Vectors
    summary: QueryAnswer
    item: ItemRecord | None = None
    fingerprint: FingerprintOutcome = NO_FINGERPRINT
    is_plain: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Hits, best first; ``best_score`` is the best cosine in the index, even where ``min_score`` left its item out."""

    best_score: float
    hits: list[Hit]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SearchResult:
    """The hits, best first, with an entry of ``tiers`` for each; ``best_score`` is None in an empty collection."""

    snapshot: OpenSnapshot
    query: QueryAnswer
    hits: list[Hit]
    tiers: list[TierOutcome]
    threshold: Threshold
    best_score: float | None
    exhausted: bool


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Search:
    """One search in one snapshot, timed by its stopwatch."""

    services: Services
    snapshot: OpenSnapshot
    query: Query
    options: SearchOptions
    stopwatch: Stopwatch
    collection: Collection = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Taken once: positions are those of one state of the collection, which live changes replace.
        object.__setattr__(self, "collection", self.snapshot.collection)

    async def run(self) -> SearchResult:
        """The neighbours of the query.

        Raises ItemNotFoundError, SnapshotDamagedError, EncodingError, leaves of ImageError and SourceError, and the
        errors of ``OpenSnapshot.encoder``.
        """
        query, ranking = await self._run_query()
        threshold = self.collection.threshold(self.options.threshold)
        candidates = len(self.collection) - (query.item is not None)
        return SearchResult(
            snapshot=self.snapshot,
            query=query.summary,
            hits=ranking.hits,
            tiers=await self._decide_tiers(query, ranking.hits, threshold),
            threshold=threshold,
            best_score=ranking.best_score if candidates else None,
            exhausted=len(ranking.hits) < self.options.k or self.options.k >= candidates,
        )

    async def _run_query(self) -> tuple[EncodedQuery, Ranking]:
        """The query's vector and its hits."""
        match self.query:
            case PictureQuery(upload, box):
                return await self._rank_picture(upload, box)
            case KeyQuery(key):
                return await self._rank_by_stored_vector(key)
            case ItemPartQuery(key, box):
                return await self._rank_item_part(key, box)

    async def _rank_picture(
        self, upload: Upload, box: Box, item: ItemRecord | None = None
    ) -> tuple[EncodedQuery, Ranking]:
        """The hits by a new vector of a part of a picture: an uploaded one, or that of an ``item``."""
        query = await self._encode(upload, box, item)
        return query, await self._rank(query)

    async def _rank_item_part(self, key: str, box: Box) -> tuple[EncodedQuery, Ranking]:
        """The hits by a new vector of a part of an indexed picture."""
        with self.stopwatch.stage("catalogue"):
            item = await self.services.search_in_thread(self.collection.item, key)
        with self.stopwatch.stage("decode"):
            upload = await read_item_picture(self.services, self.snapshot, item)
        return await self._rank_picture(upload, box, item)

    async def _rank_by_stored_vector(self, key: str) -> tuple[EncodedQuery, Ranking]:
        """The hits by an item's stored vector; with tiers its file is read for its fingerprint."""
        if self._is_inline() and self.collection.searcher.has_cached_item(key):
            query = self._read_stored(key)
            ranking = await self._rank(query)
        else:
            # All of it in one thread: three changes of thread cost as much as the search.
            query, ranking = await self.services.search_in_thread(self._read_and_rank, key)
        if self.options.tiers and query.item is not None:
            with self.stopwatch.stage("pixels"):
                fingerprint = await fingerprint_item(self.services, self.snapshot, query.item)
            identity = fingerprint.identity
            is_plain = identity is not None and identity.fingerprint.is_plain
            query = replace(query, fingerprint=fingerprint, is_plain=is_plain)
        return query, ranking

    async def _encode(self, upload: Upload, box: Box, item: ItemRecord | None) -> EncodedQuery:
        encoder = await self.snapshot.encoder()
        vector, prepared_picture = await embed_picture(
            self.services, encoder, upload, self.stopwatch, box=box, with_fingerprint=self.options.tiers
        )
        # A file may be another one by now: an item's size is the one that it was indexed with.
        size = prepared_picture if item is None else item.draft
        summary = QueryAnswer(
            width=size.width, height=size.height, box=box, key=None if item is None else item.draft.key
        )
        return EncodedQuery(
            vector=vector,
            summary=summary,
            item=item,
            fingerprint=FingerprintOutcome(prepared_picture.fingerprint),
            is_plain=prepared_picture.is_plain,
        )

    def _read_and_rank(self, key: str) -> tuple[EncodedQuery, Ranking]:
        query = self._read_stored(key)
        return query, self._read_hits(self._find_neighbours(query))

    def _read_stored(self, key: str) -> EncodedQuery:
        with self.stopwatch.stage("catalogue"):
            item = self.collection.item(key)
            summary = QueryAnswer(width=item.draft.width, height=item.draft.height, box=WHOLE_PICTURE, key=key)
            return EncodedQuery(vector=self.collection.vector(item), summary=summary, item=item)

    async def _rank(self, query: EncodedQuery) -> Ranking:
        """The hits: at once in a small collection whose rows are in memory, else in a thread."""
        if not self._is_inline():
            return await self.services.search_in_thread(lambda: self._read_hits(self._find_neighbours(query)))
        neighbours = self._find_neighbours(query)
        if self.collection.searcher.has_cached_hits(neighbours):
            return self._read_hits(neighbours)
        return await self.services.search_in_thread(self._read_hits, neighbours)

    def _is_inline(self) -> bool:
        """Whether the search takes less time than a change of thread, and so delays no other request."""
        return self.options.k <= _MAX_INLINE_NEIGHBOURS and self.collection.searcher.is_light()

    def _find_neighbours(self, query: EncodedQuery) -> Neighbours:
        with self.stopwatch.stage("search"):
            return self.collection.neighbours(query.vector[None], self.options.k, exclude=query.item)

    def _read_hits(self, neighbours: Neighbours) -> Ranking:
        with self.stopwatch.stage("catalogue"):
            hits = self.collection.hits(neighbours, min_score=self.options.min_score)[0]
        return Ranking(float(neighbours.scores[0, 0]), hits)

    async def _decide_tiers(self, query: EncodedQuery, hits: list[Hit], threshold: Threshold) -> list[TierOutcome]:
        """One outcome for each hit; those behind the first ``MAX_TIERS`` have no tier."""
        score_problem = PLAIN_PROBLEM if query.is_plain else None
        undecided = TierOutcome(score_problem=score_problem)
        if not self.options.tiers:
            return [undecided] * len(hits)
        first_hits, rest = hits[:MAX_TIERS], [undecided] * len(hits[MAX_TIERS:])
        identity = query.fingerprint.identity
        if identity is None:
            return [replace(undecided, problem=query.fingerprint.problem)] * len(first_hits) + rest
        # One request's pictures take turns with those of others in the threads that compare.
        semaphore = asyncio.Semaphore(_CONCURRENT_TIERS)

        async def decide(hit: Hit, item: ItemRecord) -> TierOutcome:
            async with semaphore:
                item_fingerprint = await fingerprint_item(self.services, self.snapshot, item)
                if item_fingerprint.identity is None:
                    return replace(undecided, problem=item_fingerprint.problem)
                similar = threshold.similar(hit.score)
                return TierOutcome.of(
                    await self.services.copy_checker.find_tier(identity, item_fingerprint.identity, similar=similar)
                )

        with self.stopwatch.stage("pixels"):
            keys = [hit.key for hit in first_hits]
            items = await self.services.search_in_thread(lambda: [self.collection.item(key) for key in keys])
            decisions = (decide(hit, item) for hit, item in zip(first_hits, items, strict=True))
            return [*await asyncio.gather(*decisions), *rest]
