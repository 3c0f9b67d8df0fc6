"""Options that several commands share, and what they become: one Session a command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from indexer.console.reporter import HumanReporter, JsonReporter, Reporter
from lookalike.api import Collection
from lookalike.catalogue.repository import Catalogue
from lookalike.collection.index_command import DATA_FOLDER, default_memory
from lookalike.collection.layout import CollectionLayout
from lookalike.encoder.registry import INPUT_STEP, LARGEST_INPUT, SMALLEST_INPUT
from lookalike.options import MEBIBYTE, EncoderRequest, ImageLimits, Places
from lookalike.sources.base import Source
from lookalike.wiring import default_encoder, open_catalogue, open_origin

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
        help="Folder of installed encoder weights. Without it: a folder in your cache.",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", envvar="LOOKALIKE_JSON", help="Write one JSON object a line to stdout.")
]
CollectionOption = Annotated[
    str, typer.Option("--collection", "-c", envvar="LOOKALIKE_COLLECTION", help="Name of the collection.")
]
EncoderOption = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        envvar="LOOKALIKE_ENCODER",
        help="bundled-int8, bundled, NAME (once installed), or NAME:/path/to/weights. Without it: bundled-int8, or "
        "bundled at another fusion or size.",
    ),
]


class FusionName(StrEnum):
    """Ways to make one vector of several stages."""

    MEAN = "mean"
    CONCAT = "concat"
    LAST = "last"
    MOMENTS = "moments"


FusionOption = Annotated[
    FusionName | None,
    typer.Option("--fusion", envvar="LOOKALIKE_FUSION", help="How stages are fused: mean, concat, last or moments."),
]
InputSizeOption = Annotated[
    int | None,
    typer.Option(
        "--input-size",
        envvar="LOOKALIKE_INPUT_SIZE",
        help="Side in pixels of what the network sees: its own, or a multiple of "
        f"{INPUT_STEP} from {SMALLEST_INPUT} to {LARGEST_INPUT}.",
    ),
]
MaxMegabytesOption = Annotated[
    int, typer.Option("--max-megabytes", envvar="LOOKALIKE_MAX_MEGABYTES", min=1, help="Refuse larger files.")
]
MaxMegapixelsOption = Annotated[
    int, typer.Option("--max-megapixels", envvar="LOOKALIKE_MAX_MEGAPIXELS", min=1, help="Refuse larger pictures.")
]
WorkersOption = Annotated[
    int, typer.Option("--workers", envvar="LOOKALIKE_WORKERS", min=1, help="Threads that read and decode.")
]
BatchOption = Annotated[
    int, typer.Option("--batch", envvar="LOOKALIKE_BATCH", min=1, max=1024, help="Pictures encoded together.")
]

DEFAULT_DATA = DATA_FOLDER
DEFAULT_WORKERS = os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Session:
    """Where a command works, and whom it tells."""

    places: Places
    reporter: Reporter

    @contextmanager
    def catalogue(self, collection: str | None = None) -> Iterator[Catalogue]:
        """The catalogue; with a collection named, one that does not exist is not made."""
        catalogue = open_catalogue(self.places, collection=collection)
        try:
            yield catalogue
        finally:
            catalogue.close()

    def collection(
        self, name: str, *, generation: int | None = None, limits: ImageLimits | None = None, whole: bool = False
    ) -> Collection:
        """An open collection: its current snapshot, or the one of a generation; ``whole`` reads every byte of it."""
        places = self.places
        return Collection.open(
            places.data,
            name,
            generation=generation,
            database_url=places.database_url,
            encoders_dir=places.encoders_dir,
            limits=limits,
            whole=whole,
        )

    @contextmanager
    def source(self, name: str) -> Iterator[Source]:
        """The source that a collection was filled from, open."""
        with self.catalogue(name) as catalogue:
            origin = catalogue.collection(name).source
        source = open_origin(origin)
        try:
            yield source
        finally:
            source.close()

    def layout(self, name: str) -> CollectionLayout:
        """A collection's folder."""
        return CollectionLayout.of(self.places.collections_dir, name)


def encoder_request(name: str | None, fusion: FusionName | None, input_size: int | None) -> EncoderRequest:
    """The encoder asked for, or the default; the path of a weights file is made absolute, since it is remembered."""
    name = name or default_encoder(fusion, input_size)
    network, colon, weights = name.partition(":")
    if colon and weights != "hub":
        name = f"{network}:{Path(weights).absolute()}"
    return EncoderRequest(name=name, fusion=None if fusion is None else fusion.value, input_size=input_size)


def make_reporter(json: bool) -> Reporter:
    """Whom a command tells."""
    return JsonReporter() if json else HumanReporter()


def make_session(data: Path, database: str | None, encoders_dir: Path | None, json: bool) -> Session:
    """What the shared options become."""
    return Session(Places(data, database, encoders_dir), make_reporter(json))


def image_limits(max_megabytes: int, max_megapixels: int) -> ImageLimits:
    """Limits from flags in the units that people use."""
    return ImageLimits(max_bytes=max_megabytes * MEBIBYTE, max_pixels=max_megapixels * 1_000_000)


def memory_budget(gigabytes: float | None) -> int:
    """Bytes that a service may hold for an index: what was said, or half of the machine's memory."""
    if gigabytes is not None:
        return int(gigabytes * 1e9)
    return default_memory()


def size(count: float) -> str:
    """Bytes as a person reads them: "812 B", "4.2 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
