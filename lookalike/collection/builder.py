"""The write side of a collection: store items, publish snapshots, and leave published ones intact.

A run works towards the *pending* generation, one above the newest complete snapshot. Every batch is one transaction
in the catalogue, its vectors included, so that a run that dies loses its current batch and nothing else: its rows
are invisible to the published snapshots, and the next run resumes from them.
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
from lookalike.collection.tagger import require_tagger
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import EncoderMismatchError, SnapshotDamagedError
from lookalike.index.base import ProgressCallback, ignore_progress
from lookalike.index.index_types import IndexTypes
from lookalike.index.planner import IndexRequirements, plan_index
from lookalike.options import EncoderRequest
from lookalike.storage import disk_errors

_REENCODE_ADVICE = "use the same encoder, or agree to encode everything again with --reencode"


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How a collection is built.

    ``allow_other_encoder`` permits replacing all vectors when the encoder differs from the published one. With
    ``keeps_retention`` as many snapshots stay as the collection's own settings say when the run publishes, whatever
    ``settings`` say. With ``respects_pin`` a pinned collection is refused; a run ends its pin otherwise. With
    ``keeps_auto_tags`` its pictures are tagged if the collection's own settings say so.
    """

    settings: CollectionSettings
    allow_other_encoder: bool = False
    keeps_retention: bool = False
    respects_pin: bool = False
    keeps_auto_tags: bool = False


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
    _lost_ids: set[int] = field(default_factory=set)

    @property
    def auto_tags(self) -> bool:
        """Whether pictures are tagged in this run."""
        options = self.options
        return (self.record.settings if options.keeps_auto_tags else options.settings).auto_tags

    def live_items(self, keys: Sequence[str]) -> dict[str, ItemRecord]:
        """The live items with these keys, whichever encoder made their vectors."""
        return self.catalogue.live_by_key(self.record.id, keys)

    def items_under(self, key_or_folder: str) -> list[ItemRecord]:
        """The live items of this run's encoder with this key, or in this folder: ``a/b/``, or "" for all."""
        if key_or_folder and not key_or_folder.endswith("/"):
            items = list(self.live_items([key_or_folder]).values())
        else:
            items = self.catalogue.live_below(self.record.id, key_or_folder)
        return [item for item in items if item.encoder_digest == self.spec.digest]

    def removals(self, keys: Sequence[str]) -> dict[str, str]:
        """Of these keys those that were removed live, and a digest of what the source said of each then."""
        return self.catalogue.live_changes(self.record.id).removals(keys)

    def mark_removals_present(self, keys: Sequence[str]) -> None:
        """Record that the source still says the same of keys that were removed live."""
        self.catalogue.live_changes(self.record.id).mark_removals_present(keys, self.record.run)

    def is_current(self, item: ItemRecord, content_digest: str) -> bool:
        """Whether the item's vector was made of a file with this digest by this run's encoder."""
        return item.draft.content_digest == content_digest and item.encoder_digest == self.spec.digest

    def is_resumed(self, item: ItemRecord) -> bool:
        """Whether the item was stored by an earlier run that published nothing, and not by a live change."""
        return item.created_generation == self.generation and item.change is None

    def items_by_content(self, content_digests: Sequence[str]) -> dict[str, tuple[ItemRecord, npt.NDArray[np.float32]]]:
        """By digest, a live item with this content and its vector: a renamed or copied file is not encoded again."""
        items = self.catalogue.live_by_content(self.record.id, content_digests, self.spec.digest)
        candidates = ((digest, item, self.vector(item.id)) for digest, item in items.items())
        return {digest: (item, vector) for digest, item, vector in candidates if vector is not None}

    def vector(self, item_id: int) -> npt.NDArray[np.float32] | None:
        """The vector of a live item, (D,) float32; None if it is lost (its snapshot is damaged)."""
        for snapshot in self._snapshots:
            vector = snapshot.vector(item_id)
            if vector is not None:
                return vector
        return self.catalogue.pending_vectors([item_id]).get(item_id)

    def store(self, items: Sequence[NewItem]) -> None:
        """Store a batch in one transaction, vectors and automatic tags included.

        Raises TagsUnavailableError if there are to be tags and the encoder has none.
        """
        tagger = require_tagger(self.spec) if self.auto_tags else None
        self.catalogue.store(self.record, self.generation, self.spec.digest, items, tagger)

    def mark_present(self, items: Sequence[ItemRecord]) -> None:
        """Record that the source still has these items."""
        self.catalogue.mark_present(self.record, [item.id for item in items])

    def stale_live_items(self) -> list[ItemRecord]:
        """Versions that were made live and whose vectors are of another encoder, or lost."""
        return [
            item
            for item in self.catalogue.live_versions(self.record.id)
            if item.encoder_digest != self.spec.digest or item.id in self._lost_ids
        ]

    def remove(self, item: ItemRecord) -> None:
        """Remove an item from the pending generation on."""
        self.catalogue.close_items([item.id], self.generation)

    def live_count(self) -> int:
        """Number of items in the pending generation."""
        return self.catalogue.live_count(self.record.id)

    def remove_absent(self) -> list[str]:
        """Remove items that the source no longer has, after a full pass over it; returns their keys."""
        return self.catalogue.remove_absent(self.record, self.generation)

    def publish(self, report_progress: ProgressCallback = ignore_progress) -> Manifest:
        """Publish the pending generation as the collection's current snapshot, and prune old ones.

        ``report_progress`` is called after each step. Raises RecallTooLowError if the index misses more than the
        settings allow.

        Where nothing changed the newest complete snapshot becomes (or stays) the current one. Only then are this
        run's source, encoder and settings stored in the collection's row: a run that fails leaves it unchanged.
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
            options = self.options
            settings = self.catalogue.update_collection(
                self.record.id,
                self.source,
                self.request,
                options.settings,
                keeps_retention=options.keeps_retention,
                keeps_auto_tags=options.keeps_auto_tags,
            )
            self._prune(current, settings.keep)
        return read_manifest(self.layout, current)

    def _must_write(self) -> bool:
        newest = self._snapshots[0].manifest if self._snapshots else None
        if newest is None or newest.generation != self.generation - 1:
            return True
        run_encoder = (self.spec.digest, self.request)
        newest_encoder = (newest.encoder.digest, newest.encoder_request)
        return (
            newest_encoder != run_encoder
            or self._index_differs(newest)
            or self.catalogue.has_changes(self.record.id, self.generation)
        )

    @property
    def _requirements(self) -> IndexRequirements:
        settings = self.options.settings
        return IndexRequirements(settings.engine, settings.target_recall, settings.memory)

    def _index_differs(self, newest: Manifest) -> bool:
        """Whether a build of the same items would now have another index type, or another target recall."""
        planned_engine = plan_index(newest.count, newest.dimension, self._requirements, self.index_types).engine
        if planned_engine != (newest.planned or newest.engine):
            return True
        return newest.settings is not None and newest.target_recall != self._requirements.target_recall

    def _prune(self, current: int, keep: int) -> None:
        complete = self.layout.complete_generations()
        kept_generations = set(complete[-keep:]) | {current}
        for generation in complete:
            if generation not in kept_generations:
                self.layout.remove(generation)
        self.catalogue.prune(self.record.id, published_generation=current, oldest_generation=min(kept_generations))

    def _drop_lost(self) -> int:
        """Close live rows whose vector is lost, so that this run encodes them again; returns their number.

        Not those of versions that were made live: no source has them, see ``stale_live_items``.
        """
        lost_ids: list[int] = []
        for ids in self.catalogue.visible_ids(self.record.id, self.generation):
            in_snapshot = np.zeros(len(ids), dtype=bool)
            for snapshot in self._snapshots:
                in_snapshot |= snapshot.positions(ids) >= 0
            other_ids = [int(item_id) for item_id in ids[~in_snapshot]]
            pending_vectors = self.catalogue.pending_vectors(other_ids)
            lost_ids += [item_id for item_id in other_ids if item_id not in pending_vectors]
        if lost_ids:
            made_live = {item.id for item in self.catalogue.live_versions(self.record.id)}
            self._lost_ids = made_live.intersection(lost_ids)
            self.catalogue.close_items([item_id for item_id in lost_ids if item_id not in made_live], self.generation)
        return len(lost_ids)

    def _open_snapshots(self) -> list[str]:
        """Open the complete snapshots, newest first; returns the messages about those that are damaged.

        A snapshot is used only if its ids are those of the catalogue. After a catalogue was lost or restored they
        are not, and an id may now belong to another picture.
        """
        damage: list[str] = []
        for generation in reversed(self.layout.complete_generations()):
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
        """A run over a collection, which is created if it does not exist, and a warning for each damage to its data.

        The run repairs that damage: pictures whose vectors cannot be read are encoded again.

        Raises CollectionBusyError, CollectionPinnedError and EncoderMismatchError as the options say, DiskFullError
        and DataPathError.
        """
        request, spec = encoder.request, encoder.spec
        with disk_errors(layout.root):
            layout.create_folders()
        with layout.hold_lock():
            if options.respects_pin:
                layout.require_unpinned()
            with disk_errors(layout.root):
                layout.clear_unfinished()
            complete = layout.complete_generations()
            if not options.allow_other_encoder:
                command = reencode_command(layout.name, source, request, options.settings, layout.data)
                _check_encoder(layout, complete, spec, command)
            record = catalogue.start_run(layout.name, source, request, options.settings)
            # The catalogue is ahead of the snapshots where these were lost or restored.
            generation = max(complete[-1] + 1 if complete else 1, catalogue.newest_generation(record.id))
            builder = cls(layout, catalogue, record, source, request, spec, generation, options, index_types)
            damage = builder._open_snapshots()
            lost_count = builder._drop_lost()
            if lost_count:
                damage.append(f"{lost_count} vectors are in no readable snapshot; their pictures are encoded again")
            yield builder, damage


def _check_encoder(layout: CollectionLayout, complete: Sequence[int], spec: EncoderSpec, command: str) -> None:
    newest_encoder = _newest_encoder(layout, complete)
    if newest_encoder is None:
        return
    current = find_rolled_back(layout)
    if current is not None and current.encoder.digest == spec.digest != newest_encoder.digest:
        raise EncoderMismatchError(
            f"the collection {layout.name!r} was rolled back to snapshot {current.generation}, which this encoder, "
            f"{describe_encoder(spec)}, made; its newest snapshot, {complete[-1]}, was made by "
            f"{describe_encoder(newest_encoder)}, and a run continues from there. To stay with this encoder run "
            f"`{command}`, to go back to the other one `python -m indexer reindex`",
            subject=layout.name,
        )
    check_same_encoder(layout.name, newest_encoder, spec, command=command, advice=_REENCODE_ADVICE)


def find_rolled_back(layout: CollectionLayout) -> Manifest | None:
    """The manifest of the current snapshot if a rollback made one current that is not the newest, else None.

    The next run continues from the newest one. None also if the current one cannot be read.
    """
    with suppress(SnapshotDamagedError):
        current, complete = layout.current_or_none(), layout.complete_generations()
        if current is not None and complete and current < complete[-1]:
            return read_manifest(layout, current)
    return None


def check_request_fits_collection(layout: CollectionLayout, request: EncoderRequest) -> None:
    """Raise EncoderMismatchError if the requested encoder cannot be the collection's, without loading it.

    Loading may export a network, which takes seconds and would be in vain.
    """
    newest_encoder = _newest_encoder(layout, layout.complete_generations())
    if newest_encoder is None or find_rolled_back(layout) is not None:  # ``Builder.open`` reports a rollback
        return
    requested_options = {"fusion": request.fusion, "input_size": request.input_size}
    encoder_fields = newest_encoder.to_dict()
    differences = [
        f"{field} {requested}, not {encoder_fields[field]}"
        for field, requested in requested_options.items()
        if requested is not None and requested != encoder_fields[field]
    ]
    if differences:
        raise EncoderMismatchError(
            f"the collection {layout.name!r} was made by {newest_encoder.name!r}, and this encoder has "
            f"{'; '.join(differences)}: {_REENCODE_ADVICE}",
            subject=layout.name,
        )


def _newest_encoder(layout: CollectionLayout, complete: Sequence[int]) -> EncoderSpec | None:
    """The encoder of the newest snapshot whose manifest can be read."""
    for generation in reversed(complete):
        with suppress(SnapshotDamagedError):
            return read_manifest(layout, generation).encoder
    return None
