"""The responses: every field with its range. The OpenAPI document is generated from these classes.

Those of searches are in ``search_responses``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field

from lookalike.calibration import Calibration
from lookalike.explanation import GRID
from service.schemas.check_responses import DiffersAt, KeepBoth
from service.schemas.search_responses import (
    Confidence,
    ConfidenceProblem,
    Milliseconds,
    Normalized,
    Score,
    Similar,
    ThresholdAnswer,
    TierField,
    TierProblem,
)

Share = Annotated[float, Field(ge=0, le=1)]


class PartAnswer(BaseModel):
    """What one part of the encoder adds to a score."""

    name: str = Field(description="stage-1 (the shallowest: texture and edges) and so on to objects, or colour.")
    score: Score = Field(description="The cosine of the two pictures as this part alone sees them, -1 to 1.")
    share: float = Field(description="What it adds to the score; all shares and `rest` sum to it.")


HeatMap = Annotated[
    str,
    Field(
        description=f"A grey PNG of {GRID} × {GRID} pixels as a data: URI, to be stretched over the whole upright "
        "picture: white is the place that speaks most for the two being alike, black one that does not."
    ),
]


class CompareAnswer(BaseModel):
    """How alike two pictures are; `parts`, `rest` and `heat_maps` are null unless `explain` is true."""

    score: Score
    normalized_score: Normalized
    similar: Similar
    confidence: Confidence
    confidence_problem: ConfidenceProblem
    tier: TierField
    tier_problem: TierProblem
    keep_both: KeepBoth
    differs_at: DiffersAt
    threshold: ThresholdAnswer
    parts: list[PartAnswer] | None = Field(description="The parts of the encoder, the shallowest first.")
    rest: float | None = Field(description="What the encoder says of every picture: the score without the shares.")
    heat_maps: tuple[HeatMap, HeatMap] | None = Field(description="One of image_a, one of image_b.")
    encoder: str
    input_size: int
    took_ms: Milliseconds


class ScoreAnswer(BaseModel):
    """A comparison with the names that clients of an earlier similarity predictor know."""

    score: Normalized = Field(serialization_alias="Similarity Score")
    similar: str = Field(serialization_alias="Are the images similar?", description="Yes or No.")
    took: float = Field(serialization_alias="Time taken in milliseconds", ge=0)


class EmbedAnswer(BaseModel):
    """An embedding of unit length."""

    vector: list[float]
    dimension: int
    encoder: str
    input_size: int
    encoder_digest: str = Field(description="Two embeddings may be compared only if theirs are equal.")
    took_ms: Milliseconds


class TagAnswer(BaseModel):
    """A word for what a picture shows."""

    word: str
    confidence: float = Field(description="The share of the cases in which a word is right that is given so surely.")


class TagsAnswer(BaseModel):
    """The words for what a picture shows, from the most specific to the most general; none where nothing is sure."""

    tags: list[TagAnswer]
    encoder: str
    took_ms: Milliseconds


class CollectionProblem(BaseModel):
    """Why a collection, or its newest snapshot, is not served."""

    code: str
    detail: str


class PictureProblem(BaseModel):
    """Why a collection cannot be searched by picture; everything else works."""

    code: str
    detail: str
    command: str | None = Field(
        description="The command with which the operator of the service encodes the collection again; null where that "
        "does not help."
    )


SearchableByPicture = Annotated[
    bool,
    Field(
        description="False where the encoder that made its vectors is no longer available: searches by key still work."
    ),
]
PictureProblemField = Annotated[
    PictureProblem | None, Field(description="Why it cannot be searched by picture, if it cannot.")
]


class CollectionRow(BaseModel):
    """A collection's summary."""

    name: str
    ready: bool
    count: int | None
    snapshot: int | None
    encoder: str | None
    created_at: datetime | None
    problem: CollectionProblem | None
    searchable_by_picture: SearchableByPicture
    picture_problem: PictureProblemField


class CollectionsAnswer(BaseModel):
    """All collections."""

    collections: list[CollectionRow]


class EncoderAnswer(BaseModel):
    """What a collection's vectors were made with."""

    name: str
    backbone: str
    fusion: str
    dimension: int
    input_size: int
    digest: str


class SourceAnswer(BaseModel):
    """Where a collection's pictures came from."""

    kind: str
    location: str


class CalibrationAnswer(BaseModel):
    """What the threshold and the confidences of a collection's scores were fitted to."""

    threshold: Normalized
    rule: str = Field(description="How the threshold was chosen, such as best F1, or precision 0.99.")
    precision: Share = Field(description="At the threshold, on pairs of the hold-out split, as common as they were.")
    recall: Share = Field(description="Likewise.")
    positives: int = Field(description="Pairs of the same thing that were used.")
    negatives: int = Field(description="Pairs of different things that were used.")
    method: str = Field(description="Kind of the map from score to confidence: isotonic or logistic.")
    calibration_error: Share = Field(
        description="Mean distance of confidence and truth, on pairs of the hold-out split."
    )
    collection: str | None = Field(description="Where the pairs come from; null for the default of the encoder.")
    created_at: datetime

    @classmethod
    def of(cls, calibration: Calibration) -> Self:
        """From the library's object."""
        return cls(**{name: getattr(calibration, name) for name in cls.model_fields})


class ColumnAnswer(BaseModel):
    """A column of the items' metadata, by which they can be filtered, grouped and counted."""

    name: str
    types: list[str] = Field(description="Types of its values: text, number, boolean, date, and list of each.")
    declared: bool = Field(description="Whether its type was declared, and is enforced; else it is that of its values.")
    count: int = Field(ge=0, description="How many items have a value; 0 only of a declared column.")


class CollectionAnswer(BaseModel):
    """A collection in full."""

    name: str
    count: int
    snapshot: int
    change: int = Field(description="The number of the last change of an item that is seen here.")
    pending: int = Field(description="How many items were added or removed since the snapshot was published.")
    created_at: datetime
    made_by: str
    encoder: EncoderAnswer
    engine: str
    plan: list[str]
    recall: dict[str, Any] | None = Field(description="Measured when the snapshot was published.")
    columns: list[ColumnAnswer] | None = Field(
        description="The columns of the metadata, by name; null in responses to changes of the collection."
    )
    threshold: ThresholdAnswer
    calibration: CalibrationAnswer | None = Field(description="Null if neither it nor its encoder is calibrated.")
    keep: int = Field(description="How many snapshots stay when the next one is published, that one included.")
    auto_tags: bool = Field(description="Whether items that are stored get words for what they show.")
    pinned: bool = Field(description="Whether it stays at its snapshot, and takes no changes, until it is unpinned.")
    bytes: int
    source: SourceAnswer
    searchable_by_picture: SearchableByPicture
    picture_problem: PictureProblemField


class ItemAnswer(BaseModel):
    """An indexed picture."""

    key: str
    title: str | None
    product_id: str | None
    metadata: dict[str, Any]
    width: int
    height: int
    format: str
    byte_size: int
    content_digest: str = Field(description="SHA-256 of the file.")
    image_url: str
    thumbnail_url: str


class ListedItemAnswer(ItemAnswer):
    """An item of a list."""

    vector: list[float] | None = Field(description="Its embedding, of unit length; null unless it was asked for.")
    group: str | bool | int | float | None = Field(
        default=None, description="The value that it is grouped by, or the name of its stack; null if it has none."
    )
    group_count: int | None = Field(
        default=None,
        ge=1,
        description="How many items that pass it stands for, itself among them; null where nothing is grouped.",
    )


class ItemsAnswer(BaseModel):
    """A page of a collection's items."""

    collection: str
    snapshot: int
    count: int = Field(description="How many items there are on all pages; of a sample, how many it was taken from.")
    items: list[ListedItemAnswer]
    passing: int | None = Field(
        default=None, description="How many items these groups have on all pages; null where nothing is grouped."
    )
    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null on the last.")
    missing: list[str] = Field(description="Those of `keys` that the collection does not have.")


class EncoderRow(BaseModel):
    """An encoder that requests can name; dimension, input size and threshold are null until it is loaded."""

    name: str
    installed: bool
    loaded: bool
    dimension: int | None
    input_size: int | None
    licence: str | None
    threshold: ThresholdAnswer | None


class EncodersAnswer(BaseModel):
    """All encoders, including those that can be installed."""

    encoders: list[EncoderRow]


class OperatorAnswer(BaseModel):
    """Whether the compiled operator is in use."""

    available: bool
    detail: str


class HealthAnswer(BaseModel):
    """How the service is."""

    status: str = Field(description="ok, or degraded if `problems` has something to say.")
    operator: OperatorAnswer | None = Field(description="Null while nothing runs on PyTorch, which alone needs it.")
    runtime: str | None
    collections: dict[str, int | None] = Field(description="The snapshot that each collection serves.")
    searchable_by_key_only: dict[str, PictureProblem] = Field(
        description="The collections that cannot be searched with pictures, and what to do about it."
    )
    in_flight: int = Field(description="Permits taken.")
    capacity: int = Field(description="Maximum number of concurrent permits.")
    uploading: int = Field(description="Bytes of request bodies in memory or announced.")
    problems: list[str]


class ReadyAnswer(BaseModel):
    """The service can answer."""

    ready: bool
    took_ms: float = Field(description="Milliseconds that encoding a small picture took.")


class VersionAnswer(BaseModel):
    """The versions of this service and of its main dependencies."""

    version: str
    python: str
    torch: str
    faiss: str
