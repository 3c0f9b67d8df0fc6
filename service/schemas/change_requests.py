"""Requests that change a collection or its items."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from lookalike.catalogue.metadata import check_metadata
from lookalike.catalogue.records import Metadata
from lookalike.collection.index_command import MAX_KEEP, MIN_KEEP
from lookalike.filters.declared_columns import COLUMN_TYPES, parse_columns
from lookalike.filters.fields import ElementType
from service.http.forms import File, Form, Key
from service.http.json_form import IN_JSON
from service.schemas.json_text import parse_json
from service.schemas.refinement_fields import FilterField
from service.schemas.requests import EncoderName, InputSize

MAX_CHANGES = 256
MAX_CHANGE_PICTURES = 64
_MAX_TITLE = 2048


def _parse_metadata(value: object) -> Metadata:
    return check_metadata(parse_json(value))


MetadataField = Annotated[
    Mapping[str, Any],
    BeforeValidator(_parse_metadata),
    WithJsonSchema(
        {
            "type": "string",
            "format": "json",
            "examples": ['{"category": "mug", "price": 59.9}'],
            IN_JSON: {"type": "object"},
        }
    ),
]
"""A JSON object as a form's text."""
_SENT_METADATA = "The metadata, a JSON object of columns with text, numbers, booleans or lists of these."
Title = Annotated[str | None, Field(max_length=_MAX_TITLE, description="The title; not sent: it stays.")]
Product = Annotated[str | None, Field(max_length=_MAX_TITLE, description="The product's id; not sent: it stays.")]


def _parse_declared(value: object) -> Mapping[str, ElementType | None]:
    return parse_columns(parse_json(value))


def _parse_declared_changes(value: object) -> Mapping[str, ElementType | None]:
    return parse_columns(parse_json(value), may_drop=True)


_DECLARED_SCHEMA = WithJsonSchema({"type": "string", "format": "json", "examples": ['{"price": "number"}']})
_DECLARED = f"A JSON object of columns of the metadata and their types: {', '.join(COLUMN_TYPES)}."
Keep = Annotated[
    Annotated[int, Field(ge=MIN_KEEP, le=MAX_KEEP)] | None,
    Field(description="How many snapshots stay when the next one is published, that one included."),
]


AutoTags = Annotated[
    bool | None,
    Field(
        description="Whether items that are stored from now on get words for what they show, in the column auto_tags; "
        "a job of the kind tag gives them to those that there are."
    ),
]


class CollectionForm(Form):
    """A new collection, to be filled by sending pictures."""

    encoder: EncoderName = None
    input_size: InputSize = None
    columns: Annotated[Mapping[str, ElementType | None], BeforeValidator(_parse_declared), _DECLARED_SCHEMA] | None = (
        Field(default=None, description=_DECLARED)
    )
    keep: Keep = None
    auto_tags: AutoTags = None


class CollectionPatchForm(Form):
    """Changes of a collection; what is not sent stays as it is."""

    columns: (
        Annotated[Mapping[str, ElementType | None], BeforeValidator(_parse_declared_changes), _DECLARED_SCHEMA] | None
    ) = Field(default=None, description=f"{_DECLARED} Null takes the declaration of a column away.")
    keep: Keep = None
    auto_tags: AutoTags = None


class PinForm(Form):
    """The snapshot that a collection is to stay at."""

    snapshot: int = Field(ge=1, lt=1 << 31, description="Its number, one of GET /collections/{name}/snapshots.")


class ItemForm(Form):
    """A new version of an item: what is not sent stays as it is. A new item needs a picture."""

    image: File | None = Field(default=None, description="The picture; without one, that of the item stays.")
    title: Title = None
    product_id: Product = None
    metadata: MetadataField | None = Field(default=None, description=f"{_SENT_METADATA} It replaces what there is.")


class ItemPatchForm(Form):
    """Changes of an item's metadata; nothing is encoded."""

    title: Title = None
    product_id: Product = None
    metadata: MetadataField | None = Field(
        default=None, description=f"{_SENT_METADATA} Each replaces the column of its name; null takes one away."
    )


AtMost = Annotated[
    int,
    Field(ge=1, le=1_000_000_000, description="The most items that may pass: if more do, nothing is changed."),
]
DryRun = Annotated[bool, Field(description="Change nothing; only say how many items pass.")]


class DeleteItemsQuery(BaseModel):
    """Which items to remove."""

    filter: FilterField = None
    at_most: AtMost = 1000
    dry_run: DryRun = False


class PatchItemsForm(ItemPatchForm):
    """Changes of the metadata of all items that pass a filter."""

    filter: FilterField = None
    at_most: AtMost = 1000
    dry_run: DryRun = False


class Operation(StrEnum):
    """What a change of a batch does: as PUT, PATCH and DELETE of the item's own path."""

    PUT = "put"
    PATCH = "patch"
    DELETE = "delete"


class Change(BaseModel):
    """One change of a batch."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    op: Operation
    key: Key
    image: str | None = Field(default=None, description="The file name of its picture among the `image` parts.")
    title: Title = None
    product_id: Product = None
    metadata: (
        Annotated[Mapping[str, Any], BeforeValidator(check_metadata), WithJsonSchema({"type": "object"})] | None
    ) = Field(default=None, description=_SENT_METADATA)


class ChangesForm(Form):
    """Several changes, those of a key in their order: those that cannot be made are told, and the others are made."""

    changes: Annotated[
        list[Change],
        BeforeValidator(parse_json),
        Field(min_length=1, max_length=MAX_CHANGES, description="A JSON list of changes."),
    ]
    image: list[File] = Field(
        default_factory=list, max_length=MAX_CHANGE_PICTURES, description="The pictures, each with its file name."
    )
