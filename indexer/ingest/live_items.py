"""Versions of items that were made live are encoded again where their vectors are another encoder's, or lost."""

from __future__ import annotations

import numpy as np

from indexer.ingest.verdicts import Report, Verdict
from lookalike.catalogue.records import ItemRecord, NewItem
from lookalike.collection.builder import Builder
from lookalike.encoder.base import RGB, ImageEncoder
from lookalike.errors import ImageError, SourceError
from lookalike.images import decode
from lookalike.options import ImageLimits
from lookalike.sources.base import Source

BATCH = 32


def encode_live_items(
    origin: Source, builder: Builder, encoder: ImageEncoder, report: Report, limits: ImageLimits
) -> int:
    """Encode them from the collection's own store, or from the source; returns their number.

    One that can no longer be read is rejected, and leaves the collection.
    """
    count = 0
    stale = builder.stale_live_items()
    for start in range(0, len(stale), BATCH):
        items: list[ItemRecord] = []
        pictures: list[RGB] = []
        for item in stale[start : start + BATCH]:
            try:
                data = origin.read(item.location, limits.max_bytes)
                picture = decode(data, limits=limits, name=item.key, fit=encoder.spec.decode_side)
            except (ImageError, SourceError) as error:
                report.record(item.key, Verdict.REJECTED, error)
                builder.remove(item)
                continue
            items.append(item)
            pictures.append(encoder.prepare(picture.pixels))
            report.record(item.key, Verdict.INDEXED)
        if items:
            vectors = encoder.forward(np.stack(pictures))
            builder.store(
                [
                    NewItem(item.draft, vector, item.id, item.source_digest)
                    for item, vector in zip(items, vectors, strict=True)
                ]
            )
        count += len(items)
    return count
