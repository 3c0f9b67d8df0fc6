"""A published collection, open for search."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Literal, Self

from lookalike.api.encoder import Encoder
from lookalike.api.exporting import export_items, read_options, select_items
from lookalike.api.insights import ExaminedCollection
from lookalike.api.live import configure_collection, create_empty, make_change, new_version
from lookalike.api.pictures import Image
from lookalike.api.search_options import read_choice
from lookalike.api.stacking import ItemStack, field_grouping, read_stacks
from lookalike.calibration import Calibration
from lookalike.catalogue.live_changes import ChangeOutcome, LiveChange
from lookalike.catalogue.metadata import check_metadata
from lookalike.catalogue.records import CollectionRecord, CollectionSettings, ItemRecord, MetadataValue, SourceRecord
from lookalike.collection.encoder_check import check_same_encoder
from lookalike.collection.grouping import Grouping
from lookalike.collection.hit import Hit
from lookalike.collection.index_command import DEFAULT_KEEP, check_keep, reencode_command
from lookalike.collection.item_edit import ItemEdit
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.origin import find_path
from lookalike.collection.refinement import StackKind
from lookalike.collection.searcher import Searcher
from lookalike.collection.snapshot import open_current_snapshot, open_snapshot
from lookalike.collection.snapshot_manifest import Manifest
from lookalike.collection.stacks import Stacks
from lookalike.collection.tagger import find_tagger
from lookalike.duplicates.stacks import StackCache
from lookalike.encoder.spec import EncoderSpec
from lookalike.encoder.tags import require_head
from lookalike.filters import Where
from lookalike.filters.builder import refuse
from lookalike.filters.declared_columns import read_columns
from lookalike.index.base import VectorIndex
from lookalike.item_export.export import ExportResult
from lookalike.options import ImageLimits, Places
from lookalike.thresholds import Threshold
from lookalike.wiring import INDEX_TYPES, find_calibration, load_encoder, open_catalogue

ExportFormatName = Literal["jsonl", "csv", "parquet", "imagefolder", "fiftyone"]


class Collection(ExaminedCollection):
    """A published collection, open for search; the encoder loads at the first query that needs it.

    ``searcher`` is its read side below this class, for a program that has to know what is in memory.
    """

    def __init__(
        self,
        searcher: Searcher,
        record: CollectionRecord,
        layout: CollectionLayout,
        *,
        encoders_dir: Path,
        limits: ImageLimits | None,
        encoder: Encoder | None = None,
    ) -> None:
        self.searcher = searcher
        self._record = record
        self._layout = layout
        self._encoders_dir = encoders_dir
        self._limits = limits
        self._encoder = encoder
        if encoder is not None:
            self.check_encoder(encoder.spec)
        self._encoder_lock = Lock()
        self._stack_cache = StackCache()

    @classmethod
    def open(
        cls,
        data_dir: str | os.PathLike[str],
        name: str,
        *,
        generation: int | None = None,
        database_url: str | None = None,
        encoders_dir: str | os.PathLike[str] | None = None,
        encoder: Encoder | None = None,
        limits: ImageLimits | None = None,
        whole: bool = False,
    ) -> Self:
        """The collection's current snapshot, or the one of a ``generation``, checked file by file.

        Files above 64 MB are checked by their length and a sample, unless ``whole``. The current one has the live
        changes that were made since it was published.

        ``encoder`` shares one that is loaded already; one that is loaded here has ``limits``, or those that the
        collection was indexed with. Raises CollectionNotFoundError, CollectionNotReadyError,
        SnapshotDamagedError, SnapshotNotFoundError, EncoderMismatchError and the catalogue's errors.
        """
        places = Places(Path(data_dir), database_url, None if encoders_dir is None else Path(encoders_dir))
        layout = CollectionLayout.of(places.collections_dir, name)
        catalogue = open_catalogue(places, collection=name)
        try:
            record = catalogue.collection(name)
            snapshot = (
                open_current_snapshot(layout, whole=whole)
                if generation is None
                else open_snapshot(layout, generation, whole=whole)
            )
            manifest = snapshot.manifest
            index = INDEX_TYPES.load(manifest.engine, snapshot.index_path, snapshot.vectors, manifest.settings)
            limits = limits or ImageLimits(record.settings.max_bytes, record.settings.max_pixels)
            searcher = Searcher.of(snapshot, index, catalogue, record.id)
            if generation is None and not layout.is_pinned():
                changed = searcher.with_live_changes()
                searcher = searcher if changed is None else changed
            return cls(searcher, record, layout, encoders_dir=places.encoders_dir, limits=limits, encoder=encoder)
        except BaseException:
            catalogue.close()
            raise

    @classmethod
    def create(
        cls,
        data_dir: str | os.PathLike[str],
        name: str,
        *,
        encoder: str | None = None,
        columns: Mapping[str, str] | None = None,
        keep: int = DEFAULT_KEEP,
        auto_tags: bool = False,
        database_url: str | None = None,
        encoders_dir: str | os.PathLike[str] | None = None,
    ) -> Self:
        """A new, empty collection, to be filled with ``upsert``; without ``encoder`` that is the default one.

        ``columns`` declares columns of metadata, see ``configure``; ``keep`` is how many snapshots stay; with
        ``auto_tags`` items get words for what they show (docs/tags.md). Raises CollectionExistsError,
        CollectionNameError, TagsUnavailableError, ValueError and the errors of loading the encoder.
        """
        places = Places(Path(data_dir), database_url, None if encoders_dir is None else Path(encoders_dir))
        create_empty(places, name, encoder, read_columns(columns or {}), keep=check_keep(keep), auto_tags=auto_tags)
        return cls.open(data_dir, name, database_url=database_url, encoders_dir=encoders_dir)

    def __repr__(self) -> str:
        manifest = self.manifest
        return (
            f"Collection({manifest.collection!r}, {manifest.count} items, snapshot {manifest.generation}, "
            f"encoder {manifest.encoder.name!r})"
        )

    def __len__(self) -> int:
        """Number of items."""
        return len(self.searcher)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the catalogue's connections back."""
        self.searcher.catalogue.close()

    @property
    def change(self) -> int:
        """The number of the last live change that it has."""
        return self.searcher.overlay.change

    def with_live_changes(self) -> Self:
        """The collection with all that was changed by now: itself if there is nothing new; none while it is pinned.

        The snapshot stays: one that was published meanwhile is opened with ``open``. For who keeps a collection open.
        """
        if self._layout.is_pinned():
            searcher = None if self.searcher.overlay.is_empty else self.searcher.without_live_changes()
        else:
            searcher = self.searcher.with_live_changes()
        return self if searcher is None or searcher is self.searcher else self._with_searcher(searcher)

    def at_change(self, change: int) -> Self | None:
        """The collection as it was after this live change; None if that can no longer be said, or while it is pinned.

        For who goes on with what was begun before later changes, such as the next page of a search.
        """
        if change == self.change:
            return self
        searcher = None if self._layout.is_pinned() else self.searcher.at_change(change)
        return None if searcher is None else self._with_searcher(searcher)

    def _with_searcher(self, searcher: Searcher) -> Self:
        changed = copy.copy(self)
        changed.searcher = searcher
        return changed

    def change_items(self, changes: Sequence[LiveChange]) -> list[ChangeOutcome]:
        """Make changes in one transaction, one outcome each; ``with_live_changes`` shows them.

        Raises the catalogue's errors.
        """
        spec = self.manifest.encoder
        return self.searcher.catalogue.live_changes(self.searcher.collection_id).apply(
            changes,
            published_generation=self.manifest.generation,
            encoder_digest=spec.digest,
            tagger=find_tagger(spec),
        )

    def upsert(
        self,
        key: str,
        image: Image | None = None,
        *,
        title: str | None = None,
        product_id: str | None = None,
        metadata: Mapping[str, MetadataValue] | None = None,
    ) -> ItemRecord:
        """Add an item, or replace its picture, its metadata or both; what is not given stays. Searches see it at once.

        Raises ItemNotFoundError for a new item without a picture, VersionMismatchError if somebody else changes it at
        the same time, leaves of ImageError, ValueError for metadata that cannot be stored, MetadataInvalidError for a
        value that is not of its column's type, and CollectionPinnedError.
        """
        checked = None if metadata is None else check_metadata(metadata)
        edit = ItemEdit(title=title, product_id=product_id, metadata=checked)
        make_change(self, new_version(self._refreshed(), key, image, edit))
        return self._refreshed().item(key)

    def delete(self, key: str) -> None:
        """Remove an item; raises ItemNotFoundError, and CollectionPinnedError."""
        make_change(self, LiveChange(key))
        self._refreshed()

    def configure(
        self,
        *,
        columns: Mapping[str, str | None] | None = None,
        keep: int | None = None,
        auto_tags: bool | None = None,
    ) -> None:
        """Declare the types of metadata columns, such as ``{"price": "number"}``, set how many snapshots stay, and
        whether items that are stored from now on get automatic tags.

        Types are text, number, boolean, date, and list of each; None takes a declaration away. From then on no item is
        stored with another value. Raises ValueError, ColumnConflictError if items have values of another type or a
        column that is called as that of the tags, and TagsUnavailableError.
        """
        if auto_tags:
            require_head(self.manifest.encoder)
        self._record = configure_collection(self.searcher.catalogue, self._record, columns or {}, keep, auto_tags)
        self._refreshed()

    def _refreshed(self) -> Self:
        self.searcher = self.with_live_changes().searcher
        return self

    def leave_out_live_changes(self) -> None:
        """Answer from the snapshot alone from now on, as it was published."""
        self.searcher = self.searcher.without_live_changes()

    @property
    def layout(self) -> CollectionLayout:
        """Where its files are."""
        return self._layout

    @property
    def manifest(self) -> Manifest:
        """The open snapshot's description."""
        return self.searcher.snapshot.manifest

    @property
    def index(self) -> VectorIndex:
        """What finds the neighbours: for who measures it against an exact scan."""
        return self.searcher.index

    @property
    def origin(self) -> SourceRecord:
        """Where the pictures came from; ``lookalike.wiring.open_origin`` opens it to read them again."""
        return self._record.source

    @property
    def settings(self) -> CollectionSettings:
        """How it is kept."""
        return self._record.settings

    @property
    def limits(self) -> ImageLimits:
        """What its pictures may cost: all of them passed this when they were indexed."""
        return ImageLimits(self.settings.max_bytes, self.settings.max_pixels)

    @property
    def encoder(self) -> Encoder:
        """The encoder that the vectors were made with, loaded now if it was not yet.

        Raises EncoderMismatchError if it can no longer be had as it was.
        """
        with self._encoder_lock:
            if self._encoder is None:
                port = load_encoder(self.manifest.encoder_request, self._encoders_dir)
                loaded_encoder = Encoder(port, encoders_dir=self._encoders_dir, limits=self._limits)
                self.check_encoder(loaded_encoder.spec)
                self._encoder = loaded_encoder
            return self._encoder

    @cached_property
    def calibration(self) -> Calibration | None:
        """What turns its scores into confidence: its own calibration, or else its encoder's; None if there is none.

        Read once, at the first question. Raises CalibrationInvalidError and CalibrationMismatchError.
        """
        return find_calibration(self.manifest.encoder, self._encoders_dir, self._layout)

    def threshold(self, value: float | None = None) -> Threshold:
        """From which normalised score on a neighbour is similar: ``value``, or else the calibrated one.

        Without either it is the default, and its ``source`` says so. Raises the errors of ``calibration``.
        """
        return Threshold.choose(value, self.calibration)

    def path(self, picture: Hit | ItemRecord) -> str:
        """The absolute path of a picture's file, as its source had it; in a zip ``/path/of.zip!/member``."""
        return find_path(picture.location, self.origin, self._layout)

    def items(self, where: Where | None = None) -> Iterator[ItemRecord]:
        """All items, or those that pass a filter, in the order in which they came; raises FilterInvalidError."""
        return self.searcher.items() if where is None else select_items(self, where).items()

    def stacks(
        self,
        *,
        group_by: str | None = None,
        stack: Literal["copies", "bursts"] | None = None,
        where: Where | None = None,
    ) -> Iterator[ItemStack]:
        """The items that pass as few: one for each value of a field, or for each stack, with how many there are.

        Of copies it is the one to keep, else the first that came; an item of no group is alone. Raises
        FilterInvalidError, also where nobody has searched for duplicates yet.
        """
        if (group_by is None) == (stack is None):
            refuse("stack", "give one of group_by and stack")
        if group_by is not None:
            grouping: Grouping = field_grouping(self.searcher, group_by)
        else:
            grouping = self.stacks_of(read_choice(StackKind, str(stack), "stack"))
        return read_stacks(self.searcher, grouping, where)

    def stacks_of(self, kind: StackKind) -> Stacks:
        """The stacks by the last search for duplicates, without what has changed since; raises FilterInvalidError."""
        return self._stack_cache.stacks(self._layout.root, self.searcher, kind)

    def export(
        self,
        out: str | os.PathLike[str],
        *,
        format: ExportFormatName | None = None,
        where: Where | None = None,
        fields: Sequence[str] | None = None,
        vectors: bool | None = None,
        absolute_paths: bool = False,
        hard_links: bool = False,
        force: bool = False,
    ) -> ExportResult:
        """Write its items with their metadata and vectors to a file, or with their pictures to a folder.

        ``format`` is jsonl, csv, parquet, imagefolder or fiftyone; without it the end of the name says which.
        docs/export-items.md says what each has, and what the other options do. Raises OutputExistsError,
        ExportInvalidError, FilterInvalidError, DiskFullError and DataPathError.
        """
        options = read_options(
            Path(out),
            format,
            fields,
            vectors=vectors,
            absolute_paths=absolute_paths,
            hard_links=hard_links,
            force=force,
        )
        return export_items(self, select_items(self, where), out, options)

    def page(self, *, after: int = 0, limit: int = 100) -> list[ItemRecord]:
        """So many items in that order, from the first whose ``id`` is above ``after``."""
        return self.searcher.page(after, limit)

    def check_rows(self) -> None:
        """Compare snapshot, index and catalogue rows with each other; raises SnapshotDamagedError."""
        self.searcher.check_rows()

    def check_encoder(self, spec: EncoderSpec) -> None:
        """Raise EncoderMismatchError unless an encoder of this spec makes vectors like the collection's."""
        request = self.manifest.encoder_request
        command = reencode_command(self._layout.name, self.origin, request, self.settings, self._layout.data)
        check_same_encoder(self._layout.name, self.manifest.encoder, spec, command=command)
