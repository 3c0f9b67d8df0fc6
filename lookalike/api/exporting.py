"""What ``Collection`` does to be exported."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

from lookalike.catalogue.records import ItemRecord, SourceRecord
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.searcher import Searcher
from lookalike.collection.snapshot_manifest import Manifest
from lookalike.errors import ExportInvalidError
from lookalike.filters import Where
from lookalike.item_export.export import (
    ExportFormat,
    ExportOptions,
    ExportOrigin,
    ExportResult,
    ItemExport,
    Progress,
    format_of,
)
from lookalike.item_export.pictures import PictureFiles
from lookalike.item_export.selection import ItemSelection
from lookalike.options import ImageLimits
from lookalike.wiring import open_origin


class ExportedCollection(Protocol):
    """What is used here of ``Collection``."""

    searcher: Searcher

    @property
    def layout(self) -> CollectionLayout: ...

    @property
    def manifest(self) -> Manifest: ...

    @property
    def origin(self) -> SourceRecord: ...

    @property
    def limits(self) -> ImageLimits: ...

    def path(self, picture: ItemRecord) -> str: ...


def select_items(collection: ExportedCollection, where: Where | None) -> ItemSelection:
    """The items that pass a filter, or all; raises FilterInvalidError."""
    searcher = collection.searcher
    return ItemSelection.of(searcher, None if where is None else searcher.condition(where))


def read_options(
    out: Path,
    format: str | None,
    fields: Sequence[str] | None,
    *,
    vectors: bool | None,
    absolute_paths: bool,
    hard_links: bool,
    force: bool,
) -> ExportOptions:
    """The options of an export; raises ExportInvalidError for a format that there is not."""
    try:
        kind = format_of(out) if format is None else ExportFormat(format)
    except ValueError as error:
        message = f"{format!r} is no format of exports; there are: {', '.join(ExportFormat)}"
        raise ExportInvalidError(message, subject="format") from error
    return ExportOptions(
        format=kind,
        fields=None if fields is None else tuple(fields),
        vectors=vectors,
        absolute_paths=absolute_paths,
        hard_links=hard_links,
        force=force,
    )


def export_items(
    collection: ExportedCollection,
    selection: ItemSelection,
    out: str | os.PathLike[str],
    options: ExportOptions,
    progress: Progress | None = None,
) -> ExportResult:
    """Write the selected items of a collection; raises what ``ItemExport.write`` does."""
    manifest = collection.manifest
    origin = ExportOrigin(
        manifest.collection,
        manifest.generation,
        collection.searcher.overlay.change,
        manifest.encoder.name,
        manifest.encoder.digest,
        manifest.dimension,
    )
    with closing(open_origin(collection.origin, collection.layout)) as source:
        pictures = PictureFiles(source.read, collection.path, collection.limits)
        export = ItemExport(selection, origin, pictures, options, progress or (lambda _count: None))
        return export.write(Path(out))
