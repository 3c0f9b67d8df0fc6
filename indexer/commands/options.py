"""Arguments and flags that several commands have, with their environment variables, and what their values become."""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import Annotated

import typer

from lookalike.collection.index_command import DATA_FOLDER, DEFAULT_KEEP, MAX_KEEP, MIN_KEEP, default_memory
from lookalike.encoder.registry import INPUT_STEP, LARGEST_INPUT, SMALLEST_INPUT
from lookalike.options import MEBIBYTE, EncoderRequest, ImageLimits, SourceOptions
from lookalike.sources.text_encoding import check_text_encoding
from lookalike.thresholds import DEFAULT_VALUE
from lookalike.wiring import default_encoder

DEFAULT_DATA = DATA_FOLDER
DEFAULT_WORKERS = os.cpu_count() or 1


class FusionName(StrEnum):
    """Ways to make one vector of several stages."""

    MEAN = "mean"
    CONCAT = "concat"
    LAST = "last"
    MOMENTS = "moments"


class Engine(StrEnum):
    """Index types: "auto" and the names in ``lookalike.wiring.INDEX_TYPES``, since typer needs a fixed list."""

    AUTO = "auto"
    FAISS_FLAT = "faiss-flat"
    FAISS_FLAT16 = "faiss-flat16"
    FAISS_HNSW = "faiss-hnsw"
    FAISS_IVFPQ = "faiss-ivfpq"
    EXACT = "exact"


_INPUT_SIZES = f"the network's own, or a multiple of {INPUT_STEP} from {SMALLEST_INPUT} to {LARGEST_INPUT}"
_ENCODER_NAMES = (
    "bundled-int8, bundled, bundled-fast, bundled-resnet18, NAME (once installed), or NAME:/path/to/weights"
)
_DEFAULT_ENCODER = "Without it: bundled-int8, or bundled with another fusion or input size."

# Where things lie, and how a command answers: what makes a Session

DataOption = Annotated[
    Path, typer.Option("--data", envvar="LOOKALIKE_DATA", help="Folder of collections and their catalogue.")
]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        envvar="LOOKALIKE_DATABASE_URL",
        help="SQLAlchemy URL of the catalogue, such as postgresql+psycopg://user@host/name. "
        "Without it: SQLite in the data folder.",
    ),
]
EncodersOption = Annotated[
    Path | None,
    typer.Option(
        "--encoders-dir",
        envvar="LOOKALIKE_ENCODERS_DIR",
        help="Folder of installed encoder weights. Without it: ~/.cache/lookalike/encoders.",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", envvar="LOOKALIKE_JSON", help="Write one JSON object a line to stdout.")
]

# Pictures

ImagesArgument = Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Pictures to search with.")]
SourceArgument = Annotated[
    Path,
    typer.Argument(
        metavar="SOURCE", help="A folder, a .zip, or a manifest (.csv, .jsonl, .xlsx, .parquet) with a path column."
    ),
]
RootOption = Annotated[
    Path | None,
    typer.Option(
        "--images-root",
        envvar="LOOKALIKE_IMAGES_ROOT",
        help="Folder that a manifest's paths are relative to. Without it: the manifest's own.",
    ),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="PATTERN",
        help="Leave out these files, as a line of a .gitignore file does; may be repeated. What systems leave behind "
        "(@eaDir, ._*, #recycle, hidden files, ...) is left out anyway, and what .lookalikeignore in the source names.",
    ),
]
IncludeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--include", metavar="PATTERN", help="Take these files back in that would be left out; may be repeated."
    ),
]
SourceEncodingOption = Annotated[
    str | None,
    typer.Option(
        "--source-encoding",
        envvar="LOOKALIKE_SOURCE_ENCODING",
        help="Encoding of a manifest's text, or of the names in a zip that do not say theirs, such as cp932. "
        "Without it: found out.",
    ),
]
KeepOption = Annotated[
    int | None,
    typer.Option(
        "--keep",
        envvar="LOOKALIKE_KEEP",
        min=MIN_KEEP,
        max=MAX_KEEP,
        help="Number of snapshots to keep, the current one included. Without it: as many as the collection keeps "
        f"already, {DEFAULT_KEEP} of a new one.",
    ),
]
AutoTagsOption = Annotated[
    bool | None,
    typer.Option(
        "--auto-tags/--no-auto-tags",
        envvar="LOOKALIKE_AUTO_TAGS",
        help="Give pictures words for what they show, in the column auto_tags; see docs/tags.md. Without it: as the "
        "collection has it already, and a new one has none.",
    ),
]
MaxMegabytesOption = Annotated[
    int, typer.Option("--max-megabytes", envvar="LOOKALIKE_MAX_MEGABYTES", min=1, help="Reject larger files.")
]
MaxMegapixelsOption = Annotated[
    int, typer.Option("--max-megapixels", envvar="LOOKALIKE_MAX_MEGAPIXELS", min=1, help="Reject larger pictures.")
]
WorkersOption = Annotated[
    int, typer.Option("--workers", envvar="LOOKALIKE_WORKERS", min=1, help="Threads that read and decode.")
]
BatchOption = Annotated[
    int, typer.Option("--batch", envvar="LOOKALIKE_BATCH", min=1, max=1024, help="Pictures encoded in one batch.")
]
LabelOption = Annotated[
    str | None,
    typer.Option(
        "--label",
        envvar="LOOKALIKE_LABEL",
        help="Column with the labels. Without it: label, else product_id, else the name of the picture's folder.",
    ),
]

# Collections and their index

CollectionOption = Annotated[
    str, typer.Option("--collection", "-c", envvar="LOOKALIKE_COLLECTION", help="Name of the collection.")
]
EngineOption = Annotated[
    Engine,
    typer.Option("--engine", envvar="LOOKALIKE_ENGINE", help="Index type. auto: chosen by the number of pictures."),
]
RecallOption = Annotated[
    float,
    typer.Option(
        "--recall",
        envvar="LOOKALIKE_RECALL",
        min=0.5,
        max=1.0,
        help="Share of the ten nearest neighbours that the index must find, measured before it is published.",
    ),
]
MemoryOption = Annotated[
    float | None,
    typer.Option(
        "--memory",
        envvar="LOOKALIKE_MEMORY",
        min=0.001,
        help="Gigabytes of memory that a service may use for the index. Without it: half of this machine's.",
    ),
]
ThresholdOption = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        min=0.0,
        max=1.0,
        envvar="LOOKALIKE_THRESHOLD",
        help="Normalised score, (cosine + 1) / 2, from which two pictures count as similar. Without it: the calibrated "
        f"one, or {DEFAULT_VALUE:.2f} where nothing is calibrated.",
    ),
]
KOption = Annotated[int, typer.Option("-k", "--k", min=1, max=1000, envvar="LOOKALIKE_K", help="Number of neighbours.")]
MinScoreOption = Annotated[
    float | None,
    typer.Option(
        "--min-score",
        min=-1.0,
        max=1.0,
        envvar="LOOKALIKE_MIN_SCORE",
        help="Leave out neighbours with a lower cosine.",
    ),
]
WhereOption = Annotated[
    str | None,
    typer.Option(
        "--where",
        metavar="FILTER",
        envvar="LOOKALIKE_WHERE",
        help='Only neighbours whose metadata pass: "category = mug and price < 60"; see docs/filters.md.',
    ),
]
GroupByOption = Annotated[
    str | None,
    typer.Option("--group-by", metavar="COLUMN", help="One neighbour for each value of a column, or of product_id."),
]
DedupeOption = Annotated[
    bool, typer.Option("--dedupe", help="Leave out neighbours whose file has the same bytes as a better one's.")
]
ExcludeKeyOption = Annotated[
    list[str] | None, typer.Option("--exclude-key", metavar="KEY", help="Leave out this picture; may be repeated.")
]
LikeOption = Annotated[
    list[str] | None, typer.Option("--like", metavar="KEY", help="More like this indexed picture; may be repeated.")
]
UnlikeOption = Annotated[
    list[str] | None, typer.Option("--unlike", metavar="KEY", help="Less like this indexed picture; may be repeated.")
]


class HitFormat(StrEnum):
    """How hits are printed."""

    TABLE = "table"
    PATHS = "paths"


HitFormatOption = Annotated[HitFormat, typer.Option("--format", help="A table, or absolute paths for pipes.")]

# Encoders: one, or several to measure side by side

EncoderOption = Annotated[
    str | None,
    typer.Option("--encoder", envvar="LOOKALIKE_ENCODER", help=f"{_ENCODER_NAMES}. {_DEFAULT_ENCODER}"),
]
FusionOption = Annotated[
    FusionName | None,
    typer.Option("--fusion", envvar="LOOKALIKE_FUSION", help="How stages are fused."),
]
InputSizeOption = Annotated[
    int | None,
    typer.Option(
        "--input-size", envvar="LOOKALIKE_INPUT_SIZE", help=f"Side in pixels of the network's input: {_INPUT_SIZES}."
    ),
]
EncodersListOption = Annotated[
    list[str] | None,
    typer.Option(
        "--encoder", envvar="LOOKALIKE_ENCODER", help=f"{_ENCODER_NAMES}; may be repeated. {_DEFAULT_ENCODER}"
    ),
]
FusionsOption = Annotated[
    list[FusionName] | None,
    typer.Option(
        "--fusion",
        envvar="LOOKALIKE_FUSION",
        help="How stages are fused; may be repeated, and each encoder is measured with each.",
    ),
]
SizesOption = Annotated[
    list[int] | None,
    typer.Option(
        "--input-size",
        envvar="LOOKALIKE_INPUT_SIZE",
        help=f"Side in pixels of the network's input: {_INPUT_SIZES}; may be repeated, and each encoder is measured "
        "with each.",
    ),
]

# Files that a command writes

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")


def _check_suffix(path: Path) -> Path:
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        raise typer.BadParameter(f"{path} has none of the endings {', '.join(PICTURE_SUFFIXES)}")
    return path


ReportOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Write an HTML report, in one file, to this path."),
]
PictureOption = Annotated[
    Path, typer.Option("--out", "-o", help="The picture to write: .png, .jpg or .jpeg.", callback=_check_suffix)
]


def encoder_request(name: str | None, fusion: FusionName | None, input_size: int | None) -> EncoderRequest:
    """The encoder asked for, or the default; the path of a weights file is made absolute, since it is remembered."""
    name = name or default_encoder(fusion, input_size)
    network, colon, weights = name.partition(":")
    if colon and weights != "hub":
        name = f"{network}:{Path(weights).absolute()}"
    return EncoderRequest(name=name, fusion=None if fusion is None else fusion.value, input_size=input_size)


def encoder_requests(
    names: Sequence[str] | None, fusions: Sequence[FusionName] | None, sizes: Sequence[int] | None
) -> list[EncoderRequest]:
    """Each encoder with each fusion and each size; what is not given is left to the encoder."""
    return [encoder_request(*choice) for choice in product(names or (None,), fusions or (None,), sizes or (None,))]


def source_options(exclude: Sequence[str] | None, include: Sequence[str] | None, encoding: str | None) -> SourceOptions:
    """How a source is read; raises BadParameter for an encoding that Python does not know."""
    if encoding is not None:
        try:
            encoding = check_text_encoding(encoding)
        except LookupError as error:
            raise typer.BadParameter(
                f"no encoding of text is called {encoding}", param_hint="--source-encoding"
            ) from error
    return SourceOptions(tuple(exclude or ()), tuple(include or ()), encoding)


def image_limits(max_megabytes: int, max_megapixels: int) -> ImageLimits:
    """Limits from flags in the units that people use."""
    return ImageLimits(max_bytes=max_megabytes * MEBIBYTE, max_pixels=max_megapixels * 1_000_000)


def memory_budget(gigabytes: float | None) -> int:
    """Bytes that a service may use for an index: as given, or half of the machine's memory."""
    if gigabytes is not None:
        return int(gigabytes * 1e9)
    return default_memory()
