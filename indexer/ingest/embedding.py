"""Vectors of pictures that belong to no collection: read, decoded and encoded as in a run, in the order of the source.

``workers`` threads read and decode while a batch is encoded. Memory does not grow with the number of pictures.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np

from indexer.ingest.entry_comparison import draft_of
from indexer.ingest.pipeline import PipelineOptions
from indexer.ingest.verdicts import Verdict, verdict_on_error
from lookalike.catalogue.records import ItemDraft
from lookalike.encoder.base import RGB, ImageEncoder, Vectors
from lookalike.errors import ImageError, LookalikeError, SourceError, SourceNotFoundError
from lookalike.images import decode
from lookalike.options import SourceOptions
from lookalike.sources.base import Entry, RefusedEntry, key_error, printable, refused_key
from lookalike.sources.files import read_regular
from lookalike.sources.manifest import MANIFEST_SUFFIXES
from lookalike.sources.open_source import open_source

_ARCHIVE_SUFFIX = ".zip"


@dataclass(frozen=True, slots=True)
class EmbeddedPicture:
    """A picture, and its (D,) float32 vector of unit length."""

    draft: ItemDraft
    vector: Vectors


@dataclass(frozen=True, slots=True)
class UnusablePicture:
    """A file without a vector: ``ignored`` if it is not meant as a picture, else ``rejected``."""

    key: str
    verdict: Verdict
    error: LookalikeError


class PictureSource(Protocol):
    """What is needed of a ``Source`` here."""

    def entries(self) -> Iterator[Entry | RefusedEntry]:
        """See Source."""

    def read(self, location: str, max_bytes: int) -> bytes:
        """See Source."""

    def close(self) -> None:
        """See Source."""


@dataclass(frozen=True, slots=True)
class SingleFile:
    """A file as a source of one picture, whose key is its path as it was given."""

    path: Path

    def entries(self) -> Iterator[Entry | RefusedEntry]:
        """The file."""
        key = self.path.as_posix()
        error = key_error(key)
        yield Entry(key, key) if error is None else RefusedEntry(refused_key(key), error)

    def read(self, location: str, max_bytes: int) -> bytes:
        """The bytes of the file."""
        return read_regular(self.path, max_bytes, printable(location))

    def close(self) -> None:
        """Does nothing: no file is open between reads."""


def open_pictures(path: Path, options: SourceOptions) -> PictureSource:
    """The pictures of a folder, zip or manifest, or the one in a file; raises SourceNotFoundError and SourceError."""
    if not path.exists():
        name = printable(str(path))
        raise SourceNotFoundError(f"{name} does not exist; check the path", subject=name)
    if path.is_dir() or path.suffix.lower() in (*MANIFEST_SUFFIXES, _ARCHIVE_SUFFIX):
        return open_source(path, options=options)
    return SingleFile(path)


_Prepared = tuple[ItemDraft, RGB]


@dataclass(frozen=True, slots=True)
class PictureEmbedder:
    """Embeds the pictures of sources with one encoder."""

    encoder: ImageEncoder
    options: PipelineOptions

    def embed(self, source: PictureSource) -> Iterator[EmbeddedPicture | UnusablePicture]:
        """One result for each entry of a source, in its order; raises what listing it raises."""
        batch: list[_Prepared | UnusablePicture] = []
        count = 0
        for outcome in self._outcomes(source):
            batch.append(outcome)
            count += not isinstance(outcome, UnusablePicture)
            if count == self.options.batch or len(batch) >= 4 * self.options.batch:
                yield from self._encode(batch)
                batch, count = [], 0
        yield from self._encode(batch)

    def _outcomes(self, source: PictureSource) -> Iterator[_Prepared | UnusablePicture]:
        """The entries, read and decoded ahead of who takes them, by a bounded number."""
        pool = ThreadPoolExecutor(self.options.workers, thread_name_prefix="decode")
        pending: deque[Future[_Prepared | UnusablePicture]] = deque()
        try:
            entries = source.entries()
            for entry in islice(entries, self.options.batch + 2 * self.options.workers):
                pending.append(pool.submit(self._prepare, source, entry))
            while pending:
                yield pending.popleft().result()
                pending.extend(pool.submit(self._prepare, source, entry) for entry in islice(entries, 1))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _prepare(self, source: PictureSource, entry: Entry | RefusedEntry) -> _Prepared | UnusablePicture:
        if isinstance(entry, RefusedEntry):
            return UnusablePicture(entry.key, Verdict.REJECTED, entry.error)
        limits = self.options.limits
        try:
            data = source.read(entry.location, limits.max_bytes)
            picture = decode(data, limits=limits, name=entry.key, fit=self.encoder.spec.decode_side)
        except (ImageError, SourceError) as error:
            return UnusablePicture(entry.key, verdict_on_error(entry.location, error), error)
        digest = hashlib.sha256(data).hexdigest()
        draft = draft_of(entry, len(data), digest, (picture.width, picture.height, picture.format))
        return draft, self.encoder.prepare(picture.pixels)

    def _encode(self, outcomes: Sequence[_Prepared | UnusablePicture]) -> Iterator[EmbeddedPicture | UnusablePicture]:
        squares = [outcome[1] for outcome in outcomes if not isinstance(outcome, UnusablePicture)]
        vectors = iter(self.encoder.forward(np.stack(squares)) if squares else ())
        for outcome in outcomes:
            if isinstance(outcome, UnusablePicture):
                yield outcome
            else:
                yield EmbeddedPicture(outcome[0], next(vectors))
