"""The work of a decode thread: read and hash a group of files, reuse stored vectors, and decode the other pictures."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from indexer.ingest.entry_comparison import draft_of, is_unchanged
from lookalike.catalogue.live_removals import digest_of_source
from lookalike.catalogue.records import ItemDraft, ItemRecord, NewItem
from lookalike.collection.builder import Builder
from lookalike.encoder.base import RGB, ImageEncoder
from lookalike.errors import ImageError, LookalikeError, SourceError
from lookalike.images import decode
from lookalike.options import MEBIBYTE, ImageLimits
from lookalike.sources.base import Entry, Source

READ_AHEAD_BYTES = 16 * MEBIBYTE
"""Bytes of files that a worker reads before it decodes them: the catalogue is queried once for all of them."""


@dataclass(frozen=True, slots=True)
class EntryOutcome:
    """A worker's result for one entry; exactly one of ``is_unchanged`` to ``picture`` is set.

    ``is_unchanged``: neither the file nor its metadata has changed. ``is_removed``: nor have they since the item was
    removed live. ``duplicate``: another item has the same bytes, and
    so the same vector. ``picture``: the prepared pixels to encode, with a ``remark`` if something is wrong
    with their file.
    """

    entry: Entry
    item: ItemRecord | None
    read_s: float
    decode_s: float = 0.0
    is_unchanged: bool = False
    is_removed: bool = False
    error: LookalikeError | None = None
    duplicate: NewItem | None = None
    picture: tuple[ItemDraft, RGB] | None = None
    remark: str = ""


@dataclass(frozen=True, slots=True)
class _ReadFile:
    """A file that is new or has changed; ``position`` is that of its entry in the group."""

    position: int
    entry: Entry
    item: ItemRecord | None
    data: bytes
    digest: str
    read_s: float

    def draft(self, size_and_format: tuple[int, int, str]) -> ItemDraft:
        """What is known of the picture."""
        return draft_of(self.entry, len(self.data), self.digest, size_and_format)


@dataclass(frozen=True, slots=True)
class DecodeWorker:
    """Reads, hashes and decodes entries of one source for one run; thread-safe."""

    source: Source
    builder: Builder
    encoder: ImageEncoder
    limits: ImageLimits = field(default_factory=ImageLimits)

    def examine(
        self, entries: Sequence[Entry], items: Mapping[str, ItemRecord], removals: Mapping[str, str]
    ) -> list[EntryOutcome]:
        """One outcome for each entry, in their order; ``items`` are the live ones by key. Raises catalogue errors.

        ``removals`` has the keys that were removed live, with a digest of what the source said of each.
        """
        outcomes: dict[int, EntryOutcome] = {}
        files: list[_ReadFile] = []
        for position, entry in enumerate(entries):
            result = self._read(position, entry, items.get(entry.key), removals.get(entry.key))
            if isinstance(result, EntryOutcome):
                outcomes[position] = result
                continue
            files.append(result)
            if sum(len(file.data) for file in files) >= READ_AHEAD_BYTES:
                outcomes |= self._decode_files(files)
                files.clear()
        outcomes |= self._decode_files(files)
        return [outcomes[position] for position in range(len(entries))]

    def _read(
        self, position: int, entry: Entry, item: ItemRecord | None, removal: str | None
    ) -> EntryOutcome | _ReadFile:
        start = time.perf_counter()
        try:
            data = self.source.read(entry.location, self.limits.max_bytes)
        except (ImageError, SourceError) as error:
            return EntryOutcome(entry, item, time.perf_counter() - start, error=error)
        digest = hashlib.sha256(data).hexdigest()
        read_s = time.perf_counter() - start
        file = _ReadFile(position, entry, item, data, digest, read_s)
        if item is None and removal is not None and removal == digest_of_source(draft_of(entry, len(data), digest)):
            return EntryOutcome(entry, item, read_s, is_removed=True)
        if item is not None and is_unchanged(entry, item, len(data), digest, encoder_digest=self.builder.spec.digest):
            return EntryOutcome(entry, item, read_s, is_unchanged=True)
        return file

    def _decode_files(self, files: Sequence[_ReadFile]) -> dict[int, EntryOutcome]:
        """Outcomes by position: files whose bytes an item has already are not decoded."""
        if not files:
            return {}
        items_by_content = self.builder.items_by_content([file.digest for file in files])
        outcomes = {}
        for file in files:
            if (same_content := items_by_content.get(file.digest)) is None:
                outcomes[file.position] = self._decode(file)
                continue
            # The same item with other metadata, or a renamed or copied file.
            same_item, vector = same_content
            draft = file.draft((same_item.draft.width, same_item.draft.height, same_item.draft.format))
            duplicate = NewItem(draft, vector, replaces=None if file.item is None else file.item.id)
            outcomes[file.position] = EntryOutcome(file.entry, file.item, file.read_s, duplicate=duplicate)
        return outcomes

    def _decode(self, file: _ReadFile) -> EntryOutcome:
        start = time.perf_counter()
        try:
            picture = decode(file.data, limits=self.limits, name=file.entry.key, fit=self.encoder.spec.decode_side)
        except ImageError as error:
            return EntryOutcome(file.entry, file.item, file.read_s, time.perf_counter() - start, error=error)
        pixels = self.encoder.prepare(picture.pixels)
        draft = file.draft((picture.width, picture.height, picture.format))
        decode_s = time.perf_counter() - start
        return EntryOutcome(
            file.entry, file.item, file.read_s, decode_s, picture=(draft, pixels), remark=picture.remark
        )
