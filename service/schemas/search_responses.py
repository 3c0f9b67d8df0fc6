"""The responses of searches, as dataclasses and structs that msgspec encodes, and the fields they share with others."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Self, get_type_hints

import msgspec
from pydantic import BaseModel, Field, GetCoreSchemaHandler, create_model
from pydantic_core import CoreSchema

from lookalike.catalogue.snapshot_filter import Facet
from lookalike.collection.merged_search import RankBy
from lookalike.collection.preferences import Strategy
from lookalike.thresholds import Threshold
from lookalike.tiers import Tier
from service.http.problems import Problem
from service.schemas.refinement_fields import Fallback
from service.schemas.text_fields import HighlightAnswer

Score = Annotated[float, Field(ge=-1, le=1, description="Cosine score, -1 to 1.")]
Normalized = Annotated[float, Field(ge=0, le=1, description="(cosine + 1) / 2, 0 to 1.")]
Confidence = Annotated[
    float | None,
    Field(
        ge=0,
        le=1,
        description="Share of pairs with this score that showed the same thing, among the pictures that the scores "
        "were calibrated on: 0.82 means that 82 % of them did, not that `similar` is 82 % sure. Null where the scores "
        "are not calibrated, where `tier` is same-bytes, same-pixels or near-duplicate, which the score does not "
        "decide, and for a picture of one colour; `confidence_problem` says which.",
    ),
]
ConfidenceProblem = Annotated[str | None, Field(description="Why `confidence` is null, in words; null if it is not.")]
Similar = Annotated[
    bool,
    Field(
        description="Whether the score reaches the threshold, or `tier` says that one is a copy of the other. Never "
        "for a picture of one colour, unless its file or its pixels are the same: its score says nothing. An indexed "
        "picture of one colour is known as such with `tiers` only."
    ),
]
TierField = Annotated[
    Tier | None,
    Field(
        description="The closest that holds: same-bytes, same-pixels, near-duplicate (a made copy: another size, cut, "
        "light, format ..., decided on pixels whatever the score is), similar (the score reaches the threshold), "
        "different. Null where it was not requested or cannot be decided."
    ),
]
TierProblem = Annotated[
    str | None, Field(description="Why the tier cannot be decided: a file can no longer be read, or has changed.")
]
Milliseconds = Annotated[
    dict[str, float], Field(description="Milliseconds by stage, and in total since the body was read.")
]


@dataclass(frozen=True, slots=True)
class ThresholdAnswer:
    """The normalised score from which two pictures count as similar, and where it comes from."""

    value: Normalized
    source: Annotated[
        str, Field(description="Where it comes from: given, calibrated (on what, and for what), or the default.")
    ]
    precision: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description="Share of same pairs among those that reach a calibrated threshold, measured on pairs of "
            "the hold-out split, as common as they were among the pictures used; null where it is given or "
            "the default.",
        ),
    ]
    recall: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description="Share of the same pairs of the hold-out split that reach a calibrated threshold; null "
            "likewise.",
        ),
    ]

    @classmethod
    def of(cls, threshold: Threshold) -> Self:
        """From the library's object."""
        calibration = threshold.source_calibration
        return cls(
            value=threshold.value,
            source=threshold.source,
            precision=None if calibration is None else round(calibration.precision, 4),
            recall=None if calibration is None else round(calibration.recall, 4),
        )


class HitAnswer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One neighbour; a response has up to a thousand, so this is the type that is fast to make and to encode."""

    rank: Annotated[int, Field(ge=1)]
    key: str
    score: Annotated[Score | None, Field(description="Cosine score, -1 to 1; null in a search for words alone.")]
    normalized_score: Annotated[Normalized | None, Field(description="(cosine + 1) / 2, 0 to 1; null likewise.")]
    similar: Similar
    confidence: Confidence
    confidence_problem: ConfidenceProblem
    tier: TierField
    tier_problem: TierProblem
    title: str | None
    product_id: str | None
    metadata: dict[str, Any]
    image_url: str
    thumbnail_url: str
    group: Annotated[
        str | bool | int | float | None,
        Field(description="The value that it is grouped by; null where nothing is grouped, and for items without one."),
    ] = None
    group_count: Annotated[
        int | None,
        Field(
            ge=1,
            description="How many items that pass the filter are in its group, hits or not; null where nothing is "
            "grouped.",
        ),
    ] = None
    passed_filter: Annotated[bool, Field(description="Whether it passed the filter; false only with `fallback`.")] = (
        True
    )
    boosted_score: Annotated[
        float | None,
        Field(description="`score`, or with feedback `feedback_score`, with its boosts; null without `boost`."),
    ] = None
    group_score: Annotated[
        float | None,
        Field(
            description="The mean, over the pictures of the query, of the best cosine that an item of the group has "
            "with each; null without `group_score=mean`."
        ),
    ] = None
    feedback_score: Annotated[
        float | None,
        Field(
            description="The cosine with the query as `like_keys` and `unlike_keys` moved it, by which hits are "
            "ranked; null without them. Of a recommendation, what its strategy ranks by."
        ),
    ] = None
    text_score: Annotated[
        float | None,
        Field(
            ge=0,
            description="How well the item has the words of `text` (BM25F; no share and no probability, and comparable "
            "within one search only); null without text, and for an item that has not.",
        ),
    ] = None
    text_rank: Annotated[
        int | None,
        Field(
            ge=1,
            description="Its place among the items that have the words and pass the filter; null likewise, and for "
            "further items of a group.",
        ),
    ] = None
    fused_score: Annotated[
        float | None,
        Field(
            description="With text beside a picture, what hits are ranked by: (1 - text_weight) / (60 + place by the "
            "picture) + text_weight / (60 + place by the words); null otherwise, and for further items of a group."
        ),
    ] = None
    highlights: Annotated[
        list[HighlightAnswer] | None,
        Field(description="Where the words stand: texts of the item in pieces; null without text."),
    ] = None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """For the OpenAPI document: pydantic sees a model of the same fields."""
        return handler(_model_of_hit(cls))


class CollectionHitAnswer(HitAnswer, frozen=True, kw_only=True, gc=False):
    """One neighbour in one of several collections."""

    collection: str


@cache
def _model_of_hit(kind: type[HitAnswer]) -> type[BaseModel]:
    fields: dict[str, Any] = {name: (hint, ...) for name, hint in get_type_hints(kind, include_extras=True).items()}
    return create_model(kind.__name__, __doc__=(kind.__doc__ or "").partition(";")[0], **fields)


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """The query; sizes are those of the upright picture before cropping to the box, null without a picture."""

    width: Annotated[int | None, Field(ge=1)]
    height: Annotated[int | None, Field(ge=1)]
    box: tuple[float, float, float, float] | None
    key: str | None


@dataclass(frozen=True, slots=True)
class FacetValueAnswer:
    """A value, and how many of the items that pass have it."""

    value: str | bool | int | float
    count: Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True)
class FacetAnswer:
    """The most frequent values of a column among the items that pass, and how many different ones there are."""

    values: list[FacetValueAnswer]
    distinct: Annotated[int, Field(ge=0)]

    @classmethod
    def of(cls, facet: Facet) -> Self:
        """From the library's object."""
        return cls([FacetValueAnswer(value.value, value.count) for value in facet.values], facet.distinct)


@dataclass(frozen=True, slots=True)
class FacetsAnswer:
    """Counts of values among the items that pass the filter."""

    collection: str
    snapshot: Annotated[int, Field(ge=1)]
    count: Annotated[int, Field(ge=0, description="How many items pass.")]
    facets: dict[str, FacetAnswer]


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """The neighbours, best first."""

    collection: str
    snapshot: Annotated[int, Field(ge=1, description="Number of the snapshot that answered.")]
    encoder: str
    results: list[HitAnswer]
    threshold: ThresholdAnswer
    query: QueryAnswer
    best_score: Annotated[
        Score | None, Field(description="The best score of an item that passes the filter, even below min_score.")
    ]
    exhausted: Annotated[
        bool, Field(description="Whether there are no further hits: none that pass, or none that reach min_score.")
    ]
    next_cursor: Annotated[
        str | None, Field(description="Send it as `cursor`, with the same query, for the next page; null on the last.")
    ]
    passing: Annotated[int | None, Field(ge=0, description="How many items pass the filter; null without one.")]
    text_matches: Annotated[
        int | None, Field(ge=0, description="How many items have the words and pass the filter; null without text.")
    ]
    facets: Annotated[dict[str, FacetAnswer] | None, Field(description="By column; null where none was asked for.")]
    fallback: Annotated[
        Fallback | None, Field(description="relax_filter where hits were added that do not pass the filter; else null.")
    ]
    took_ms: Milliseconds  # last, so that a cached response is completed with its times by appending them


class Basis(StrEnum):
    """What a recommendation is made of: of what is liked, or where nothing is, of what stands for the collection."""

    LIKED = "liked"
    REPRESENTATIVE = "representative"


@dataclass(frozen=True, slots=True)
class RecommendAnswer:
    """The recommended items, best first."""

    collection: str
    snapshot: Annotated[int, Field(ge=1, description="Number of the snapshot that answered.")]
    encoder: str
    basis: Annotated[
        Basis,
        Field(
            description="liked, or representative where there is neither like nor image: then hits are the middles of "
            "the largest groups of like items."
        ),
    ]
    strategy: Annotated[Strategy | None, Field(description="As it was sent; null where nothing is liked.")]
    results: list[HitAnswer]
    threshold: ThresholdAnswer
    best_score: Annotated[
        Score | None,
        Field(
            description="The best cosine of an item that passes the filter with something that is liked, even below "
            "min_score."
        ),
    ]
    exhausted: Annotated[
        bool, Field(description="Whether there are no further hits: none that pass, or none that reach min_score.")
    ]
    next_cursor: Annotated[
        str | None,
        Field(description="Send it as `cursor`, with all else as it was, for the next page; null on the last."),
    ]
    passing: Annotated[int | None, Field(ge=0, description="How many items pass the filter; null without one.")]
    facets: Annotated[dict[str, FacetAnswer] | None, Field(description="By column; null where none was asked for.")]
    fallback: Annotated[
        Fallback | None, Field(description="relax_filter where hits were added that do not pass the filter; else null.")
    ]
    took_ms: Milliseconds  # last, as in SearchAnswer


@dataclass(frozen=True, slots=True)
class CollectionsSearchAnswer:
    """The best hits of several collections; what a ``SearchAnswer`` has once is here an object by collection."""

    collections: Annotated[list[str], Field(description="As they were sent.")]
    snapshot: Annotated[dict[str, int], Field(description="By collection, the number of the snapshot that answered.")]
    encoder: dict[str, str]
    rank_by: RankBy
    results: list[CollectionHitAnswer]
    threshold: dict[str, ThresholdAnswer]
    query: QueryAnswer
    best_score: Annotated[
        dict[str, Score | None],
        Field(description="By collection, the best score of an item that passes the filter, even below min_score."),
    ]
    exhausted: Annotated[bool, Field(description="Whether there are no further hits in any of them.")]
    next_cursor: Annotated[
        str | None, Field(description="Send it as `cursor`, with the same query, for the next page; null on the last.")
    ]
    passing: Annotated[
        dict[str, int] | None, Field(description="By collection, how many items pass the filter; null without one.")
    ]
    facets: Annotated[
        dict[str, dict[str, FacetAnswer]] | None,
        Field(description="By collection and column, of the columns that it has; null where none was asked for."),
    ]
    took_ms: Milliseconds


@dataclass(frozen=True, slots=True)
class BatchEntry:
    """The response to one picture of several, or what is wrong with it."""

    index: Annotated[int, Field(ge=0)]
    name: str
    answer: SearchAnswer | None
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """An entry for each picture, in the order of the request."""

    collection: str
    snapshot: int
    encoder: str
    results: list[BatchEntry]
    took_ms: Milliseconds
