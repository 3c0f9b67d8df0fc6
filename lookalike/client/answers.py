"""What the service answers, as frozen structs with the names and fields of its OpenAPI document.

A field that this version does not know is passed over, so that a newer service can be asked. What the fields mean is in
docs/api.md.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lookalike.client.answer_base import Answer
from lookalike.client.text_answers import HighlightAnswer

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 as fractions of the upright picture's width and height."""
Scalar = str | bool | int | float


class FieldProblem(Answer, frozen=True, kw_only=True):
    """What is wrong with one field."""

    field: str
    code: str
    message: str


class Problem(Answer, frozen=True, kw_only=True):
    """An error in the format of RFC 9457."""

    title: str
    status: int
    detail: str
    code: str
    type: str = "about:blank"
    instance: str = ""
    request_id: str = ""
    errors: tuple[FieldProblem, ...] = ()


class ThresholdAnswer(Answer, frozen=True, kw_only=True):
    """The normalised score from which two pictures count as similar, and where it comes from."""

    value: float
    source: str
    precision: float | None = None
    recall: float | None = None


class HitAnswer(Answer, frozen=True, kw_only=True):
    """One neighbour; scores are None where it was searched for words alone."""

    rank: int
    key: str
    similar: bool
    image_url: str
    thumbnail_url: str
    metadata: dict[str, Any]
    score: float | None = None
    normalized_score: float | None = None
    confidence: float | None = None
    confidence_problem: str | None = None
    tier: str | None = None
    tier_problem: str | None = None
    title: str | None = None
    product_id: str | None = None
    group: Scalar | None = None
    group_count: int | None = None
    passed_filter: bool = True
    boosted_score: float | None = None
    group_score: float | None = None
    feedback_score: float | None = None
    text_score: float | None = None
    text_rank: int | None = None
    fused_score: float | None = None
    highlights: tuple[HighlightAnswer, ...] | None = None


class CollectionHitAnswer(HitAnswer, frozen=True, kw_only=True):
    """One neighbour in one of several collections."""

    collection: str


class QueryAnswer(Answer, frozen=True, kw_only=True):
    """The query; sizes are those of the upright picture before cropping to the box, None without a picture."""

    width: int | None = None
    height: int | None = None
    box: Box | None = None
    key: str | None = None


class FacetValueAnswer(Answer, frozen=True, kw_only=True):
    """A value, and how many of the items that pass have it."""

    value: Scalar
    count: int


class FacetAnswer(Answer, frozen=True, kw_only=True):
    """The most frequent values of a column among the items that pass, and how many different ones there are."""

    values: tuple[FacetValueAnswer, ...]
    distinct: int


class FacetsAnswer(Answer, frozen=True, kw_only=True):
    """Counts of values among the items that pass the filter."""

    collection: str
    snapshot: int
    count: int
    facets: dict[str, FacetAnswer]


class SearchAnswer(Answer, frozen=True, kw_only=True):
    """The neighbours, best first."""

    collection: str
    snapshot: int
    encoder: str
    results: tuple[HitAnswer, ...]
    threshold: ThresholdAnswer
    query: QueryAnswer
    exhausted: bool
    took_ms: dict[str, float]
    best_score: float | None = None
    next_cursor: str | None = None
    passing: int | None = None
    text_matches: int | None = None
    facets: dict[str, FacetAnswer] | None = None
    fallback: str | None = None


class CollectionsSearchAnswer(Answer, frozen=True, kw_only=True):
    """The best hits of several collections; what a ``SearchAnswer`` has once is here a mapping by collection."""

    collections: tuple[str, ...]
    snapshot: dict[str, int]
    encoder: dict[str, str]
    rank_by: str
    results: tuple[CollectionHitAnswer, ...]
    threshold: dict[str, ThresholdAnswer]
    query: QueryAnswer
    best_score: dict[str, float | None]
    exhausted: bool
    took_ms: dict[str, float]
    next_cursor: str | None = None
    passing: dict[str, int] | None = None
    facets: dict[str, dict[str, FacetAnswer]] | None = None


class BatchEntry(Answer, frozen=True, kw_only=True):
    """The response to one picture of several, or what is wrong with it."""

    index: int
    name: str
    answer: SearchAnswer | None = None
    problem: Problem | None = None


class BatchAnswer(Answer, frozen=True, kw_only=True):
    """An entry for each picture, in the order of the request."""

    collection: str
    snapshot: int
    encoder: str
    results: tuple[BatchEntry, ...]
    took_ms: dict[str, float]


class DifferenceAnswer(Answer, frozen=True, kw_only=True):
    """A place where two copies show something else: a changed number, a caption, a logo."""

    first: Box
    second: Box


class PartAnswer(Answer, frozen=True, kw_only=True):
    """What one part of the encoder adds to a score."""

    name: str
    score: float
    share: float


class CompareAnswer(Answer, frozen=True, kw_only=True):
    """How alike two pictures are; ``parts``, ``rest`` and ``heat_maps`` are None unless ``explain`` was true."""

    score: float
    normalized_score: float
    similar: bool
    differs_at: tuple[DifferenceAnswer, ...]
    threshold: ThresholdAnswer
    encoder: str
    input_size: int
    took_ms: dict[str, float]
    confidence: float | None = None
    confidence_problem: str | None = None
    tier: str | None = None
    tier_problem: str | None = None
    keep_both: str | None = None
    parts: tuple[PartAnswer, ...] | None = None
    rest: float | None = None
    heat_maps: tuple[str, str] | None = None


class EmbedAnswer(Answer, frozen=True, kw_only=True):
    """An embedding of unit length."""

    vector: tuple[float, ...]
    dimension: int
    encoder: str
    input_size: int
    encoder_digest: str
    took_ms: dict[str, float]


class MatchAnswer(Answer, frozen=True, kw_only=True):
    """An indexed picture that the one sent is a copy of, or similar to."""

    key: str
    tier: str
    score: float
    redundant: bool
    differs_at: tuple[DifferenceAnswer, ...]
    image_url: str
    thumbnail_url: str
    title: str | None = None
    product_id: str | None = None
    keep_both: str | None = None


class CheckAnswer(Answer, frozen=True, kw_only=True):
    """Whether a picture is new to a collection."""

    collection: str
    snapshot: int
    verdict: str
    redundant: bool
    matches: tuple[MatchAnswer, ...]
    unread: tuple[str, ...]
    threshold: ThresholdAnswer
    took_ms: dict[str, float]


class ItemAnswer(Answer, frozen=True, kw_only=True):
    """An indexed picture.

    ``etag`` names its version, for ``if_match``; the service sends it with single items, not with those of a list.
    """

    key: str
    metadata: dict[str, Any]
    width: int
    height: int
    format: str
    byte_size: int
    content_digest: str
    image_url: str
    thumbnail_url: str
    title: str | None = None
    product_id: str | None = None
    etag: str | None = None


class ListedItemAnswer(ItemAnswer, frozen=True, kw_only=True):
    """An item of a list; ``vector`` is None unless it was asked for, ``group_count`` where nothing is grouped."""

    vector: tuple[float, ...] | None = None
    group: Scalar | None = None
    group_count: int | None = None


class ItemsAnswer(Answer, frozen=True, kw_only=True):
    """A page of a collection's items; ``missing`` are those of ``keys`` that the collection does not have."""

    collection: str
    snapshot: int
    count: int
    items: tuple[ListedItemAnswer, ...]
    passing: int | None = None
    missing: tuple[str, ...] = ()
    next_cursor: str | None = None


class ItemChangeAnswer(Answer, frozen=True, kw_only=True):
    """What became of one change; from now on every search sees it. ``item`` is None if it was removed."""

    collection: str
    key: str
    status: str
    item: ItemAnswer | None = None


class ChangeEntry(Answer, frozen=True, kw_only=True):
    """What became of one change of several: a status, or a problem in its place."""

    index: int
    key: str
    status: str | None = None
    problem: Problem | None = None


class FilteredChangesAnswer(Answer, frozen=True, kw_only=True):
    """What became of the items that passed a filter; the request is sent again until ``remaining`` is 0."""

    collection: str
    dry_run: bool
    passing: int
    changed: int
    unchanged: int
    remaining: int


class ChangesAnswer(Answer, frozen=True, kw_only=True):
    """What became of each change of one batch, in their order."""

    collection: str
    results: tuple[ChangeEntry, ...]


class DuplicateMemberAnswer(Answer, frozen=True, kw_only=True):
    """A picture of a group."""

    key: str
    action: str
    reason: str
    width: int
    height: int
    byte_size: int
    shares_file: bool
    content_digest: str
    location: str
    image_url: str
    thumbnail_url: str
    tier: str | None = None


class DuplicateGroupAnswer(Answer, frozen=True, kw_only=True):
    """At least two pictures; in a group of copies the first is the one to keep."""

    id: str
    kind: str
    freed_bytes: int
    members: tuple[DuplicateMemberAnswer, ...]


class DuplicateTotals(Answer, frozen=True, kw_only=True):
    """Sums over all groups of the requested kind, on whichever page."""

    groups: int
    drop: int
    freed_bytes: int


class DuplicatesAnswer(Answer, frozen=True, kw_only=True):
    """A page of the groups that the last search for duplicates found, those that free the most bytes first."""

    collection: str
    snapshot: int
    searched_snapshot: int
    outdated: bool
    left_out: int
    created_at: datetime
    pictures: int
    unreadable: int
    totals: DuplicateTotals
    groups_by_kind: dict[str, int]
    groups: tuple[DuplicateGroupAnswer, ...]
    folder: str | None = None
    next_cursor: str | None = None


class DecisionAnswer(Answer, frozen=True, kw_only=True):
    """A decision that is remembered."""

    collection: str
    decision: str
    pairs: int
    changed: int


class DuplicateDifferenceAnswer(Answer, frozen=True, kw_only=True):
    """Where two indexed pictures differ."""

    collection: str
    snapshot: int
    first: str
    second: str
    differs_at: tuple[DifferenceAnswer, ...]
    took_ms: dict[str, float]
    tier: str | None = None
    tier_problem: str | None = None
    keep_both: str | None = None
