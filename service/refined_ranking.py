"""The hits of one query with a filter, a refinement, facets or a cursor; ``service.search`` makes those without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lookalike.api import Collection
from lookalike.catalogue.snapshot_filter import Check, Facet
from lookalike.collection.candidates import Candidate, QueryVectors, leave_out_removed
from lookalike.collection.hit import Hit
from lookalike.collection.refined_search import RefinedSearch
from lookalike.collection.refinement import PLAIN
from lookalike.thresholds import Threshold
from service.open_snapshot import OpenSnapshot
from service.schemas.refinement_fields import Fallback
from service.scores import TierOutcome
from service.search_cursor import SearchCursor, query_digest, sign_vectors
from service.search_options import SearchOptions

FACET_VALUES = 20


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Ranking:
    """Hits, best first; ``best_score`` is the best cosine in the index, even where ``min_score`` left its item out.

    ``passing`` is the number of items that pass the filter, None without one; ``text_matches`` of those that have the
    words of a text.
    """

    best_score: float | None
    hits: list[Hit]
    exhausted: bool
    next_cursor: str | None = None
    passing: int | None = None
    facets: Mapping[str, Facet] | None = None
    text_matches: int | None = None
    fallback: Fallback | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RankedHits:
    """The hits of a ranking, with an entry of ``tiers`` for each; ``is_refined`` if more than scores decided."""

    snapshot: OpenSnapshot
    ranking: Ranking
    tiers: list[TierOutcome]
    threshold: Threshold
    is_refined: bool = False


async def collection_at(snapshot: OpenSnapshot, cursor_text: str) -> Collection:
    """The collection as it was at the first page of a cursor; raises FieldInvalidError and CursorOutdatedError."""
    cursor = SearchCursor.parse(cursor_text)
    is_current = cursor.generation == snapshot.generation
    collection = await snapshot.at_change(cursor.change) if is_current else None
    if collection is None:
        cursor.refuse(snapshot.generation)
    return collection


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PageMaker:
    """Makes the pages of one search; ``identity`` says what it searches with, ``exclude`` is the item that it is.

    ``is_stored`` says that the vector is that of an item: it is the same each time.
    """

    snapshot: OpenSnapshot
    collection: Collection
    options: SearchOptions
    queries: QueryVectors
    identity: str
    exclude: int | None = None
    is_stored: bool = False
    _digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_digest", query_digest(self.identity + self.options.identity))

    def next_cursor(self, first_k: int, start: int, queries: QueryVectors) -> SearchCursor:
        """The cursor of the page that begins at group ``start``."""
        cursor = SearchCursor(
            self.snapshot.generation,
            self.collection.change,
            first_k,
            start,
            self._digest,
            self._signature(queries),
        )
        if not self.is_stored:
            self.snapshot.page_cache.keep_vectors(cursor.cache_key, queries)
        return cursor

    def _signature(self, queries: QueryVectors) -> str:
        return "" if self.is_stored else sign_vectors(queries.vectors)

    def refined_page(self, check: Check) -> Ranking:
        """The page that the options ask for; takes what it takes, in a thread. Raises FilterInvalidError.

        Raises FieldInvalidError for a cursor that is none of this search's.
        """
        options, searcher = self.options, self.collection.searcher
        condition = None if options.filter is None else options.filter.condition(searcher)
        refinement = replace(options.refinement or PLAIN, min_score=options.min_score)
        stacks = None if refinement.stack is None else self.snapshot.stacks(refinement.stack, searcher)
        if stacks is not None:
            # A later search for duplicates makes other stacks, on whose pages items would come twice, or never.
            object.__setattr__(self, "_digest", query_digest(f"{self.identity}{options.identity}{stacks.version}"))
        first_k, start, queries, earlier_search = self._resume()
        search = earlier_search or RefinedSearch(
            searcher,
            queries,
            first_k,
            refinement,
            condition=condition,
            exclude=self.exclude,
            stacks=stacks,
            check=check,
        )
        search.check = check
        facets = None
        if options.facets:
            among = search.possible_ids
            facets = searcher.live_filter.facets(condition, options.facets, FACET_VALUES, among=among)
        stop = start + options.k
        candidates, has_more = search.page(start, options.k), search.has_more(stop)
        next_cursor = self.next_cursor(first_k, stop, queries) if has_more else None
        if next_cursor is not None:
            self.snapshot.page_cache.give_back(next_cursor.cache_key, search)
        is_relaxed = any(not candidate.passed_filter for candidate in candidates)
        return Ranking(
            best_score=search.best_score,
            hits=search.hits(self._without_removed(candidates), first_rank=len(search.page(0, start)) + 1),
            exhausted=not has_more,
            next_cursor=None if next_cursor is None else str(next_cursor),
            passing=None if condition is None else searcher.count(condition, check),
            facets=facets,
            text_matches=search.text_matches,
            fallback=Fallback.RELAX_FILTER if is_relaxed else None,
        )

    def _without_removed(self, candidates: list[Candidate]) -> list[Candidate]:
        """Those whose items are still there: the pages are of the state at the first one."""
        current = self.snapshot.searcher
        if current.overlay.change <= self.collection.change:
            return candidates
        return leave_out_removed(candidates, self.collection.searcher, current)

    def _resume(self) -> tuple[int, int, QueryVectors, RefinedSearch | None]:
        """The first page's k, where this page begins, the query's vectors, and the search if it is kept."""
        if self.options.cursor is None:
            return self.options.k, 0, self.queries, None
        cursor = SearchCursor.parse(self.options.cursor)
        signature = self._signature(self.queries)
        cursor.check(self._digest, signature)
        queries = self.snapshot.page_cache.vectors(cursor.cache_key) or self.queries
        return cursor.first_k, cursor.start, queries, self.snapshot.page_cache.take_search(cursor.cache_key)
