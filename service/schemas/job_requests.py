"""Requests for jobs: the options of each kind. A kind takes its own options only."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from lookalike.filters.fields import MAX_COLUMN_NAME
from lookalike.insights.cluster_column import WriteAs
from lookalike.insights.kmeans import MAX_COUNT
from lookalike.insights.mislabelled import DEFAULT_MARGIN
from lookalike.tiers import Tier
from service.http.forms import Form
from service.schemas.refinement_fields import ExportedFields, FilterField
from service.schemas.requests import EncoderName, InputSize

_LONGEST_PATH = 4096
Patterns = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^\x00]+$")]], Field(max_length=32)
]
ServerPath = Annotated[str, Field(min_length=1, max_length=_LONGEST_PATH, pattern=r"^[^\x00]+$")]
Label = Annotated[
    str | None,
    Field(max_length=200, description="Column with the labels. Without it: label, else product_id."),
]
Reencode = Annotated[bool, Field(description="Agree to another encoder: all pictures are encoded again.")]
AllowRemovals = Annotated[
    bool,
    Field(
        description="Agree that the source has lost a whole folder, or over a tenth of the collection: these pictures "
        "are dropped. Without it such a job fails with source-shrunk, and nothing changes."
    ),
]
AllowEmpty = Annotated[bool, Field(description="Agree to a source without any usable picture.")]


ColumnName = Annotated[str, Field(min_length=1, max_length=MAX_COLUMN_NAME, pattern=r"^[^\x00]+$")]
Top = Annotated[int, Field(ge=1, le=100_000, description="The most items to list.")]


class IndexMode(StrEnum):
    """What pictures of a source become in a collection.

    replace    the source is the collection's from now on: what it does not have leaves the collection
    add        they are added, as if each was sent; the collection keeps its own source, and all it has
    """

    REPLACE = "replace"
    ADD = "add"


class OutlierKind(StrEnum):
    """What makes a picture an outlier: that it looks like no other, or that it is no good as a photograph."""

    DENSITY = "density"
    QUALITY = "quality"


class CopyTier(StrEnum):
    """Tiers of copies, from the closest."""

    SAME_BYTES = Tier.SAME_BYTES.value
    SAME_PIXELS = Tier.SAME_PIXELS.value
    NEAR_DUPLICATE = Tier.NEAR_DUPLICATE.value


class ExportTable(StrEnum):
    """Formats of an export that is one file."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


class IndexOptions(Form):
    """Of ``index``: one of ``upload`` and ``path``, and how it is read."""

    upload: str | None = Field(
        default=None, max_length=64, description="The id of a complete upload: a .zip, or a manifest."
    )
    path: ServerPath | None = Field(
        default=None,
        description="A folder, .zip or manifest on the server, below a folder that --allow-sources names.",
    )
    images_root: ServerPath | None = Field(
        default=None,
        description="Folder on the server that a manifest's paths are relative to, below one of --allow-sources. "
        "Without it: the manifest's own. An uploaded manifest needs it.",
    )
    mode: IndexMode = Field(
        default=IndexMode.REPLACE,
        description="replace: the source becomes the collection's, which loses what the source does not have. add: its "
        "pictures are added as if each was sent.",
    )
    encoder: EncoderName = None
    input_size: InputSize = None
    reencode: Reencode = False
    allow_removals: AllowRemovals = False
    allow_empty: AllowEmpty = False
    exclude: Patterns = Field(
        default_factory=list, description="Leave out these files, as a line of a .gitignore file does; repeatable."
    )
    include: Patterns = Field(
        default_factory=list, description="Take these files back in that would be left out; repeatable."
    )
    source_encoding: str | None = Field(
        default=None,
        max_length=40,
        description="Encoding of a manifest's text, or of names in a zip that do not say theirs, such as cp932.",
    )


class ReindexOptions(Form):
    """Of ``reindex``: the collection's own source is read again."""

    encoder: EncoderName = None
    input_size: InputSize = None
    reencode: Reencode = False
    allow_removals: AllowRemovals = False
    allow_empty: AllowEmpty = False


class TagOptions(Form):
    """Of ``tag``: all pictures get their tags by the vectors that are stored; nothing is encoded."""

    auto_tags: bool = Field(
        default=True, description="Whether the pictures, and those that come, have tags; false takes them away."
    )


class DuplicatesOptions(Form):
    """Of ``duplicates``."""

    tier: CopyTier = Field(default=CopyTier.NEAR_DUPLICATE, description="The widest kind of copies to look for.")
    neighbours: int = Field(
        default=10,
        ge=0,
        le=100,
        description="Nearest neighbours of each by the encoder to compare on pixels, besides those with a near hash.",
    )


class MapOptions(Form):
    """Of ``map``: there are none."""


class CalibrateOptions(Form):
    """Of ``calibrate``: where the labels come from, and what the threshold is to be."""

    label: Label = None
    labels_from_folders: bool = Field(
        default=False, description="Use the name of each picture's folder as its label, in place of a column."
    )
    precision: float | None = Field(
        default=None,
        ge=0.5,
        le=0.999,
        description="Choose the lowest threshold with this precision, such as 0.9. Without it: the one with the best "
        "F1.",
    )


class EvaluateOptions(Form):
    """Of ``evaluate``."""

    label: Label = None
    limit: int | None = Field(
        default=None, ge=4, le=1_000_000, description="Use at most this many pictures, spread over the labels."
    )


class ClusterOptions(Form):
    """Of ``cluster``."""

    filter: FilterField = None
    count: int | None = Field(
        default=None, ge=1, le=MAX_COUNT, description="The most clusters. Without it: as many as fit."
    )
    name_by: ColumnName | None = Field(
        default=None,
        description="Column whose values name the clusters. Without it: auto_tags, else label, else category.",
    )
    names_from_folders: bool = Field(
        default=False, description="Name the clusters by the names of the pictures' folders, in place of a column."
    )
    write: ColumnName | None = Field(
        default=None, description="Write the cluster of each item into this column of its metadata."
    )
    write_as: WriteAs = Field(default=WriteAs.NAME, description="Write the cluster's name, or its number.")
    replace: bool = Field(default=False, description="Agree that values go that the column of `write` has already.")


class OutliersOptions(Form):
    """Of ``outliers``."""

    filter: FilterField = None
    by: OutlierKind = Field(
        default=OutlierKind.DENSITY,
        description="density: pictures that look like no other. quality: pictures that are blurred, dark, overexposed, "
        "nearly empty, tiny or of an odd shape.",
    )
    nearest: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="By density: the number, from 1, of the neighbour whose distance counts. Without it: 15.",
    )
    top: Top = 1000


class MislabelledOptions(Form):
    """Of ``mislabelled``."""

    filter: FilterField = None
    label: Label = None
    labels_from_folders: bool = Field(
        default=False, description="Use the name of each picture's folder as its label, in place of a column."
    )
    margin: float = Field(
        default=DEFAULT_MARGIN,
        ge=0,
        le=2,
        description="By how much another label has to suit better; less finds more.",
    )
    top: Top = 1000


class ExportOptions(Form):
    """Of ``export``: which items, and what of them."""

    format: ExportTable = Field(default=ExportTable.JSONL, description="Of the file: jsonl, csv or parquet.")
    filter: FilterField = None
    fields: ExportedFields | None = Field(
        default=None,
        description="Fields to write besides the key, between commas or as a JSON list: path, title, product_id, "
        "width, height, format, byte_size, content_digest, and columns of metadata. Without it: all.",
    )
    vectors: bool | None = Field(
        default=None, description="Write vectors as well. Without it: in jsonl and parquet, not in csv."
    )
