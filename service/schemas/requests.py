"""The requests: every form and parameter with its range. The OpenAPI document is generated from these classes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema, model_validator

from lookalike.collection.candidates import Combine
from lookalike.collection.merged_search import MAX_COLLECTIONS, RankBy
from lookalike.collection.refinement import StackKind
from lookalike.encoder.registry import INPUT_STEP, LARGEST_INPUT, SMALLEST_INPUT
from lookalike.encoder.tags import MIN_CONFIDENCE
from service.box import Box, parse_box
from service.http.cursor_text import MAX_CURSOR
from service.http.forms import File, FileOrKey, Form, Key
from service.http.json_form import IN_JSON
from service.schemas.refinement_fields import (
    EMPTY_IS_NOT_SENT,
    MAX_FACETS,
    MAX_LISTED,
    STACK,
    CollectionNames,
    FacetNames,
    FilterField,
    ListedKeys,
    PageFields,
    RefinementFields,
)
from service.schemas.text_fields import TextFields

MAX_BATCH_PICTURES = 64
MAX_QUERY_PICTURES = 16
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
_BOX_IN_JSON = {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4}
_BoxField = Annotated[
    Box,
    BeforeValidator(parse_box),
    WithJsonSchema({"type": "string", "examples": ["0.1,0.2,0.9,0.8"], IN_JSON: _BOX_IN_JSON}),
]
GivenBox = Annotated[
    _BoxField | None,
    Field(description="The part of the upright picture to use: x0,y0,x1,y1, fractions from 0 to 1."),
]
EncoderName = Annotated[str | None, Field(description="One of GET /encoders, if it is installed.", max_length=80)]
# Which sizes are possible depends on the network: its loader refuses the others, with its own size and the range.
InputSize = Annotated[
    Annotated[int, WithJsonSchema({"type": "integer", "minimum": SMALLEST_INPUT, "maximum": LARGEST_INPUT})] | None,
    Field(
        description=f"Side in pixels of the network's input: its own, or a multiple of {INPUT_STEP} from "
        f"{SMALLEST_INPUT} to {LARGEST_INPUT}."
    ),
]
GivenTiers = Annotated[
    bool,
    Field(
        description="Look for copies: the first 20 neighbours get their `tier`, for which their files are read; the "
        "others have null."
    ),
]


class _SimilarFields(BaseModel):
    k: K = 10
    min_score: MinScore = None
    threshold: GivenThreshold = None
    tiers: GivenTiers = False


class SimilarQuery(PageFields, TextFields, _SimilarFields):
    """How to search with an indexed picture."""


class _SearchFields(Form):
    image: list[File] = Field(
        default_factory=list,
        max_length=MAX_QUERY_PICTURES,
        description=f"The picture to search with; up to {MAX_QUERY_PICTURES} of one thing (front, side, detail), "
        "together as large as one may be.",
    )
    combine: Combine = Field(
        default=Combine.BEST,
        description="With several pictures, the score of an item is the best of its cosines with them, or their mean.",
    )
    key: Key | None = Field(default=None, description="Instead of a picture: the key of an indexed one.")
    k: K = 10
    min_score: MinScore = None
    threshold: GivenThreshold = None
    box: GivenBox = None
    tiers: GivenTiers = False


class CollectionSearchForm(PageFields, TextFields, _SearchFields):
    """A picture, the key of an indexed one, or words, and how to search."""


class SearchForm(CollectionSearchForm):
    """A picture, the key of an indexed one, or words, and how and where to search."""

    collection: Collection = None
    collections: CollectionNames = Field(
        default=(),
        description=f"Instead of collection: 1 to {MAX_COLLECTIONS} names, between commas or as a JSON list, of which "
        "the best hits of all are wanted. With key, collection is the one of them that has the item.",
    )
    rank_by: RankBy | None = Field(
        default=None,
        description="With collections, what their hits are ranked by: confidence, for which all of them have to be "
        "calibrated, or score, for which all need the same encoder. Without it: confidence.",
    )


class _BatchFields(Form):
    image: list[File] = Field(min_length=1, max_length=MAX_BATCH_PICTURES, description="The pictures to search with.")
    collection: Collection = None
    k: K = 10
    min_score: MinScore = None
    threshold: GivenThreshold = None


class BatchForm(RefinementFields, _BatchFields):
    """Several pictures, and how to search with each."""


class FacetsQuery(BaseModel):
    """Which values to count, and among which items."""

    names: FacetNames = Field(
        min_length=1,
        description=f"1 to {MAX_FACETS} columns, between commas or as a JSON list: their values are counted.",
    )
    filter: FilterField = None
    limit: Annotated[int, Field(ge=1, le=1000, description="How many values of each, the most frequent ones.")] = 20


class Direction(StrEnum):
    """A direction of an order."""

    ASC = "asc"
    DESC = "desc"


class ItemsQuery(BaseModel):
    """Which items to list, in which order, and what of them."""

    limit: Annotated[int, Field(ge=1, le=MAX_LISTED, description="Items a page.")] = 50
    cursor: Annotated[
        str | None, Field(max_length=MAX_CURSOR, description="`next_cursor` of the page before."), EMPTY_IS_NOT_SENT
    ] = None
    filter: FilterField = None
    order_by: Annotated[
        str | None,
        Field(
            max_length=1024,
            description="A field without lists: items are listed by its value, those without one not at all.",
        ),
    ] = None
    order: Direction | None = Field(default=None, description="With order_by: asc, which is the default, or desc.")
    keys: ListedKeys = Field(
        default=(),
        description=f"Up to {MAX_LISTED} keys, between commas or as a JSON list: these items in this order, on one "
        "page; `missing` names those that there are not.",
    )
    sample: Annotated[
        int | None, Field(ge=1, le=MAX_LISTED, description="So many items by chance, of those that pass; on one page.")
    ] = None
    vectors: bool = Field(default=False, description="Send the `vector` of each item.")
    group_by: str | None = Field(
        default=None,
        max_length=1024,
        description="A field without lists: of the items with the same value of it, only the first that came, with "
        "how many they are (`group_count`).",
    )
    stack: StackKind | None = Field(default=None, description=STACK + " Of copies the one to keep is listed.")


class CompareForm(Form):
    """Two pictures, each a file or the key of an indexed item, and what to compare them with."""

    image_a: FileOrKey = Field(description="A picture: a file, or as text the key of an item of `collection`.")
    image_b: FileOrKey = Field(description="The other picture, likewise.")
    collection: Collection = None
    encoder: EncoderName = None
    input_size: InputSize = None
    threshold: GivenThreshold = None
    explain: bool = Field(
        default=False, description="Say why the score is what it is: `parts`, `rest` and `heat_maps`."
    )


class CheckForm(Form):
    """A picture that may be added, and what counts as similar."""

    image: File = Field(description="The picture.")
    k: Annotated[int, Field(ge=1, le=24, description="The most matches to list.")] = 5
    threshold: GivenThreshold = None


class Decision(StrEnum):
    """What somebody has decided about pictures."""

    NOT_DUPLICATES = "not-duplicates"
    DUPLICATES_AFTER_ALL = "duplicates-after-all"


class DecisionForm(Form):
    """Pictures, and what was decided about each two of them."""

    key: list[Key] = Field(min_length=2, max_length=100, description="The key of a picture; sent once for each.")
    decision: Decision = Field(
        description="not-duplicates: no two of them are duplicates of each other. duplicates-after-all: forget that."
    )


class ScoreForm(Form):
    """Two pictures."""

    image_1: File = Field(description="A picture.")
    image_2: File = Field(description="The other picture.")


class _EncodedForm(Form):
    image: File = Field(description="The picture.")
    collection: Annotated[str | None, Field(description="Take this collection's encoder.", max_length=64)] = None
    encoder: EncoderName = None
    input_size: InputSize = None
    box: GivenBox = None

    @model_validator(mode="after")
    def _check_encoder_source(self) -> Self:
        if self.collection is not None and (self.encoder is not None or self.input_size is not None):
            raise ValueError("send collection, which has its own encoder, or encoder and input_size, not both")
        return self


class EmbedForm(_EncodedForm):
    """A picture, and the encoder to embed it with."""


class TagsForm(_EncodedForm):
    """A picture, and the encoder whose vector of it is given words."""

    min_confidence: float = Field(
        default=MIN_CONFIDENCE,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Leave out words that are right in a smaller share of the cases.",
    )
