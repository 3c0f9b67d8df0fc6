"""One search in several collections: the query is encoded once by each encoder, and the hits of all are one ranking.

``service.search_json`` makes JSON of the result.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from lookalike.api import Collection
from lookalike.catalogue.records import ItemRecord
from lookalike.catalogue.snapshot_filter import Check, Facet
from lookalike.collection.candidates import QueryVectors
from lookalike.collection.hit import Hit
from lookalike.collection.merged_search import MergedSearch, MergedSource, RankBy, check_comparable, check_one_scale
from lookalike.collection.refined_search import RefinedSearch
from lookalike.collection.refinement import PLAIN, Refinement
from lookalike.encoder.base import ImageEncoder, Vectors
from lookalike.errors import LookalikeError, SnapshotDamagedError
from lookalike.filters import Condition, KnownFields
from lookalike.filters.builder import ConditionBuilder
from lookalike.thresholds import Threshold
from lookalike.tiers import PLAIN_PROBLEM
from service.box import WHOLE_PICTURE, Box
from service.cancellation import search_with_check
from service.embedding import embed_each, embed_for_encoders, read_item_picture
from service.errors import CollectionFailedError
from service.http.body import Upload
from service.inference.decoder_pool import PreparedPicture
from service.open_snapshot import OpenSnapshot
from service.refined_ranking import FACET_VALUES
from service.schemas.search_responses import QueryAnswer
from service.scores import TierOutcome
from service.search import ItemPartQuery, KeyQuery, LikedQuery, PictureQuery, PicturesQuery, Query, WordsQuery
from service.search_cursor import MergedCursor, query_digest, sign_vectors
from service.search_options import SearchOptions, fields_checked
from service.services import Services
from service.telemetry.timing import Stopwatch


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MergedRanking:
    """Hits of several collections, best first; ``best_scores``, ``passing`` and ``facets`` are by collection."""

    hits: list[Hit]
    exhausted: bool
    next_cursor: str | None
    best_scores: Mapping[str, float | None]
    passing: Mapping[str, int] | None
    facets: Mapping[str, Mapping[str, Facet]] | None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MergedResult:
    """A ranking with what its hits are judged by; ``outcome`` says whether the query's scores have a say."""

    snapshots: Sequence[OpenSnapshot]
    query: QueryAnswer
    ranking: MergedRanking
    thresholds: Mapping[str, Threshold]
    outcome: TierOutcome
    rank_by: RankBy


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _EncodedQuery:
    """A query's vectors by the digest of the encoder; ``item`` of the home collection is no hit there.

    ``is_stored`` says that all vectors are those of an item: they are the same each time.
    """

    queries: Mapping[str, QueryVectors]
    summary: QueryAnswer
    item: ItemRecord | None = None
    is_plain: bool = False
    is_stored: bool = False


@contextmanager
def _named(snapshot: OpenSnapshot) -> Iterator[None]:
    """A context in which an error says which of the collections it is about."""
    try:
        yield
    except LookalikeError as error:
        raise CollectionFailedError(snapshot.name, error) from error


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CollectionsSearch:
    """One search in the snapshots of several collections; ``home`` is the one that has the item of a query by key."""

    services: Services
    snapshots: Sequence[OpenSnapshot]
    home: OpenSnapshot | None
    query: Query
    options: SearchOptions
    rank_by: RankBy
    stopwatch: Stopwatch
    collections: dict[str, Collection] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Taken once: positions are those of one state of a collection, which live changes replace.
        collections = {snapshot.name: snapshot.collection for snapshot in self.snapshots}
        object.__setattr__(self, "collections", collections)

    async def run(self) -> MergedResult:
        """The best hits of all collections.

        Raises CollectionFailedError if one of them cannot be searched, ScoresNotComparableError, FieldInvalidError,
        CursorOutdatedError, FilterInvalidError, ItemNotFoundError, and the errors of the query's picture.
        """
        thresholds = {}
        for snapshot in self.snapshots:
            with _named(snapshot):
                thresholds[snapshot.name] = self.collections[snapshot.name].threshold(self.options.threshold)
        digests = {name: collection.manifest.encoder.digest for name, collection in self.collections.items()}
        with fields_checked():
            check_one_scale(digests, {"min_score": self.options.min_score, "threshold": self.options.threshold})
        check_comparable(digests, thresholds, self.rank_by)
        query = await self._encode(digests)
        with self.stopwatch.stage("search"):
            ranking = await search_with_check(self.services, lambda check: self._rank(query, thresholds, check))
        return MergedResult(
            snapshots=self.snapshots,
            query=query.summary,
            ranking=ranking,
            thresholds=thresholds,
            outcome=TierOutcome(score_problem=PLAIN_PROBLEM if query.is_plain else None),
            rank_by=self.rank_by,
        )

    async def _encode(self, digests: Mapping[str, str]) -> _EncodedQuery:
        match self.query:
            case PictureQuery(upload, box):
                return await self._encode_pictures([upload], box, digests)
            case PicturesQuery(uploads, _):
                return await self._encode_pictures(uploads, WHOLE_PICTURE, digests)
            case KeyQuery(key):
                return await self._encode_item(key, None, digests)
            case ItemPartQuery(key, box):
                return await self._encode_item(key, box, digests)
            case LikedQuery() | WordsQuery():
                raise AssertionError("feedback and words are for one collection")

    async def _encode_item(self, key: str, box: Box | None, digests: Mapping[str, str]) -> _EncodedQuery:
        """The item's stored vector where the encoder is that of its collection, and new ones of its file elsewhere."""
        assert self.home is not None
        home = self.collections[self.home.name]
        with self.stopwatch.stage("catalogue"):
            item = await self.services.search_in_thread(home.item, key)
            vector = await self.services.search_in_thread(home.vector, item)
        summary = QueryAnswer(width=item.draft.width, height=item.draft.height, box=box or WHOLE_PICTURE, key=key)
        own_digest = digests[self.home.name]
        other_digests = {name: digest for name, digest in digests.items() if box is not None or digest != own_digest}
        queries = {} if box is not None else {own_digest: QueryVectors(vector[None])}
        if not other_digests:
            return _EncodedQuery(queries=queries, summary=summary, item=item, is_stored=True)
        with self.stopwatch.stage("decode"):
            upload = await read_item_picture(self.services, self.home, item)
        encoded = await self._encode_pictures([upload], box or WHOLE_PICTURE, other_digests)
        return replace(encoded, queries={**encoded.queries, **queries}, summary=summary, item=item)

    async def _encode_pictures(self, uploads: Sequence[Upload], box: Box, digests: Mapping[str, str]) -> _EncodedQuery:
        encoders = await self._encoders(digests)

        def embed(upload: Upload, stopwatch: Stopwatch) -> Awaitable[tuple[list[Vectors], PreparedPicture]]:
            return embed_for_encoders(self.services, list(encoders.values()), upload, stopwatch, box)

        embedded = await embed_each(uploads, self.stopwatch, embed)
        pictures = [picture for _, picture in embedded]
        first = pictures[0]
        return _EncodedQuery(
            queries={
                digest: self._combine(np.stack([vectors[place] for vectors, _ in embedded]))
                for place, digest in enumerate(encoders)
            },
            summary=QueryAnswer(width=first.width, height=first.height, box=box, key=None),
            is_plain=all(picture.is_plain for picture in pictures),
        )

    def _combine(self, vectors: Vectors) -> QueryVectors:
        return (
            QueryVectors.of(vectors, self.query.combine)
            if isinstance(self.query, PicturesQuery)
            else QueryVectors(vectors)
        )

    async def _encoders(self, digests: Mapping[str, str]) -> dict[str, ImageEncoder]:
        """Each different encoder by its digest."""
        encoders: dict[str, ImageEncoder] = {}
        for snapshot in self.snapshots:
            digest = digests.get(snapshot.name)
            if digest is not None:
                with _named(snapshot):  # of every collection: each has to be one that can be searched by picture
                    encoders[digest] = await snapshot.encoder()
        return encoders

    def _rank(self, query: _EncodedQuery, thresholds: Mapping[str, Threshold], check: Check) -> MergedRanking:
        """The page that the options ask for; takes what it takes, in a thread."""
        options = self.options
        fields = KnownFields.merged(collection.searcher.live_filter.fields for collection in self.collections.values())
        condition = None if options.filter is None else options.filter.condition_on(fields)
        facets = self._count_facets(condition, fields) if options.facets else None
        position = self._position(query, thresholds)
        sources = []
        for snapshot in self.snapshots:
            name = snapshot.name
            with _named(snapshot):
                search = self._begin(snapshot, query, position, condition, check)
            sources.append(MergedSource(name, self.collections[name].searcher, search, thresholds[name]))
        merged = MergedSearch(sources, self.rank_by, dedupe=self._refinement.dedupe)
        stop = position.start + options.k
        try:
            hits, has_more = merged.page(position.start, options.k), merged.has_more(stop)
        except SnapshotDamagedError as error:
            raise self._named_error(error) from error
        if has_more:
            self._keep(query, position, sources)
        passing = None
        if condition is not None:
            passing = {source.name: source.searcher.count(condition, check) for source in sources}
        return MergedRanking(
            hits=hits,
            exhausted=not has_more,
            next_cursor=str(replace(position, start=stop)) if has_more else None,
            best_scores={source.name: source.search.best_score for source in sources},
            passing=passing,
            facets=facets,
        )

    def _named_error(self, error: SnapshotDamagedError) -> CollectionFailedError | SnapshotDamagedError:
        """The error with the collection whose folder it names."""
        folders = {str(collection.searcher.snapshot.folder): name for name, collection in self.collections.items()}
        name = folders.get(error.subject or "")
        return error if name is None else CollectionFailedError(name, error)

    @property
    def _refinement(self) -> Refinement:
        return self.options.refinement or PLAIN

    def _count_facets(self, condition: Condition | None, fields: KnownFields) -> dict[str, dict[str, Facet]]:
        """In each collection the columns that it has; raises FilterInvalidError for one that none of them has."""
        builder = ConditionBuilder(fields)
        for column in self.options.facets:
            builder.find_field(column, f"facets.{column[:60]}")
        facets = {}
        for name, collection in self.collections.items():
            item_filter = collection.searcher.live_filter
            columns = [column for column in self.options.facets if item_filter.fields.find(column) is not None]
            facets[name] = item_filter.facets(condition, columns, FACET_VALUES)
        return facets

    def _state(self, snapshot: OpenSnapshot, threshold: Threshold) -> str:
        """Equal where a collection has the same items and judges them alike: a calibration may be new on its own."""
        calibration = threshold.calibration
        knots = None if calibration is None else (calibration.threshold, calibration.scores, calibration.probabilities)
        return f"{snapshot.name} {snapshot.generation} {self.collections[snapshot.name].change} {knots}"

    def _position(self, query: _EncodedQuery, thresholds: Mapping[str, Threshold]) -> MergedCursor:
        """Where the page begins; raises the errors of ``MergedCursor.check``."""
        state = query_digest("\n".join(self._state(snapshot, thresholds[snapshot.name]) for snapshot in self.snapshots))
        names, home = " ".join(self.collections), "" if self.home is None else self.home.name
        # The threshold too: how far a score is above it decides between equal confidences.
        how = f"{self.rank_by} {self.options.threshold} {self.query.identity} {self.options.identity}"
        digest = query_digest(f"{names} {home} {how}")
        signature = "" if query.is_stored else sign_vectors(self._queries(query, self.snapshots[0]).vectors)
        if self.options.cursor is None:
            return MergedCursor(state, self.options.k, 0, digest, signature)
        cursor = MergedCursor.parse(self.options.cursor)
        cursor.check(state, digest, signature)
        return cursor

    def _queries(self, query: _EncodedQuery, snapshot: OpenSnapshot) -> QueryVectors:
        return query.queries[self.collections[snapshot.name].manifest.encoder.digest]

    def _begin(
        self,
        snapshot: OpenSnapshot,
        query: _EncodedQuery,
        position: MergedCursor,
        condition: Condition | None,
        check: Check,
    ) -> RefinedSearch:
        """The search in one collection: the one that the page before kept, or a new one to the same result."""
        search = snapshot.page_cache.take_search(position.cache_key) if position.start else None
        if search is None:
            queries = snapshot.page_cache.vectors(position.cache_key) if position.start else None
            item = query.item if self.home is snapshot else None
            search = RefinedSearch(
                self.collections[snapshot.name].searcher,
                queries or self._queries(query, snapshot),
                position.first_k,
                replace(self._refinement, min_score=self.options.min_score, dedupe=False),
                condition=condition,
                exclude=None if item is None else item.id,
                check=check,
            )
        search.check = check
        return search

    def _keep(self, query: _EncodedQuery, position: MergedCursor, sources: Sequence[MergedSource]) -> None:
        """Keep what the next page goes on from, each part with the snapshot that it is of."""
        for snapshot, source in zip(self.snapshots, sources, strict=True):
            if not query.is_stored and position.start == 0:
                snapshot.page_cache.keep_vectors(position.cache_key, self._queries(query, snapshot))
            snapshot.page_cache.give_back(position.cache_key, source.search)
