"""One search: from a picture, a key or words to its hits, their rows and, where asked for, their tiers.

``service.search_json`` makes JSON of the result.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Hashable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from lookalike.api import Collection
from lookalike.catalogue.records import ItemRecord
from lookalike.collection.candidates import Combine, QueryVectors
from lookalike.collection.hit import Hit
from lookalike.collection.text_candidates import WORDS_PROBLEM
from lookalike.encoder.base import Vectors
from lookalike.index.base import Neighbours
from lookalike.thresholds import Threshold
from lookalike.tiers import PLAIN_PROBLEM
from service.box import WHOLE_PICTURE, Box
from service.cancellation import search_with_check
from service.embedding import (
    NO_FINGERPRINT,
    FingerprintOutcome,
    embed_each,
    embed_picture,
    fingerprint_item,
    read_item_picture,
)
from service.http.body import Upload
from service.open_snapshot import OpenSnapshot
from service.refined_ranking import PageMaker, RankedHits, Ranking, collection_at
from service.schemas.search_responses import QueryAnswer
from service.scores import TierOutcome
from service.search_options import SearchOptions
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


@dataclass(frozen=True, slots=True, eq=False)
class PictureQuery:
    """Search with an uploaded picture, or with a part of it."""

    upload: Upload
    box: Box = WHOLE_PICTURE

    @property
    def identity(self) -> str:
        """What is searched with, apart from the picture: a cursor recognises that by its vector."""
        return f"picture {self.box}"

    def cache_key(self, _options: SearchOptions) -> None:
        """Not cached: uploads rarely come twice."""


@dataclass(frozen=True, slots=True, eq=False)
class PicturesQuery:
    """Search with several uploaded pictures of one thing: an item's best cosine counts, or the mean of them."""

    uploads: Sequence[Upload]
    combine: Combine

    @property
    def identity(self) -> str:
        """What is searched with, apart from the pictures: a cursor recognises these by their vectors."""
        return f"pictures {len(self.uploads)} {self.combine}"

    def cache_key(self, _options: SearchOptions) -> None:
        """Not cached: uploads rarely come twice."""


@dataclass(frozen=True, slots=True)
class KeyQuery:
    """Search with an indexed item, by its stored vector."""

    key: str

    @property
    def identity(self) -> str:
        """What is searched with."""
        return f"key {self.key}"

    def cache_key(self, options: SearchOptions) -> Hashable | None:
        """Not cached with tiers or stacks: the files that they are decided by may change."""
        return None if options.tiers or options.has_stacks else (self, options)


@dataclass(frozen=True, slots=True)
class ItemPartQuery:
    """Search with a part of an indexed item's picture, by a new vector."""

    key: str
    box: Box

    @property
    def identity(self) -> str:
        """What is searched with."""
        return f"key {self.box} {self.key}"

    def cache_key(self, _options: SearchOptions) -> None:
        """Not cached: the item's file may change."""


@dataclass(frozen=True, slots=True)
class LikedQuery:
    """Search with the liked items alone, as with several pictures of one thing."""

    keys: tuple[str, ...]
    combine: Combine

    @property
    def identity(self) -> str:
        """What is searched with, apart from the keys, which are among the options."""
        return f"liked {self.combine}"

    def cache_key(self, options: SearchOptions) -> Hashable | None:
        """All that decides is in memory, but for stacks."""
        return None if options.has_stacks else (self, options)


@dataclass(frozen=True, slots=True)
class WordsQuery:
    """Search for words alone, which are among the options."""

    @property
    def identity(self) -> str:
        """What is searched with, apart from the words."""
        return "words"

    def cache_key(self, options: SearchOptions) -> Hashable:
        """All that decides is in the catalogue, as it was at the last change."""
        return (self, options)


Query = PictureQuery | PicturesQuery | KeyQuery | ItemPartQuery | LikedQuery | WordsQuery
"""What is searched with; ``cache_key`` identifies the response in a snapshot's cache, None if it may not be cached."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class EncodedQuery:
    """A query as a vector (D,); ``item`` is the indexed item that it is, which is left out of the hits.

    ``queries`` are set where there are several pictures, of which the other fields are of the first.
    ``fingerprint`` is empty where no tiers were asked for. ``is_plain`` says that the picture is known to be of one
    colour: of an indexed one, whose file is not read, it is not known.
    """

    vector: Vectors
    summary: QueryAnswer
    item: ItemRecord | None = None
    fingerprint: FingerprintOutcome = NO_FINGERPRINT
    is_plain: bool = False
    queries: QueryVectors | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SearchResult(RankedHits):
    """What was searched with, and its hits."""

    query: QueryAnswer


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

        Raises ItemNotFoundError, SnapshotDamagedError, EncodingError, leaves of ImageError and SourceError, the errors
        of ``OpenSnapshot.encoder``, and for a cursor FieldInvalidError and CursorOutdatedError.
        """
        if self.options.cursor is not None:
            # Search the collection as it was when the first page was made: changes since end no list.
            object.__setattr__(self, "collection", await collection_at(self.snapshot, self.options.cursor))
        query, ranking = await self._run_query()
        threshold = self.collection.threshold(self.options.threshold)
        return SearchResult(
            snapshot=self.snapshot,
            query=query.summary,
            ranking=ranking,
            tiers=await self._decide_tiers(query, ranking.hits, threshold),
            threshold=threshold,
            is_refined=self._is_refined(),
        )

    async def _run_query(self) -> tuple[EncodedQuery, Ranking]:
        """The query's vector and its hits."""
        match self.query:
            case PictureQuery(upload, box):
                return await self._rank_picture(upload, box)
            case PicturesQuery(uploads, combine):
                return await self._rank_pictures(uploads, combine)
            case KeyQuery(key):
                return await self._rank_by_stored_vector(key)
            case ItemPartQuery(key, box):
                return await self._rank_item_part(key, box)
            case LikedQuery(keys, combine):
                query = await self.services.search_in_thread(self._read_liked, keys, combine)
                return query, await self._rank(query)
            case WordsQuery():
                no_vectors = np.empty((0, self.collection.manifest.encoder.dimension), np.float32)
                summary = QueryAnswer(width=None, height=None, box=None, key=None)
                query = EncodedQuery(vector=no_vectors, summary=summary, queries=QueryVectors(no_vectors))
                return query, await self._rank(query)

    async def _rank_picture(
        self, upload: Upload, box: Box, item: ItemRecord | None = None
    ) -> tuple[EncodedQuery, Ranking]:
        """The hits by a new vector of a part of a picture: an uploaded one, or that of an ``item``."""
        query = await self._encode(upload, box, item)
        return query, await self._rank(query)

    async def _rank_pictures(self, uploads: Sequence[Upload], combine: Combine) -> tuple[EncodedQuery, Ranking]:
        """The hits by the vectors of several pictures, which are encoded together."""

        def encode(upload: Upload, stopwatch: Stopwatch) -> Awaitable[EncodedQuery]:
            return replace(self, stopwatch=stopwatch)._encode(upload, WHOLE_PICTURE, None)

        pictures = await embed_each(uploads, self.stopwatch, encode)
        vectors = np.stack([picture.vector for picture in pictures])
        queries = QueryVectors.of(vectors, combine)
        is_plain = all(picture.is_plain for picture in pictures)
        query = replace(pictures[0], queries=queries, is_plain=is_plain)
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
        elif self._is_refined():
            query = await self.services.search_in_thread(self._read_stored, key)
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
        return query, self._read_hits(query, self._find_neighbours(query))

    def _read_stored(self, key: str) -> EncodedQuery:
        with self.stopwatch.stage("catalogue"):
            item = self.collection.item(key)
            summary = QueryAnswer(width=item.draft.width, height=item.draft.height, box=WHOLE_PICTURE, key=key)
            return EncodedQuery(vector=self.collection.vector(item), summary=summary, item=item)

    def _read_liked(self, keys: Sequence[str], combine: Combine) -> EncodedQuery:
        """The liked items as a query: what it says of itself is of the first."""
        first = self._read_stored(keys[0])
        vectors = np.stack([first.vector, *(self.collection.vector(key) for key in keys[1:])])
        return replace(first, item=None, queries=QueryVectors.of(vectors, combine))

    async def _rank(self, query: EncodedQuery) -> Ranking:
        """The hits: at once in a small collection whose rows are in memory, else in a thread."""
        if self._is_refined():
            with self.stopwatch.stage("search"):
                return await search_with_check(self.services, self._page_maker(query).refined_page)
        if not self._is_inline():
            return await self.services.search_in_thread(lambda: self._read_hits(query, self._find_neighbours(query)))
        neighbours = self._find_neighbours(query)
        if self.collection.searcher.has_cached_hits(neighbours):
            return self._read_hits(query, neighbours)
        return await self.services.search_in_thread(self._read_hits, query, neighbours)

    def _is_refined(self) -> bool:
        """Whether more than the scores of one vector decides."""
        return not self.options.is_plain or isinstance(self.query, PicturesQuery)

    def _is_inline(self) -> bool:
        """Whether the search takes less time than a change of thread, and so delays no other request."""
        options = self.options
        return options.k <= _MAX_INLINE_NEIGHBOURS and self.collection.searcher.is_light() and options.is_plain

    def _find_neighbours(self, query: EncodedQuery) -> Neighbours:
        with self.stopwatch.stage("search"):
            return self.collection.neighbours(query.vector[None], self.options.k, exclude=query.item)

    def _read_hits(self, query: EncodedQuery, neighbours: Neighbours) -> Ranking:
        options = self.options
        candidate_count = len(self.collection) - (query.item is not None)
        with self.stopwatch.stage("catalogue"):
            hits = self.collection.hits(neighbours, min_score=options.min_score)[0]
        exhausted = len(hits) < options.k or options.k >= candidate_count
        next_cursor = None
        if not exhausted:
            page_maker = self._page_maker(query)
            next_cursor = str(page_maker.next_cursor(options.k, options.k, page_maker.queries))
        return Ranking(
            best_score=float(neighbours.scores[0, 0]) if candidate_count else None,
            hits=hits,
            exhausted=exhausted,
            next_cursor=next_cursor,
        )

    def _page_maker(self, query: EncodedQuery) -> PageMaker:
        return PageMaker(
            snapshot=self.snapshot,
            collection=self.collection,
            options=self.options,
            queries=query.queries or QueryVectors(query.vector[None]),
            identity=self.query.identity,
            exclude=None if query.item is None else query.item.id,
            is_stored=isinstance(self.query, KeyQuery | LikedQuery | WordsQuery),
        )

    async def _decide_tiers(self, query: EncodedQuery, hits: list[Hit], threshold: Threshold) -> list[TierOutcome]:
        """One outcome for each hit; those behind the first ``MAX_TIERS`` have no tier."""
        score_problem = PLAIN_PROBLEM if query.is_plain else None
        if isinstance(self.query, WordsQuery):
            score_problem = WORDS_PROBLEM
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
