"""What is asked and what is answered: every field with its range, and the OpenAPI document is made of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, model_validator

from lookalike.thresholds import Threshold
from service.forms import BoxField, File, Form
from service.problems import Problem

MOST_IN_BATCH = 64
LARGEST_INPUT = 512
"""Pixels: what a request may ask for; larger ones cost memory that belongs to all."""
Score = Annotated[float, Field(ge=-1, le=1, description="Cosine score, -1 to 1.")]
Normalized = Annotated[float, Field(ge=0, le=1, description="(cosine + 1) / 2, 0 to 1.")]
Milliseconds = Annotated[
    dict[str, float], Field(description="Milliseconds by stage, and in total since the body was read.")
]
Collection = Annotated[
    str | None, Field(description="Name of the collection; may be left out if there is only one.", max_length=64)
]
K = Annotated[int, Field(ge=1, le=1000, description="How many neighbours.")]
MinScore = Annotated[
    float | None, Field(ge=-1, le=1, allow_inf_nan=False, description="Leave out neighbours with a lower cosine score.")
]
GivenThreshold = Annotated[
    float | None,
    Field(ge=0, le=1, allow_inf_nan=False, description="Normalised score from which two pictures count as similar."),
]
GivenBox = Annotated[
    BoxField | None,
    Field(description="The part of the upright picture to look at: x0,y0,x1,y1, fractions from 0 to 1."),
]
Key = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^\x00]+$")]
EncoderName = Annotated[str | None, Field(description="One of GET /encoders, if it is installed.", max_length=80)]
InputSize = Annotated[
    int | None, Field(ge=32, le=LARGEST_INPUT, description="Side in pixels of what the network sees.")
]


class SearchForm(Form):
    """A picture, or the key of an indexed one, and how to search."""

    image: File | None = Field(default=None, description="The picture to search with.")
    key: Key | None = Field(default=None, description="Instead of a picture: the key of an indexed one.")
    collection: Collection = None
    k: K = 10
    min_score: MinScore = None
    threshold: GivenThreshold = None
    box: GivenBox = None


class BatchForm(Form):
    """Several pictures, and how to search with each."""

    image: list[File] = Field(min_length=1, max_length=MOST_IN_BATCH, description="The pictures to search with.")
    collection: Collection = None
    k: K = 10
    min_score: MinScore = None
    threshold: GivenThreshold = None


class CompareForm(Form):
    """Two pictures, each a file or the key of an indexed item, and what to compare them with."""

    image_a: File | Key = Field(description="A picture: a file, or as text the key of an item of `collection`.")
    image_b: File | Key = Field(description="The other picture, likewise.")
    collection: Collection = None
    encoder: EncoderName = None
    input_size: InputSize = None
    threshold: GivenThreshold = None


class ScoreForm(Form):
    """Two pictures."""

    image_1: File = Field(description="A picture.")
    image_2: File = Field(description="The other picture.")


class EmbedForm(Form):
    """A picture, and which encoder's embedding of it is wanted."""

    image: File = Field(description="The picture.")
    collection: Annotated[str | None, Field(description="Take this collection's encoder.", max_length=64)] = None
    encoder: EncoderName = None
    input_size: InputSize = None
    box: GivenBox = None

    @model_validator(mode="after")
    def _one_way_to_say_which(self) -> Self:
        if self.collection is not None and (self.encoder is not None or self.input_size is not None):
            raise ValueError("a collection has its own encoder: send collection, or encoder and input_size")
        return self


class ThresholdAnswer(BaseModel):
    """From which normalised score on two pictures count as similar, and who says so."""

    value: Normalized
    source: str = Field(description="Where it comes from: given, calibrated, or the default.")

    @classmethod
    def of(cls, threshold: Threshold) -> Self:
        """As the library has it."""
        return cls(value=threshold.value, source=threshold.source)

    @classmethod
    def default(cls) -> Self:
        """The one that applies where none was given."""
        return cls.of(Threshold.given(None))


class HitAnswer(BaseModel):
    """One neighbour."""

    rank: int = Field(ge=1)
    key: str
    score: Score
    normalized_score: Normalized
    similar: bool = Field(description="Whether the score reaches the threshold.")
    title: str | None
    product_id: str | None
    metadata: dict[str, Any]
    image_url: str
    thumbnail_url: str


class QueryAnswer(BaseModel):
    """What was searched with; sizes are of the upright picture before the box was cut."""

    width: int = Field(ge=1)
    height: int = Field(ge=1)
    box: tuple[float, float, float, float]
    key: str | None


class SearchAnswer(BaseModel):
    """The neighbours, best first."""

    collection: str
    snapshot: int = Field(ge=1, description="Number of the snapshot that answered.")
    encoder: str
    results: list[HitAnswer]
    threshold: ThresholdAnswer
    query: QueryAnswer
    best_score: Score | None = Field(description="The best score there is, whatever min_score left out.")
    exhausted: bool = Field(description="Whether the collection has no more that could be answered.")
    took_ms: Milliseconds


class BatchEntry(BaseModel):
    """The answer to one picture of several, or what was wrong with it."""

    index: int = Field(ge=0)
    name: str
    answer: SearchAnswer | None
    problem: Problem | None


class BatchAnswer(BaseModel):
    """An entry for each picture, in the order in which they were sent."""

    collection: str
    snapshot: int
    encoder: str
    results: list[BatchEntry]
    took_ms: Milliseconds


class CompareAnswer(BaseModel):
    """How alike two pictures are."""

    score: Score
    normalized_score: Normalized
    similar: bool
    threshold: ThresholdAnswer
    encoder: str
    input_size: int
    took_ms: Milliseconds


class ScoreAnswer(BaseModel):
    """The same in the words of the similarity predictor's report."""

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


class CollectionProblem(BaseModel):
    """Why a collection, or its newest snapshot, is not served."""

    code: str
    detail: str


class CollectionRow(BaseModel):
    """A collection in short."""

    name: str
    ready: bool
    count: int | None
    snapshot: int | None
    encoder: str | None
    created_at: datetime | None
    problem: CollectionProblem | None


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


class CollectionAnswer(BaseModel):
    """A collection in full."""

    name: str
    count: int
    snapshot: int
    created_at: datetime
    made_by: str
    encoder: EncoderAnswer
    engine: str
    plan: list[str]
    recall: dict[str, Any] | None = Field(description="Measured when the snapshot was published.")
    threshold: ThresholdAnswer
    bytes: int
    source: SourceAnswer


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


class ItemsAnswer(BaseModel):
    """A page of a collection's items."""

    collection: str
    snapshot: int
    items: list[ItemAnswer]
    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null on the last.")


class EncoderRow(BaseModel):
    """An encoder that may be named; dimension and input size are known once it is loaded."""

    name: str
    installed: bool
    loaded: bool
    dimension: int | None
    input_size: int | None
    licence: str | None
    threshold: ThresholdAnswer


class EncodersAnswer(BaseModel):
    """All encoders, those that could be installed too."""

    encoders: list[EncoderRow]


class OperatorAnswer(BaseModel):
    """Whether the compiled operator serves."""

    available: bool
    detail: str


class HealthAnswer(BaseModel):
    """How the service is."""

    status: str = Field(description="ok, or degraded if `problems` has something to say.")
    operator: OperatorAnswer | None
    runtime: str | None
    collections: dict[str, int | None] = Field(description="The snapshot that each collection serves.")
    in_flight: int = Field(description="Permits taken.")
    capacity: int = Field(description="Permits there are.")
    uploading: int = Field(description="Bytes of bodies that are held, or announced and awaited.")
    problems: list[str]


class ReadyAnswer(BaseModel):
    """The service can answer."""

    ready: bool
    took_ms: float = Field(description="Milliseconds that encoding a small picture took.")


class VersionAnswer(BaseModel):
    """What runs."""

    version: str
    python: str
    torch: str
    faiss: str
