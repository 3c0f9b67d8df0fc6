"""How to search, as a request says it: hashable, since it is a part of what responses are cached by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Self

from lookalike.collection.preferences import Preferences
from lookalike.collection.refinement import PLAIN, Refinement
from lookalike.collection.searcher import Searcher
from lookalike.errors import FilterInvalidError
from lookalike.filters import Condition, KnownFields, parse_filter, parse_parameters
from lookalike.filters.conditions import And
from lookalike.words.text_query import TextQuery
from service.errors import FieldInvalidError
from service.http.strict_route import FILTER_PAIR
from service.schemas.recommend_form import CollectionRecommendForm
from service.schemas.refinement_fields import Fallback, HitFields, PageFields, RefinementFields
from service.schemas.requests import BatchForm, CollectionSearchForm, SearchForm, SimilarQuery
from service.schemas.text_fields import TextFields

MAX_HITS = 1000
_REFINEMENT_FIELDS = frozenset(RefinementFields.model_fields)


@dataclass(frozen=True, slots=True)
class FilterText:
    """A filter as it was sent: ``text`` in one piece, ``pairs`` of query parameters and their values, or both."""

    text: str | None
    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, text: str | None, parameters: Iterable[tuple[str, str]] = ()) -> Self | None:
        """What was sent; None without any. Of ``parameters`` those count whose names begin with ``filter[``."""
        pairs = tuple([pair for pair in parameters if pair[0].startswith(FILTER_PAIR)])
        return None if text is None and not pairs else cls(text, pairs)

    def condition(self, searcher: Searcher) -> Condition:
        """The condition in a collection; raises FilterInvalidError. Reads the catalogue."""
        return self.condition_on(searcher.live_filter.fields)

    def condition_on(self, fields: KnownFields) -> Condition:
        """The condition on these fields; raises FilterInvalidError."""
        parts = [] if self.text is None else [parse_filter(self.text, fields)]
        of_pairs = parse_parameters(self.pairs, fields)
        parts += [] if of_pairs is None else [of_pairs]
        return parts[0] if len(parts) == 1 else And(tuple(parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """How to search: ``min_score`` is a cosine, ``threshold`` a normalised score, None for the collection's own.

    ``refinement`` has no ``min_score`` of its own; it is None where nothing but the scores decides.
    """

    k: int
    min_score: float | None
    threshold: float | None
    tiers: bool = False
    filter: FilterText | None = None
    refinement: Refinement | None = None
    facets: tuple[str, ...] = ()
    cursor: str | None = None

    @classmethod
    def from_request(
        cls,
        request: SearchForm | CollectionSearchForm | BatchForm | SimilarQuery,
        parameters: Iterable[tuple[str, str]] = (),
    ) -> Self:
        """The options that a form or a query string has; raises FieldInvalidError for those that do not go together.

        ``parameters`` are the query string's, of which those of a filter are taken.
        """
        page = request if isinstance(request, PageFields) else None
        text = request if isinstance(request, TextFields) else None
        return cls(
            k=request.k,
            min_score=request.min_score,
            threshold=request.threshold,
            tiers=not isinstance(request, BatchForm) and request.tiers,
            filter=FilterText.of(request.filter, parameters),
            refinement=_refinement(request, request.k, None if text is None else _read_text(text)),
            facets=() if page is None else page.facets,
            cursor=None if page is None else page.cursor,
        )

    @classmethod
    def of_recommendation(cls, form: CollectionRecommendForm, parameters: Iterable[tuple[str, str]] = ()) -> Self:
        """The same for a recommendation, whose refinement has its preferences."""
        with fields_checked():
            preferences = Preferences(
                like=form.like,
                unlike=form.unlike,
                picture_count=len(form.image),
                strategy=form.strategy,
                include_liked=form.include_liked,
            )
            refinement = replace(_hit_refinement(form, form.k), preferences=preferences)
        return cls(
            k=form.k,
            min_score=form.min_score,
            threshold=form.threshold,
            filter=FilterText.of(form.filter, parameters),
            refinement=refinement,
            facets=form.facets,
            cursor=form.cursor,
        )

    @property
    def is_plain(self) -> bool:
        """Whether the k nearest items are all that is asked for."""
        return self.filter is None and self.refinement is None and not self.facets and self.cursor is None

    @property
    def has_stacks(self) -> bool:
        """Whether the last search for duplicates has a say."""
        return self.refinement is not None and self.refinement.stack is not None

    @property
    def identity(self) -> str:
        """Equal for searches of which one's next page can be asked with the other's options."""
        return repr((self.min_score, self.filter, self.refinement))


@contextmanager
def fields_checked() -> Iterator[None]:
    """A context in which options that do not go together are errors of fields."""
    try:
        yield
    except FilterInvalidError as error:
        raise FieldInvalidError(error.message, subject=error.subject) from error


def _read_text(fields: TextFields) -> TextQuery | None:
    if fields.text is not None:
        with fields_checked():
            return TextQuery.parse(fields.text, match=fields.text_match, weight=fields.text_weight)
    for name in ("text_match", "text_weight"):
        if name in fields.model_fields_set:
            raise FieldInvalidError(f"{name} needs text, the words to search for", subject=name)
    return None


def _refinement(request: RefinementFields, k: int, text: TextQuery | None) -> Refinement | None:
    """None where nothing was asked for."""
    if text is None and request.model_fields_set.isdisjoint(_REFINEMENT_FIELDS):
        return None  # at once: most searches
    with fields_checked():
        refinement = replace(
            _hit_refinement(request, k),
            group_score=request.group_score,
            like_keys=request.like_keys,
            unlike_keys=request.unlike_keys,
            include_liked=request.include_liked,
            text=text,
        )
    return None if refinement == PLAIN else refinement


def _hit_refinement(request: HitFields, k: int) -> Refinement:
    group_size = request.group_size or 1
    if request.group_by is None and request.stack is None and request.group_size is not None:
        raise FieldInvalidError("group_size needs group_by, the column to group by, or stack", subject="group_size")
    if k * group_size > MAX_HITS:
        raise FieldInvalidError(
            f"k · group_size is {k * group_size}: at most {MAX_HITS} hits a page are possible", subject="group_size"
        )
    return Refinement(
        exclude_keys=request.exclude_keys,
        group_by=request.group_by,
        group_size=group_size,
        stack=request.stack,
        dedupe=request.dedupe,
        diversity=request.diversity,
        relax_filter=request.fallback is Fallback.RELAX_FILTER,
        boosts=request.boost,
    )
