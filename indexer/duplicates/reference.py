"""What a collection is compared with: another collection, or a folder, archive or manifest that is not indexed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from lookalike.api import RGB, Collection, Vectors
from lookalike.catalogue.records import ItemDraft, SourceRecord
from lookalike.collection.origin import find_path
from lookalike.duplicates.subjects import Subject, subjects_of
from lookalike.errors import LookalikeError
from lookalike.images import decode
from lookalike.sources.base import Entry, Source

_BATCH = 32


@dataclass(frozen=True, slots=True)
class Reference:
    """The subjects of the reference, and their (m, D) vectors by the collection's encoder; None without."""

    subjects: list[Subject]
    vectors: Vectors | None


def reference_collection(name: str, other: Collection, source: Source, collection: Collection) -> Reference:
    """The items of another open collection, for comparison with ``collection``, whose items are the first subjects."""
    items = [item.draft for item in other.items()]
    subjects = subjects_of(
        items,
        partial(find_path, source=other.origin, layout=other.layout),
        source.read,
        owner=name,
        is_reference=True,
        first_number=len(collection),
    )
    has_same_encoder = other.manifest.encoder.digest == collection.manifest.encoder.digest
    return Reference(subjects, other.searcher.snapshot.vectors if has_same_encoder else None)


def reference_source(
    source: Source, collection: Collection, warn: Callable[[str], None], advance: Callable[[int], None]
) -> Reference:
    """The pictures of a source that is not indexed, read and encoded now.

    ``warn`` is called with a sentence on each that cannot be read, ``advance`` with how many more are done. Raises the
    errors of loading the encoder.
    """
    items: list[ItemDraft] = []
    vectors: list[Vectors] = []
    for batch in _batches(source, collection, warn):
        items += [item for item, _ in batch]
        vectors.append(collection.encoder.encode([pixels for _, pixels in batch]))
        advance(len(batch))
    origin = SourceRecord(source.kind, source.location)
    subjects = subjects_of(
        items, origin.path_of, source.read, owner=source.location, is_reference=True, first_number=len(collection)
    )
    return Reference(subjects, np.concatenate(vectors) if vectors else None)


def _batches(
    source: Source, collection: Collection, warn: Callable[[str], None]
) -> Iterator[list[tuple[ItemDraft, RGB]]]:
    batch: list[tuple[ItemDraft, RGB]] = []
    for entry in source.entries():
        try:
            if not isinstance(entry, Entry):
                raise entry.error
            batch.append(_decode_entry(source, entry, collection))
        except LookalikeError as error:
            warn(f"warning: {entry.key} cannot be compared: {error.message}")
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _decode_entry(source: Source, entry: Entry, collection: Collection) -> tuple[ItemDraft, RGB]:
    data = source.read(entry.location, collection.limits.max_bytes)
    picture = decode(data, limits=collection.limits, name=entry.key)
    digest = hashlib.sha256(data).hexdigest()
    size = (picture.width, picture.height)
    return ItemDraft(entry.key, entry.location, digest, len(data), *size, picture.format), picture.pixels
