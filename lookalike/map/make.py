"""Making the map of a collection, with its live changes."""

from __future__ import annotations

import numpy as np

from lookalike.collection.searcher import Searcher
from lookalike.index.base import Positions, ProgressCallback, Vectors
from lookalike.map.layout import lay_out
from lookalike.map.stored_map import StoredMap, content_mark, make_head

SEED = 1234


def make_map(searcher: Searcher, *, seed: int = SEED, threads: int, report_progress: ProgressCallback) -> StoredMap:
    """The map of all items that a searcher finds.

    Raises LayoutUnavailableError where openTSNE is not installed, SnapshotDamagedError and CatalogueError.
    """
    positions = np.flatnonzero(searcher.mask(None))
    ids = searcher.ids_at(positions)
    order = np.argsort(ids)
    ids, positions = ids[order], positions[order]
    contents = np.fromiter((content_mark(item.draft.content_digest) for item in searcher.items()), np.uint64, len(ids))

    def read(rows: Positions) -> Vectors:
        return searcher.vectors_at(positions[rows])

    places, fitted = lay_out(len(ids), read, seed=seed, threads=threads, report_progress=report_progress)
    manifest = searcher.snapshot.manifest
    head = make_head(
        generation=manifest.generation,
        change=searcher.overlay.change,
        encoder=manifest.encoder.digest,
        fitted=fitted,
        seed=seed,
    )
    return StoredMap(head, ids, contents, places)
