"""The map of one open snapshot: its file, its items' names, and where the items are, kept until one of them changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

from lookalike.collection.layout import CollectionLayout
from lookalike.collection.searcher import Searcher
from lookalike.map.current_map import CurrentMap, SnapshotNames, locate
from lookalike.map.stored_map import FILE, load_map

Stamp = tuple[int, int, int]


@dataclass(eq=False)
class MapCache:
    """The map that was asked for last; for the threads of the catalogue."""

    _names: SnapshotNames | None = None
    _entry: tuple[tuple[Stamp, int], CurrentMap] | None = None
    _lock: Lock = field(default_factory=Lock)

    def current(self, layout: CollectionLayout, searcher: Searcher) -> CurrentMap:
        """The collection's map as ``searcher`` has its items, which is one of this snapshot.

        Raises MapNotMadeError, MapUnusableError, SnapshotDamagedError and the catalogue's errors.
        """
        with self._lock:  # whoever asks meanwhile waits for the same
            key = (_stamp(layout), searcher.overlay.change)
            if self._entry is None or self._entry[0] != key:
                stored = load_map(layout)
                if self._names is None:
                    self._names = SnapshotNames.read(searcher)
                self._entry = key, locate(stored, searcher, self._names)
            return self._entry[1]


def _stamp(layout: CollectionLayout) -> Stamp:
    """That of the map's file, which is replaced by rename; zeros without one, which ``load_map`` tells of."""
    try:
        stat = (layout.root / FILE).stat()
    except FileNotFoundError:
        return 0, 0, 0
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
