"""The export of a collection's items into one file, or into a folder with their pictures.

What is written has a temporary name until it is complete, so that a reader sees all of it or nothing.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO

from lookalike.catalogue.records import ItemRecord
from lookalike.errors import ExportInvalidError, OutputExistsError
from lookalike.item_export.columns import ExportColumn, FieldChoice, find_columns, untyped_columns
from lookalike.item_export.folders import FiftyOneFolder, FolderWriter, ImageFolder
from lookalike.item_export.pictures import LeftOut, PictureFiles, PictureWriter
from lookalike.item_export.selection import ItemSelection
from lookalike.item_export.tables import (
    CsvWriter,
    JsonLines,
    JsonLinesWriter,
    ParquetTableWriter,
    TableWriter,
    import_pyarrow,
)
from lookalike.storage import disk_errors, staged_folder, sync_file, sync_folder, temporary_name

Progress = Callable[[int], None]
"""Called with the number of items that have been written since the last call."""
MARK = "lookalike.json"
"""The file by which an exported folder is known as one, and which says what it is of."""


class ExportFormat(StrEnum):
    """Kinds of exports.

    jsonl        a JSON object a line
    csv          a table for other programs, without types
    parquet      a table with types
    imagefolder  a folder of pictures with metadata.jsonl, as Hugging Face datasets loads it
    fiftyone     a data set of FiftyOne
    """

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    IMAGEFOLDER = "imagefolder"
    FIFTYONE = "fiftyone"

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder with the pictures."""
        return self in (ExportFormat.IMAGEFOLDER, ExportFormat.FIFTYONE)

    @property
    def has_vectors(self) -> bool:
        """Whether vectors are written if nothing is said of them."""
        return self in (ExportFormat.JSONL, ExportFormat.PARQUET)


_ENDINGS = {".jsonl": ExportFormat.JSONL, ".ndjson": ExportFormat.JSONL, ".csv": ExportFormat.CSV}
_ENDINGS |= {".parquet": ExportFormat.PARQUET}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """How items are exported.

    ``fields`` are those to write, None for all; ``vectors`` None is as the format has them. ``absolute_paths`` writes
    where files are on this machine, in place of their paths in the source. ``hard_links``: of pictures, where the disk
    allows it. ``force`` replaces a file, or a folder that was exported.
    """

    format: ExportFormat
    fields: tuple[str, ...] | None = None
    vectors: bool | None = None
    absolute_paths: bool = False
    hard_links: bool = False
    force: bool = False

    def __post_init__(self) -> None:
        """Raises ExportInvalidError for options that do not go together."""
        if self.hard_links and not self.format.is_folder:
            raise ExportInvalidError(
                f"hard links are of pictures, which {self.format} does not have: leave them out, or export to "
                "imagefolder or fiftyone",
                subject="hard_links",
            )

    @property
    def with_vectors(self) -> bool:
        """Whether vectors are written."""
        return self.format.has_vectors if self.vectors is None else self.vectors


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What was written: ``items`` is their number, ``bytes`` the size of the file, or of all files of the folder.

    ``left_out`` names up to 1000 of the ``left_out_count`` items whose picture could not be read; ``converted`` is how
    many pictures were written as PNG.
    """

    path: Path
    format: ExportFormat
    items: int
    bytes: int
    left_out: Sequence[LeftOut] = ()
    left_out_count: int = 0
    converted: int = 0


@dataclass(frozen=True, slots=True)
class ExportOrigin:
    """What an export is of: the state of the collection, and the encoder of the vectors."""

    collection: str
    snapshot: int
    change: int
    encoder: str
    encoder_digest: str
    dimension: int

    def fields(self) -> dict[str, object]:
        """As JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def format_of(out: Path) -> ExportFormat:
    """The format that the end of a file's name says; raises ExportInvalidError."""
    kind = _ENDINGS.get(out.suffix.lower())
    if kind is None:
        raise ExportInvalidError(
            f"{out} ends in none of {', '.join(_ENDINGS)}: choose a format, such as imagefolder for a folder",
            subject="format",
        )
    return kind


@dataclass(frozen=True, slots=True)
class ItemExport:
    """One export of ``selection``, with the ``fields`` that were chosen."""

    selection: ItemSelection
    origin: ExportOrigin
    pictures: PictureFiles
    options: ExportOptions
    progress: Progress = field(default=lambda _count: None)

    def write(self, out: Path) -> ExportResult:
        """Write the file or folder ``out``.

        Raises OutputExistsError, DiskFullError, DataPathError, ExportInvalidError, FilterInvalidError for a field that
        there is not, and SnapshotDamagedError where the rows have been removed meanwhile.
        """
        check_free(out, self.options)
        if self.options.format is ExportFormat.PARQUET:
            import_pyarrow()  # before all items are read for their types
        with disk_errors(out):
            return self._write_folder(out) if self.options.format.is_folder else self._write_table(out)

    def _write_table(self, out: Path) -> ExportResult:
        temporary = out.with_name(temporary_name(out.name, str(os.getpid())))
        try:
            with temporary.open("wb") as file, self._table(file) as table:
                for block in self.selection.blocks(with_vectors=self.options.with_vectors):
                    table.write(block)
                    self.progress(len(block.items))
            sync_file(temporary)
            check_free(out, self.options)
            temporary.replace(out)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(out.absolute().parent)
        return ExportResult(out, self.options.format, len(self.selection), out.stat().st_size)

    @contextmanager
    def _table(self, file: IO[bytes]) -> Iterator[TableWriter]:
        table = self._open_table(file)
        try:
            yield table
        except BaseException:
            with suppress(Exception):  # what ended the export is what is said
                table.close()
            raise
        table.close()

    def _open_table(self, file: IO[bytes]) -> TableWriter:
        choice = self._choice()
        if self.options.format is ExportFormat.JSONL:
            columns = untyped_columns(choice, self._locate)
            return JsonLinesWriter(file, JsonLines(columns, has_all_metadata=choice.metadata is None))
        if self.options.format is ExportFormat.CSV:
            return CsvWriter(file, self._columns(), self.options.with_vectors)
        dimension = self.origin.dimension if self.options.with_vectors else None
        return ParquetTableWriter(file, self._columns(), dimension, json.dumps(self.origin.fields()))

    def _write_folder(self, out: Path) -> ExportResult:
        columns = self._columns()
        kind = ImageFolder(columns) if self.options.format is ExportFormat.IMAGEFOLDER else FiftyOneFolder(columns)
        with staged_folder(out.absolute()) as stage:
            pictures = PictureWriter(self.pictures, stage / kind.pictures_folder, self.options.hard_links)
            with FolderWriter.open(kind, stage / kind.list_name, pictures) as folder:
                for block in self.selection.blocks(with_vectors=self.options.with_vectors):
                    folder.write(block)
                    self.progress(len(block.items))
            info = self.origin.fields()
            if isinstance(kind, FiftyOneFolder):
                (stage / kind.metadata_name).write_text(kind.metadata_text(self.origin.collection, info), "utf-8")
            (stage / MARK).write_text(json.dumps(info | {"format": self.options.format}, indent=1) + "\n", "utf-8")
            byte_count = sum(path.stat().st_size for path in stage.rglob("*") if path.is_file())
            check_free(out, self.options)
            _replace_folder(stage, out.absolute())
        return ExportResult(
            out,
            self.options.format,
            pictures.count,
            byte_count,
            folder.left_out,
            folder.left_out_count,
            pictures.converted_count,
        )

    def _columns(self) -> list[ExportColumn]:
        declared = self.selection.searcher.live_filter.declared
        return find_columns(self._choice(), self.selection.items(), declared, self._locate)

    def _choice(self) -> FieldChoice:
        return FieldChoice.of(self.options.fields, self.selection.searcher.live_filter.fields)

    def _locate(self, item: ItemRecord) -> str:
        return self.pictures.path(item) if self.options.absolute_paths else item.location


def check_free(out: Path, options: ExportOptions) -> None:
    """Raise OutputExistsError where there is something that the export would replace unasked, or should not at all."""
    if not out.exists():
        return
    is_export = out.is_file() if not options.format.is_folder else (out / MARK).is_file() or _is_empty(out)
    if options.force and is_export:
        return
    remedy = "choose another name, or ask for it to be replaced (--force)"
    if not is_export:
        remedy = "it was not exported, so it is not replaced: choose another name"
    raise OutputExistsError(f"{out} is there already: {remedy}", subject=str(out))


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and next(folder.iterdir(), None) is None


def _replace_folder(stage: Path, out: Path) -> None:
    """Put a complete folder in the place of another one; raises OSError."""
    if out.exists():
        old = stage.with_name(f"{stage.name}-old")
        out.rename(old)
        stage.rename(out)
        shutil.rmtree(old)
    else:
        stage.rename(out)
    sync_folder(out.parent)
