"""The composition root: the registry of index types by name, and where encoders get their runtime.

Each class is imported when it is first needed: torch and FAISS take seconds to load, and many commands need neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from lookalike.calibration import Calibration
from lookalike.catalogue.database import Database
from lookalike.catalogue.records import NO_SOURCE, SourceRecord
from lookalike.catalogue.repository import Catalogue
from lookalike.collection.calibration_store import collection_calibration
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.origin import Origin
from lookalike.collection.picture_store import PictureStore
from lookalike.encoder.base import RGB, ImageEncoder
from lookalike.encoder.calibrations import default_calibration
from lookalike.encoder.export_formats import Format
from lookalike.encoder.int8.artifact import (
    Quantised,
    check_form,
    dimension_in_the_box,
    is_quantised,
    read_quantised,
    write_network,
)
from lookalike.encoder.registry import BUNDLED, BUNDLED_INT8
from lookalike.encoder.request_check import check_request
from lookalike.encoder.runtimes.selection import load_on_runtime
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import CollectionNotFoundError, EncoderOptionsError, SourceNotFoundError
from lookalike.index.index_types import IndexType, IndexTypes
from lookalike.options import EncoderRequest, Places, RuntimeName
from lookalike.sources.base import Source
from lookalike.sources.open_source import open_source


def _engine(module: str, name: str) -> Callable[[], IndexType]:
    """What imports a class of ``lookalike.index.engines``."""

    def load() -> IndexType:
        index_type: IndexType = getattr(import_module(f"lookalike.index.engines.{module}"), name)
        return index_type

    return load


INDEX_TYPES = IndexTypes(
    {
        "faiss-flat": _engine("faiss_flat", "FaissFlatIndex"),
        "faiss-flat16": _engine("faiss_flat16", "FaissFlat16Index"),
        "faiss-hnsw": _engine("faiss_hnsw", "FaissHnswIndex"),
        "faiss-ivfpq": _engine("faiss_ivfpq", "FaissIvfPqIndex"),
        "exact": _engine("exact", "ExactIndex"),
    }
)


@dataclass
class _Preference:
    """What runs encoders where a caller does not say."""

    runtime: RuntimeName = RuntimeName.AUTO


_preferred = _Preference()


def default_encoder(fusion: str | None = None, input_size: int | None = None) -> str:
    """The name of the encoder where none is named: the int8 one in the box, which is the fastest.

    It has one fusion and one size, and PyTorch cannot run it: with any of these asked for, the float32 one.
    """
    as_made = fusion is None and input_size is None
    return BUNDLED_INT8 if as_made and _preferred.runtime != RuntimeName.TORCH else BUNDLED


def default_dimension(encoders_dir: Path) -> int:
    """How many numbers a vector of ``default_encoder()`` has; its weights are not loaded.

    Raises WeightsInvalidError for a damaged installation.
    """
    return dimension_in_the_box(default_encoder(), encoders_dir)


def load_encoder(request: EncoderRequest, encoders_dir: Path, runtime: RuntimeName | None = None) -> ImageEncoder:
    """The encoder of a request, on the runtime that was asked for; see ``load_on_runtime`` for that and the errors.

    Without ``runtime`` it is what ``prefer_runtime`` was told last, and ``auto`` before that.
    """
    return load_on_runtime(request, encoders_dir, runtime or _preferred.runtime)


def prefer_runtime(runtime: str) -> None:
    """Say what runs the encoders that this process loads from now on: the name of a ``RuntimeName``.

    For a program's start. Raises EncoderOptionsError for a runtime that there is not.
    """
    try:
        _preferred.runtime = RuntimeName(runtime)
    except ValueError as error:
        there_are = ", ".join(RuntimeName)
        raise EncoderOptionsError(
            f"there is no runtime {runtime!r}; there are: {there_are}", subject="runtime"
        ) from error


def preferred_runtime() -> RuntimeName:
    """What ``prefer_runtime`` was told last."""
    return _preferred.runtime


def export_encoder(request: EncoderRequest, encoders_dir: Path, path: Path, kind: Format) -> EncoderSpec:
    """Write an encoder to a file for other programs; see ``encoder.export.onnx_export.export``. Returns its spec.

    An int8 one is copied: its network is an ONNX file already. Raises what loading raises, OperatorError, and
    EncoderOptionsError for a network that has no such form.
    """
    check_request(request, encoders_dir)
    if is_quantised(request.name):
        made = read_quantised(request.name, encoders_dir)
        check_form(made, request)
        write_network(made, path, kind)
        return made.spec
    from lookalike.encoder.runtimes.torch_runtime import load_torch_encoder

    encoder = load_torch_encoder(request, encoders_dir)
    encoder.write(path, kind)
    return encoder.spec


def float_encoder(request: EncoderRequest, encoders_dir: Path) -> ImageEncoder:
    """The encoder that an int8 one is to be made of; raises what ``load_encoder`` raises."""
    from lookalike.encoder.runtimes import int8_build

    return int8_build.float_encoder(request, encoders_dir)


def quantise_encoder(
    request: EncoderRequest, encoders_dir: Path, batches: Iterable[RGB], model: Path
) -> tuple[Quantised, ImageEncoder]:
    """Write the int8 form of an encoder to ``model``; see ``lookalike.encoder.runtimes.int8_build.quantise``."""
    from lookalike.encoder.runtimes import int8_build

    return int8_build.quantise(request, encoders_dir, batches, model)


def find_calibration(
    spec: EncoderSpec, encoders_dir: Path, layout: CollectionLayout | None = None
) -> Calibration | None:
    """The calibration in force for an encoder's scores: the collection's, or else the encoder's own, or else None.

    Reads the disk. Raises CalibrationInvalidError for a file that is damaged or lost, and CalibrationMismatchError
    for one that is of another encoder.
    """
    calibration = None if layout is None else collection_calibration(layout, spec)
    return calibration or default_calibration(spec, encoders_dir)


def open_catalogue(places: Places, *, collection: str | None = None) -> Catalogue:
    """The catalogue of these places, its schema brought up to date.

    With ``collection`` named, a catalogue that does not exist yet is not made: it cannot have that collection, and
    CollectionNotFoundError is raised.
    """
    if collection is not None and not places.has_catalogue:
        raise CollectionNotFoundError(
            f"no collection is called {collection!r}: nothing has been indexed into {places.data} yet",
            subject=collection,
        )
    return Catalogue(Database.open(places.catalogue))


def open_origin(origin: SourceRecord, layout: CollectionLayout) -> Origin:
    """What reads a collection's pictures: from the source that it remembers, and from its own store.

    Its methods raise a leaf of SourceError if the source is no longer there.
    """

    def open_remembered() -> Source:
        if origin.kind == NO_SOURCE:
            raise SourceNotFoundError(
                f"the collection {layout.name!r} has no source: its pictures were sent to it", subject=layout.name
            )
        return open_source(origin.location, images_root=None if origin.root is None else Path(origin.root))

    return Origin(origin.kind, origin.location, open_remembered, PictureStore(layout.pictures))
