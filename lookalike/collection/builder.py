"""The write side of a collection: take pictures in, publish snapshots, keep what is published whole.

A run works towards the *pending* generation, one above the newest complete snapshot. Every batch is one transaction
in the catalogue, its vectors included, so that a run that dies has lost the batch in hand and nothing else: its rows
are invisible to the published snapshots, and the next run finds them and goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt

from lookalike.catalogue.records import CollectionRecord, CollectionSettings, ItemRecord, NewItem, SourceRecord
from lookalike.catalogue.repository import Catalogue
from lookalike.collection.encoder_check import check_same_encoder, describe_encoder
from lookalike.collection.index_command import reencode_command
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.publisher import Publisher
from lookalike.collection.snapshot import Snapshot, check_ids, open_snapshot, read_manifest
from lookalike.collection.snapshot_manifest import Manifest
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import EncoderMismatchError, SnapshotDamagedError
from lookalike.index.base import ProgressCallback, ignore_progress
from lookalike.index.index_types import IndexTypes
from lookalike.index.planner import IndexRequirements, plan_index
from lookalike.options import EncoderRequest
from lookalike.storage import disk_errors

_AGREE = "use the same encoder, or agree to encode everything again with --reencode"


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How a collection is built.

    ``allow_other_encoder`` agrees to replace all vectors when the encoder differs from the published one.
    """

    settings: CollectionSettings
    allow_other_encoder: bool = False


@dataclass(frozen=True, slots=True)
class CollectionEncoder:
    """The encoder of a run: the ``request`` that it was loaded by, which is stored, and the ``spec`` that it has."""

    request: EncoderRequest
    spec: EncoderSpec


@dataclass(slots=True)
class Builder:
    """One run over one collection; made by ``Builder.open``, which holds the lock for it."""

    layout: CollectionLayout
    catalogue: Catalogue
    record: CollectionRecord
    source: SourceRecord
    request: EncoderRequest
    spec: EncoderSpec
    generation: int
    options: BuildOptions
    index_types: IndexTypes
    _snapshots: list[Snapshot] = field(default_factory=list)

    def known(self, keys: Sequence[str]) -> dict[str, ItemRecord]:
        """The live items with these keys, whichever encoder made their vectors."""
        return self.catalogue.live_by_key(self.record.id, keys)

    def under(self, place: str) -> list[ItemRecord]:
        """The live items of this run's encoder with this key, or in this folder: ``a/b/``, or "" for all."""
        if place and not place.endswith("/"):
            items = list(self.known([place]).values())
        else:
            items = self.catalogue.live_below(self.record.id, place)
        return [item for item in items if item.encoder_digest == self.spec.digest]

    def is_current(self, item: ItemRecord, content_digest: str) -> bool:
        """Whether the item was made of these very bytes by this run's encoder."""
        return item.draft.content_digest == content_digest and item.encoder_digest == self.spec.digest

    def is_resumed(self, item: ItemRecord) -> bool:
        """Whether the item was taken in by an earlier run that did not come to publish."""
        return item.created_generation == self.generation

    def twins(self, content_digests: Sequence[str]) -> dict[str, tuple[ItemRecord, npt.NDArray[np.float32]]]:
        """By content, a live item that has it, and its vector: a renamed or copied file need not be encoded again."""
        items = self.catalogue.live_by_content(self.record.id, content_digests, self.spec.digest)
        found = ((digest, item, self.vector(item.id)) for digest, item in items.items())
        return {digest: (item, vector) for digest, item, vector in found if vector is not None}

    def vector(self, item_id: int) -> npt.NDArray[np.float32] | None:
        """The vector of a live item, (D,) float32; None if it is nowhere (its snapshot is damaged)."""
        for snapshot in self._snapshots:
            vector = snapshot.vector(item_id)
            if vector is not None:
                return vector
        return self.catalogue.pending_vectors([item_id]).get(item_id)

    def store(self, items: Sequence[NewItem]) -> None:
        """Take a batch in: one transaction, vectors included."""
        self.catalogue.store(self.record, self.generation, self.spec.digest, items)

    def mark_seen(self, items: Sequence[ItemRecord]) -> None:
        """Note that the source still has these items."""
        self.catalogue.mark_seen(self.record, [item.id for item in items])

    def live_count(self) -> int:
        """Number of items in the collection as this run stands."""
        return self.catalogue.live_count(self.record.id)

    def remove_unseen(self) -> list[str]:
        """Drop what the source no longer has; only after a full pass over it. The keys that went."""
        return self.catalogue.remove_unseen(self.record, self.generation)

    def publish(self, report_progress: ProgressCallback = ignore_progress) -> Manifest:
        """Make what this run took in the collection's current snapshot, and prune old ones.

        ``report_progress`` is called after each step. Raises RecallTooLowError if the index misses more than the
        settings allow.

        Where nothing changed the newest complete snapshot becomes (or stays) the current one. Only then is the
        collection told of this run's source, encoder and settings: a run that fails leaves all as it was.
        """
        with disk_errors(self.layout.root):
            if self._must_write():
                publisher = Publisher(
                    self.layout, self.catalogue, self.record, self.request, self.spec, self.generation
                )
                publisher.write(self._snapshots, self._requirements, self.index_types, report_progress)
                current = self.generation
            else:
                current = self.generation - 1
            self.layout.point_to(current)
            self.catalogue.update_collection(self.record.id, self.source, self.request, self.options.settings)
            self._prune(current)
        return read_manifest(self.layout, current)

    def _must_write(self) -> bool:
        newest = self._snapshots[0].manifest if self._snapshots else None
        if newest is None or newest.generation != self.generation - 1:
            return True
        asked_for = (self.spec.digest, self.request)
        present = (newest.encoder.digest, newest.encoder_request)
        return (
            present != asked_for
            or self._index_differs(newest)
            or self.catalogue.has_changes(self.record.id, self.generation)
        )

    @property
    def _requirements(self) -> IndexRequirements:
        settings = self.options.settings
        return IndexRequirements(settings.engine, settings.target_recall, settings.memory)

    def _index_differs(self, newest: Manifest) -> bool:
        """Whether the same items would be given another type of index now, or one that is tuned to another recall."""
        planned = plan_index(newest.count, newest.dimension, self._requirements, self.index_types).engine
        if planned != (newest.planned or newest.engine):
            return True
        return newest.settings is not None and newest.target_recall != self._requirements.target_recall

    def _prune(self, current: int) -> None:
        complete = self.layout.complete()
        kept = set(complete[-self.options.settings.keep :]) | {current}
        for generation in complete:
            if generation not in kept:
                self.layout.remove(generation)
        self.catalogue.prune(self.record.id, published_generation=current, oldest_generation=min(kept))

    def _drop_lost(self) -> int:
        """Close live rows whose vector is nowhere, so that this run encodes them again; how many there were."""
        lost: list[int] = []
        for ids in self.catalogue.visible_ids(self.record.id, self.generation):
            held = np.zeros(len(ids), dtype=bool)
            for snapshot in self._snapshots:
                held |= snapshot.positions(ids) >= 0
            rest = [int(item_id) for item_id in ids[~held]]
            pending = self.catalogue.pending_vectors(rest)
            lost += [item_id for item_id in rest if item_id not in pending]
        self.catalogue.close_items(lost, self.generation)
        return len(lost)

    def _open_snapshots(self) -> list[str]:
        """Open the complete snapshots, newest first; what was wrong with those that are damaged.

        A snapshot is believed only if its ids are those of the catalogue. After a catalogue was lost or restored they
        are not, and an id may by now name another picture.
        """
        damage: list[str] = []
        for generation in reversed(self.layout.complete()):
            try:
                snapshot = open_snapshot(self.layout, generation)
                check_ids(snapshot, self.catalogue.visible_ids(self.record.id, generation))
                self._snapshots.append(snapshot)
            except SnapshotDamagedError as error:
                damage.append(error.message)
        return damage

    @classmethod
    @contextmanager
    def open(
        cls,
        layout: CollectionLayout,
        catalogue: Catalogue,
        source: SourceRecord,
        encoder: CollectionEncoder,
        index_types: IndexTypes,
        options: BuildOptions,
    ) -> Iterator[tuple[Self, list[str]]]:
        """A run over a collection, which is made if it does not exist, and a warning for each damage to its data.

        The run repairs that damage: pictures whose vectors cannot be read are encoded again.

        Raises CollectionBusyError, EncoderMismatchError (unless the options agree to it), DiskFullError and
        DataPathError.
        """
        request, spec = encoder.request, encoder.spec
        with disk_errors(layout.root):
            layout.make()
        with layout.hold_lock():
            with disk_errors(layout.root):
                layout.clear_unfinished()
            complete = layout.complete()
            if not options.allow_other_encoder:
                command = reencode_command(layout.name, source, request, options.settings, layout.data)
                _check_encoder(layout, complete, spec, command)
            record = catalogue.start_run(layout.name, source, request, options.settings)
            # The catalogue is ahead of the snapshots where these were lost or restored.
            generation = max(complete[-1] + 1 if complete else 1, catalogue.newest_generation(record.id))
            builder = cls(layout, catalogue, record, source, request, spec, generation, options, index_types)
            damage = builder._open_snapshots()
            lost = builder._drop_lost()
            if lost:
                damage.append(f"{lost} vectors are in no readable snapshot; their pictures are encoded again")
            yield builder, damage


def _check_encoder(layout: CollectionLayout, complete: Sequence[int], spec: EncoderSpec, command: str) -> None:
    published = _newest_encoder(layout, complete)
    if published is None:
        return
    served = find_rolled_back(layout)
    if served is not None and served.encoder.digest == spec.digest != published.digest:
        raise EncoderMismatchError(
            f"the collection {layout.name!r} was rolled back to snapshot {served.generation}, which this encoder, "
            f"{describe_encoder(spec)}, made; its newest snapshot, {complete[-1]}, was made by "
            f"{describe_encoder(published)}, and a run goes forward from there. To stay with this encoder run "
            f"`{command}`, to go back to the other one `python -m indexer reindex`",
            subject=layout.name,
        )
    check_same_encoder(layout.name, published, spec, command=command, otherwise=_AGREE)


def find_rolled_back(layout: CollectionLayout) -> Manifest | None:
    """The current snapshot where a rollback made an older one than the newest current, else None.

    The next run goes forward from the newest one. None, too, where the current one cannot be read.
    """
    with suppress(SnapshotDamagedError):
        current, complete = layout.current_or_none(), layout.complete()
        if current is not None and complete and current < complete[-1]:
            return read_manifest(layout, current)
    return None


def check_request_fits_collection(layout: CollectionLayout, request: EncoderRequest) -> None:
    """Raise EncoderMismatchError if what is asked for cannot be the collection's encoder, whatever it would load as.

    For before the encoder is loaded: to load it may take the export of a network, in vain.
    """
    published = _newest_encoder(layout, layout.complete())
    if published is None or find_rolled_back(layout) is not None:  # of what was rolled back, ``Builder.open`` tells
        return
    asked = {"fusion": request.fusion, "input_size": request.input_size}
    there = published.to_dict()
    differences = [
        f"{field} {wanted}, not {there[field]}"
        for field, wanted in asked.items()
        if wanted is not None and wanted != there[field]
    ]
    if differences:
        raise EncoderMismatchError(
            f"the collection {layout.name!r} was made by {published.name!r}, and this encoder has "
            f"{'; '.join(differences)}: {_AGREE}",
            subject=layout.name,
        )


def _newest_encoder(layout: CollectionLayout, complete: Sequence[int]) -> EncoderSpec | None:
    """The encoder of the newest snapshot whose manifest can be read."""
    for generation in reversed(complete):
        with suppress(SnapshotDamagedError):
            return read_manifest(layout, generation).encoder
    return None
