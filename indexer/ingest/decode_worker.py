"""What a worker does with a few entries: read, hash, look for vectors that are there already, and decode the rest."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lookalike.catalogue.records import ItemDraft, ItemRecord, NewItem
from lookalike.collection.builder import Builder
from lookalike.encoder.base import RGB, ImageEncoder
from lookalike.errors import ImageError, LookalikeError, SourceError
from lookalike.images import decode
from lookalike.options import MEBIBYTE, ImageLimits
from lookalike.sources.base import Entry, Source

HELD_BYTES = 16 * MEBIBYTE
"""Bytes of files that a worker holds before it decodes them; the catalogue is asked once for all of them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a worker found out about one entry; exactly one of the last four fields is set.

    ``same``: nothing has changed. ``known``: another item has the same bytes, and so the vector. ``prepared``: the
    square to encode.
    """

    entry: Entry
    item: ItemRecord | None
    read_s: float
    decode_s: float = 0.0
    same: bool = False
    error: LookalikeError | None = None
    known: NewItem | None = None
    prepared: tuple[ItemDraft, RGB] | None = None


@dataclass(frozen=True, slots=True)
class _Read:
    """A file that is new or has changed; ``place`` is its entry's among those that the worker was given."""

    place: int
    entry: Entry
    item: ItemRecord | None
    data: bytes
    digest: str
    read_s: float


@dataclass(frozen=True, slots=True)
class Examiner:
    """Examines entries of one source for one run; safe to share between threads."""

    source: Source
    builder: Builder
    encoder: ImageEncoder
    limits: ImageLimits = field(default_factory=ImageLimits)

    def examine(self, entries: Sequence[Entry], items: Mapping[str, ItemRecord]) -> list[Outcome]:
        """One outcome an entry, in their order; ``items`` are the live ones by key. Raises the catalogue's errors."""
        outcomes: dict[int, Outcome] = {}
        waiting: list[_Read] = []
        for place, entry in enumerate(entries):
            found = self._read(place, entry, items.get(entry.key))
            if isinstance(found, Outcome):
                outcomes[place] = found
                continue
            waiting.append(found)
            if sum(len(one.data) for one in waiting) >= HELD_BYTES:
                outcomes |= self._settle(waiting)
                waiting.clear()
        outcomes |= self._settle(waiting)
        return [outcomes[place] for place in range(len(entries))]

    def _read(self, place: int, entry: Entry, item: ItemRecord | None) -> Outcome | _Read:
        start = time.perf_counter()
        try:
            data = self.source.read(entry.location, self.limits.max_bytes)
        except (ImageError, SourceError) as error:
            return Outcome(entry, item, time.perf_counter() - start, error=error)
        digest = hashlib.sha256(data).hexdigest()
        took = time.perf_counter() - start
        if item is not None and self.builder.is_current(item, digest) and _describes(item.draft, entry):
            return Outcome(entry, item, took, same=True)
        return _Read(place, entry, item, data, digest, took)

    def _settle(self, waiting: Sequence[_Read]) -> dict[int, Outcome]:
        if not waiting:
            return {}
        twins = self.builder.twins([one.digest for one in waiting])
        settled = {}
        for one in waiting:
            if (twin := twins.get(one.digest)) is None:
                settled[one.place] = self._decode(one)
                continue
            # Itself under other metadata, or a renamed or copied file.
            facts, vector = twin
            draft = _draft(one, (facts.draft.width, facts.draft.height, facts.draft.format))
            known = NewItem(draft, vector, replaces=None if one.item is None else one.item.id)
            settled[one.place] = Outcome(one.entry, one.item, one.read_s, known=known)
        return settled

    def _decode(self, one: _Read) -> Outcome:
        start = time.perf_counter()
        try:
            picture = decode(one.data, limits=self.limits, name=one.entry.key, fit=self.encoder.spec.decode_side)
        except ImageError as error:
            return Outcome(one.entry, one.item, one.read_s, time.perf_counter() - start, error=error)
        prepared = self.encoder.prepare(picture.pixels)
        draft = _draft(one, (picture.width, picture.height, picture.format))
        return Outcome(one.entry, one.item, one.read_s, time.perf_counter() - start, prepared=(draft, prepared))


def _describes(draft: ItemDraft, entry: Entry) -> bool:
    """Whether the stored words about a picture are still those of its source."""
    stored = (draft.location, draft.title, draft.product_id, dict(draft.metadata))
    return stored == (entry.location, entry.title, entry.product_id, dict(entry.metadata))


def _draft(one: _Read, facts: tuple[int, int, str]) -> ItemDraft:
    width, height, format_name = facts
    return ItemDraft(
        key=one.entry.key,
        location=one.entry.location,
        content_digest=one.digest,
        byte_size=len(one.data),
        width=width,
        height=height,
        format=format_name,
        title=one.entry.title,
        product_id=one.entry.product_id,
        metadata=one.entry.metadata,
    )
