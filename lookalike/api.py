"""The public face: an encoder and a collection, ready to use in a few lines."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from lookalike.calibration import Calibration
from lookalike.catalogue.records import CollectionRecord, CollectionSettings, EncoderRequest, ItemRecord, SourceRecord
from lookalike.collection.encoder_check import check_same_encoder
from lookalike.collection.index_command import reencode_command
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.searcher import Hit, Searcher
from lookalike.collection.snapshot import Snapshot, open_snapshot
from lookalike.collection.snapshot_manifest import Manifest
from lookalike.encoder.base import ImageEncoder
from lookalike.encoder.embed import encode_pictures
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import (
    EncoderOptionsError,
    EntryMissingError,
    EntryUnreadableError,
    SnapshotDamagedError,
    SnapshotNotFoundError,
)
from lookalike.explanation import Explanation, explain
from lookalike.images import decode
from lookalike.index.base import Neighbours, VectorIndex
from lookalike.options import ImageLimits, Places
from lookalike.thresholds import Threshold
from lookalike.tiers import Tier, pictured, tier_of
from lookalike.wiring import default_encoder, find_calibration, load_encoder, load_index, open_catalogue

RGB = npt.NDArray[np.uint8]
Vectors = npt.NDArray[np.float32]
Image = str | os.PathLike[str] | bytes | RGB


@dataclass(frozen=True, slots=True)
class Judgement:
    """What can be said of two pictures: the cosine ``score``, whether they are ``similar``, and how closely (``tier``).

    Copies are similar whatever their score. ``confidence`` is the share of pairs with this score that show the same
    thing, None if the encoder's scores are not calibrated.
    """

    score: float
    threshold: Threshold
    similar: bool
    confidence: float | None
    tier: Tier


@dataclass(frozen=True, slots=True, eq=False)
class _Opened:
    """The bytes of a picture's file, or what stands for them in an array, and the pixels that the encoder is given."""

    data: bytes
    pixels: RGB
    name: str
    whole: bool


class Encoder:
    """Turns pictures into embeddings whose inner product is their cosine score."""

    def __init__(
        self, port: ImageEncoder, *, encoders_dir: Path | None = None, limits: ImageLimits | None = None
    ) -> None:
        self._port = port
        self._encoders_dir = encoders_dir
        self._limits = limits or ImageLimits()

    @classmethod
    def load(
        cls,
        name: str | None = None,
        *,
        fusion: str | None = None,
        input_size: int | None = None,
        encoders_dir: str | os.PathLike[str] | None = None,
        limits: ImageLimits | None = None,
    ) -> Self:
        """An encoder by name: ``bundled``, ``resnet50:hub``, or ``resnet18:/path/weights.safetensors``.

        Without one it is the encoder in the box: ``bundled-int8``, or ``bundled`` at another fusion or size.

        ``fusion`` (``mean``, ``concat``, ``last``, ``moments``) and ``input_size`` (pixels) replace the encoder's own.
        ``encoders_dir`` is where ``python -m indexer encoders install`` put hub weights. Raises EncoderUnknownError,
        EncoderNotInstalledError, EncoderOptionsError and WeightsInvalidError.
        """
        request = EncoderRequest(name=name or default_encoder(fusion, input_size), fusion=fusion, input_size=input_size)
        places = Places(Path(), encoders=None if encoders_dir is None else Path(encoders_dir))
        return cls(load_encoder(request, places.encoders_dir), encoders_dir=places.encoders_dir, limits=limits)

    @property
    def spec(self) -> EncoderSpec:
        """What a vector of this encoder means."""
        return self._port.spec

    @property
    def runtime(self) -> str:
        """What runs the network, in words."""
        return self._port.runtime

    def encode(self, images: Iterable[Image], *, batch_size: int = 32) -> Vectors:
        """(n, D) float32 of unit length, for paths, bytes of files, or upright (h, w, 3) RGB uint8 arrays.

        Raises a leaf of ImageError that names the picture, EntryMissingError, EntryUnreadableError, or
        EncoderOptionsError for a ``batch_size`` below 1.
        """
        if batch_size < 1:
            raise EncoderOptionsError(f"batch_size must be at least 1, got {batch_size}", subject="batch_size")
        return encode_pictures(self._port, (self.pixels(image) for image in images), batch_size)

    def compare(self, first: Image, second: Image) -> float:
        """The cosine score of two pictures, in [-1, 1]."""
        vectors = self.encode([first, second])
        return float(np.clip(vectors[0] @ vectors[1], -1.0, 1.0))

    def threshold(self, value: float | None = None) -> Threshold:
        """From which normalised score on two pictures are similar: ``value``, or else the encoder's calibrated one.

        Without either it is the default, and its ``source`` says so. Raises CalibrationInvalidError and
        CalibrationMismatchError.
        """
        encoders_dir = self._encoders_dir or Places(Path()).encoders_dir
        return Threshold.choose(value, find_calibration(self.spec, encoders_dir))

    def judge(self, first: Image, second: Image, *, threshold: float | None = None) -> Judgement:
        """Score, verdict and tier of two pictures; ``threshold`` as in the method of that name.

        Arrays have no bytes of a file, so two that are equal have the same bytes.
        """
        limit = self.threshold(threshold)
        opened = [self._open(image) for image in (first, second)]
        score = self.compare(opened[0].pixels, opened[1].pixels)
        seen = [pictured(one.data, self._whole(one)) for one in opened]
        tier = tier_of(seen[0], seen[1], similar=limit.similar(score))
        return Judgement(score, limit, tier is not Tier.DIFFERENT, limit.confidence(score), tier)

    def explain(self, first: Image, second: Image) -> Explanation:
        """Why the two have the score that they have: by part of the encoder, and by place in either picture."""
        return explain(self._port, self.pixels(first), self.pixels(second))

    def pixels(self, image: Image) -> RGB:
        """The upright pixels (h, w, 3) uint8 that the encoder is given for a picture; fewer than a large file has."""
        return image if isinstance(image, np.ndarray) else self._open(image).pixels

    def _open(self, image: Image) -> _Opened:
        if isinstance(image, np.ndarray):
            return _Opened(repr(image.shape).encode() + image.tobytes(), image, "an array", whole=True)
        name = "picture" if isinstance(image, bytes) else str(image)
        data = image if isinstance(image, bytes) else _read(Path(image), self._limits.max_bytes)
        picture = decode(data, limits=self._limits, name=name, fit=self.spec.decode_side)
        return _Opened(data, picture.pixels, name, picture.whole)

    def _whole(self, opened: _Opened) -> RGB:
        return opened.pixels if opened.whole else decode(opened.data, limits=self._limits, name=opened.name).pixels


class Collection:
    """A published collection, open for search; the encoder loads at the first query that needs it."""

    def __init__(
        self,
        searcher: Searcher,
        record: CollectionRecord,
        layout: CollectionLayout,
        *,
        encoders_dir: Path,
        limits: ImageLimits | None,
        encoder: Encoder | None = None,
    ) -> None:
        self._searcher = searcher
        self._record = record
        self._layout = layout
        self._encoders_dir = encoders_dir
        self._limits = limits
        self._encoder = encoder
        if encoder is not None:
            self.check_encoder(encoder.spec)
        self._loading = Lock()
        self._calibrations: tuple[Calibration | None] | None = None

    @classmethod
    def open(
        cls,
        data_dir: str | os.PathLike[str],
        name: str,
        *,
        generation: int | None = None,
        database_url: str | None = None,
        encoders_dir: str | os.PathLike[str] | None = None,
        encoder: Encoder | None = None,
        limits: ImageLimits | None = None,
        whole: bool = False,
    ) -> Self:
        """The collection's current snapshot, or the one of a ``generation``, checked file by file.

        Files above 64 MB are checked by their length and a sample, unless ``whole``.

        ``encoder`` shares one that is loaded already; one that is loaded here has ``limits``, or those that the
        collection was indexed with. Raises CollectionNotFoundError, CollectionNotReadyError,
        SnapshotDamagedError, SnapshotNotFoundError, EncoderMismatchError and the catalogue's errors.
        """
        places = Places(Path(data_dir), database_url, None if encoders_dir is None else Path(encoders_dir))
        layout = CollectionLayout.of(places.collections_dir, name)
        catalogue = open_catalogue(places, collection=name)
        try:
            record = catalogue.collection(name)
            snapshot = (
                _current_snapshot(layout, whole)
                if generation is None
                else open_snapshot(layout, generation, whole=whole)
            )
            manifest = snapshot.manifest
            index = load_index(manifest.engine, snapshot.index_path, snapshot.vectors, manifest.settings)
            limits = limits or ImageLimits(record.settings.max_bytes, record.settings.max_pixels)
            searcher = Searcher(snapshot, index, catalogue, record.id)
            return cls(searcher, record, layout, encoders_dir=places.encoders_dir, limits=limits, encoder=encoder)
        except BaseException:
            catalogue.close()
            raise

    def __len__(self) -> int:
        """Number of items."""
        return len(self._searcher)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the catalogue's connections back."""
        self._searcher.catalogue.close()

    @property
    def manifest(self) -> Manifest:
        """The open snapshot's description."""
        return self._searcher.snapshot.manifest

    @property
    def index(self) -> VectorIndex:
        """What finds the neighbours: for who measures it against an exact scan."""
        return self._searcher.index

    @property
    def origin(self) -> SourceRecord:
        """Where the pictures came from; ``lookalike.wiring.open_origin`` opens it to read them again."""
        return self._record.source

    @property
    def settings(self) -> CollectionSettings:
        """How it is kept."""
        return self._record.settings

    @property
    def limits(self) -> ImageLimits:
        """What its pictures may cost: all of them passed this when they were indexed."""
        return ImageLimits(self.settings.max_bytes, self.settings.max_pixels)

    @property
    def encoder(self) -> Encoder:
        """The encoder that the vectors were made with, loaded now if it was not yet.

        Raises EncoderMismatchError if it can no longer be had as it was.
        """
        with self._loading:
            if self._encoder is None:
                request = EncoderRequest(**self.manifest.encoder_request)
                loaded = Encoder(
                    load_encoder(request, self._encoders_dir), encoders_dir=self._encoders_dir, limits=self._limits
                )
                self.check_encoder(loaded.spec)
                self._encoder = loaded
            return self._encoder

    @property
    def calibration(self) -> Calibration | None:
        """What turns its scores into confidence: its own calibration, or else its encoder's; None if there is none.

        Read once, at the first question. Raises CalibrationInvalidError and CalibrationMismatchError.
        """
        if self._calibrations is None:
            self._calibrations = (find_calibration(self.manifest.encoder, self._encoders_dir, self._layout),)
        return self._calibrations[0]

    def threshold(self, value: float | None = None) -> Threshold:
        """From which normalised score on a neighbour is similar: ``value``, or else the calibrated one.

        Without either it is the default, and its ``source`` says so. Raises the errors of ``calibration``.
        """
        return Threshold.choose(value, self.calibration)

    def search(self, image: Image, k: int = 10, *, min_score: float | None = None) -> list[Hit]:
        """The k items most similar to a picture (path, bytes or RGB array), best first.

        Fewer come back only if the collection has no more, or none that reaches ``min_score``.
        """
        return self.search_many([image], k, min_score=min_score)[0]

    def search_many(self, images: Sequence[Image], k: int = 10, *, min_score: float | None = None) -> list[list[Hit]]:
        """``search`` of several pictures, encoded together."""
        return self.search_vectors(self.encoder.encode(images), k, min_score=min_score)

    def search_vectors(self, queries: Vectors, k: int = 10, *, min_score: float | None = None) -> list[list[Hit]]:
        """``search`` for (n, D) float32 unit vectors that this collection's encoder made."""
        return self._searcher.search(queries, k, min_score=min_score)

    def neighbours(self, queries: Vectors, k: int, *, exclude: ItemRecord | None = None) -> Neighbours:
        """Scores and positions for (n, D) unit vectors: the first half of a search, for who times or weighs it.

        ``exclude`` is an item that is not answered.
        """
        return self._searcher.neighbours(queries, k, exclude=None if exclude is None else exclude.id)

    def hits(self, found: Neighbours, *, min_score: float | None = None) -> list[list[Hit]]:
        """What stands behind ``neighbours``: the second half of a search."""
        return self._searcher.hits(found, min_score=min_score)

    def similar(self, key: str, k: int = 10, *, min_score: float | None = None) -> list[Hit]:
        """The k items most similar to an indexed one, itself left out; nothing is encoded. Raises ItemNotFoundError."""
        item = self.item(key)
        return self.hits(self.neighbours(self.vector(item)[None], k, exclude=item), min_score=min_score)[0]

    def item(self, key: str) -> ItemRecord:
        """The item under this key; raises ItemNotFoundError."""
        return self._searcher.item(key)

    def items(self) -> Iterator[ItemRecord]:
        """All items of the snapshot, in the order in which they came."""
        return self._searcher.items()

    def page(self, *, after: int = 0, limit: int = 100) -> list[ItemRecord]:
        """So many items in that order, from the first whose ``id`` is above ``after``."""
        return self._searcher.page(after, limit)

    def vector(self, item: str | ItemRecord) -> Vectors:
        """The (D,) float32 embedding of an indexed item, named by key or record; raises ItemNotFoundError."""
        record = self.item(item) if isinstance(item, str) else item
        return self._searcher.vector(record.id)

    def is_light(self) -> bool:
        """Whether a search by vector is over sooner than another thread would have begun it."""
        return self._searcher.is_light()

    def has_row(self, key: str) -> bool:
        """Whether ``item`` would answer from memory, without the catalogue."""
        return self._searcher.has_row(key)

    def has_rows(self, found: Neighbours) -> bool:
        """Whether ``hits`` would answer from memory, without the catalogue."""
        return self._searcher.has_rows(found)

    def check_rows(self) -> None:
        """Compare snapshot, index and catalogue rows with each other; raises SnapshotDamagedError."""
        self._searcher.check_rows()

    def check_encoder(self, spec: EncoderSpec) -> None:
        """Raise EncoderMismatchError unless an encoder of this spec makes vectors like the collection's."""
        request = EncoderRequest(**self.manifest.encoder_request)
        command = reencode_command(self._layout.name, self.origin, request, self.settings, self._layout.data)
        check_same_encoder(self._layout.name, self.manifest.encoder, spec, command=command)


def _current_snapshot(layout: CollectionLayout, whole: bool) -> Snapshot:
    """The current snapshot; if it was replaced and pruned while it was being opened, the one that replaced it."""
    while True:
        generation = layout.current()
        try:
            return open_snapshot(layout, generation, whole=whole)
        except (SnapshotDamagedError, SnapshotNotFoundError):
            if layout.current() == generation:
                raise


def _read(path: Path, max_bytes: int) -> bytes:
    """A file's content, cut one byte above the limit: enough for ``decode`` to refuse it."""
    try:
        with path.open("rb") as file:
            return file.read(max_bytes + 1)
    except FileNotFoundError as error:
        raise EntryMissingError(f"there is no file {path}", subject=str(path)) from error
    except OSError as error:
        raise EntryUnreadableError(f"{path} cannot be read: {error.strerror}", subject=str(path)) from error
