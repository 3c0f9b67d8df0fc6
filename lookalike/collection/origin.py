"""Where a collection's pictures are read: in its source, and those that were sent to it in its own store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from threading import Lock

from lookalike.catalogue.records import SourceRecord
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.picture_store import PictureStore, is_stored
from lookalike.sources.base import Entry, RefusedEntry, Source
from lookalike.sources.exclusions import Exclusions


def find_path(location: str, source: SourceRecord, layout: CollectionLayout) -> str:
    """The absolute path of a picture's file, in its source or in the collection's own store."""
    if is_stored(location):
        return str(PictureStore(layout.pictures).path_of(location))
    return source.path_of(location)


class Origin:
    """A collection's source with its stored pictures beside it; the source is opened when it is first needed.

    So stored pictures can be read while a disk is not mounted. ``open_source`` raises a leaf of SourceError.
    """

    def __init__(self, kind: str, location: str, open_source: Callable[[], Source], store: PictureStore) -> None:
        self.kind, self.location = kind, location
        self._open_source, self._store = open_source, store
        self._source: Source | None = None
        self._lock = Lock()

    @property
    def excluded(self) -> Counter[str]:
        """See Source."""
        return self._opened().excluded

    @property
    def exclusions(self) -> Exclusions:
        """See Source."""
        return self._opened().exclusions

    @property
    def remarks(self) -> list[str]:
        """See Source."""
        return self._opened().remarks

    def entries(self) -> Iterator[Entry | RefusedEntry]:
        """See Source: those of the source alone."""
        return self._opened().entries()

    def read(self, location: str, max_bytes: int) -> bytes:
        """The bytes of a picture; raises a leaf of SourceError or ImageTooLargeError."""
        if is_stored(location):
            return self._store.read(location, max_bytes)
        return self._opened().read(location, max_bytes)

    def open(self) -> None:
        """Open the source now; raises a leaf of SourceError."""
        self._opened()

    def close(self) -> None:
        """Close the source, if it was opened."""
        if self._source is not None:
            self._source.close()

    def _opened(self) -> Source:
        with self._lock:
            if self._source is None:
                self._source = self._open_source()
            return self._source
