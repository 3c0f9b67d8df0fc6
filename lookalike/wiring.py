"""The composition root: the one place that names concrete engines and runtimes.

Each is imported when it is asked for: torch and FAISS take seconds to load, and many commands need neither.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lookalike.calibration import Calibration
from lookalike.catalogue.database import Database
from lookalike.catalogue.records import EncoderRequest, SourceRecord
from lookalike.catalogue.repository import Catalogue
from lookalike.collection.calibrations import collection_calibration
from lookalike.collection.layout import CollectionLayout
from lookalike.encoder.base import ImageEncoder
from lookalike.encoder.calibrations import default_calibration
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import CollectionNotFoundError, VectorsInvalidError
from lookalike.index.base import VectorIndex
from lookalike.options import Places
from lookalike.sources.base import Source
from lookalike.sources.opening import open_source

if TYPE_CHECKING:
    from lookalike.index.engines.exact import ExactIndex
    from lookalike.index.engines.faiss_flat import FaissFlatIndex

ENGINE_NAMES = ("exact", "faiss-flat")


def new_index(engine: str, dimension: int) -> VectorIndex:
    """An empty index of a named engine; raises VectorsInvalidError for a name that is not in ENGINE_NAMES."""
    return _engine(engine)(dimension)


def load_index(engine: str, path: Path) -> VectorIndex:
    """The index that a named engine saved; raises IndexDamagedError."""
    return _engine(engine).load(path)


def _engine(name: str) -> type[ExactIndex] | type[FaissFlatIndex]:
    if name == "exact":
        from lookalike.index.engines.exact import ExactIndex

        return ExactIndex
    if name == "faiss-flat":
        from lookalike.index.engines.faiss_flat import FaissFlatIndex

        return FaissFlatIndex
    raise VectorsInvalidError(
        f"there is no index engine {name!r}; there are: {', '.join(ENGINE_NAMES)}", subject="engine"
    )


def load_encoder(request: EncoderRequest, encoders_dir: Path) -> ImageEncoder:
    """The encoder that was asked for, on the reference runtime; see load_torch_encoder for the errors."""
    from lookalike.encoder.runtimes.torch_runtime import load_torch_encoder

    return load_torch_encoder(
        request.name, encoders_dir=encoders_dir, fusion=request.fusion, input_size=request.input_size
    )


def find_calibration(
    spec: EncoderSpec, encoders_dir: Path, layout: CollectionLayout | None = None
) -> Calibration | None:
    """The calibration in force for an encoder's scores: the collection's, or else the encoder's own, or else None.

    Reads the disk. Raises CalibrationInvalidError for a file that is damaged or lost, and CalibrationMismatchError
    for one that is of another encoder.
    """
    kept = None if layout is None else collection_calibration(layout, spec)
    return kept or default_calibration(spec, encoders_dir)


def open_catalogue(places: Places, *, collection: str | None = None) -> Catalogue:
    """The catalogue of these places, its schema brought up to date.

    With ``collection`` named, a catalogue that does not exist yet is not made: it cannot have that collection, and
    CollectionNotFoundError is raised.
    """
    if collection is not None and places.database_url is None and not (places.data / "catalogue.db").exists():
        raise CollectionNotFoundError(
            f"no collection is called {collection!r}: nothing has been indexed into {places.data} yet",
            subject=collection,
        )
    return Catalogue(Database.open(places.catalogue))


def open_origin(origin: SourceRecord) -> Source:
    """The source that a collection remembers, open; raises a leaf of SourceError if it is no longer there."""
    return open_source(origin.location, images_root=None if origin.root is None else Path(origin.root))
