"""Where vectors without a collection are written: lines on stdout, a table as an export is, or an array of numpy."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import IO

from indexer.console.reporter import Reporter
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import ExportInvalidError, OutputExistsError
from lookalike.item_export.arrays import NpyWriter, keys_path
from lookalike.item_export.columns import ExportColumn, FieldChoice, find_columns
from lookalike.item_export.selection import ItemBlock
from lookalike.item_export.tables import CsvWriter, JsonLines, JsonLinesWriter, ParquetTableWriter, TableWriter
from lookalike.storage import disk_errors, sync_file, temporary_name

ARRAY_SUFFIX = ".npy"
OUTPUT_SUFFIXES = (".jsonl", ".ndjson", ".csv", ".parquet", ARRAY_SUFFIX)
WriteBlock = Callable[[ItemBlock], None]


def check_output(out: Path, force: bool) -> None:
    """Raise ExportInvalidError for an unknown ending, OutputExistsError for what would be replaced unasked."""
    if out.suffix.lower() not in OUTPUT_SUFFIXES:
        raise ExportInvalidError(
            f"{out} ends in none of {', '.join(OUTPUT_SUFFIXES)}: choose one of these", subject="out"
        )
    for path in _files(out):
        if path.exists() and not (force and path.is_file()):
            raise OutputExistsError(
                f"{path} is there already: choose another name, or ask for it to be replaced (--force)",
                subject=str(path),
            )


@contextmanager
def open_output(out: Path, spec: EncoderSpec) -> Iterator[WriteBlock]:
    """A context with what writes blocks of vectors; the file is there once it has ended without an error.

    Raises DiskFullError and DataPathError.
    """
    names = _files(out)
    temporary = [path.with_name(temporary_name(path.name, str(os.getpid()))) for path in names]
    with disk_errors(out):
        try:
            with ExitStack() as stack:
                files = [stack.enter_context(path.open("wb")) for path in temporary]
                table = stack.enter_context(closing(_open_table(out.suffix.lower(), files, spec)))
                yield table.write
            # The keys of an array first: where there is an array, they are there too.
            for path, name in reversed(list(zip(temporary, names, strict=True))):
                sync_file(path)
                path.replace(name)
        finally:
            for path in temporary:
                path.unlink(missing_ok=True)


def print_lines(reporter: Reporter) -> WriteBlock:
    """What writes blocks as answers: JSON lines."""
    objects = JsonLines(_columns(), has_all_metadata=False)

    def write(block: ItemBlock) -> None:
        for line in objects.lines(block):
            reporter.answer(line.decode().rstrip("\n"), **json.loads(line))

    return write


def _files(out: Path) -> list[Path]:
    return [out, keys_path(out)] if out.suffix.lower() == ARRAY_SUFFIX else [out]


def _open_table(suffix: str, files: Sequence[IO[bytes]], spec: EncoderSpec) -> TableWriter:
    if suffix == ARRAY_SUFFIX:
        return NpyWriter(files[0], files[1], spec.dimension)
    if suffix == ".parquet":
        origin = {"encoder": spec.name, "encoder_digest": spec.digest, "dimension": spec.dimension}
        return ParquetTableWriter(files[0], _columns(), spec.dimension, json.dumps(origin))
    if suffix == ".csv":
        return CsvWriter(files[0], _columns(), with_vectors=True)
    return JsonLinesWriter(files[0], JsonLines(_columns(), has_all_metadata=False))


def _columns() -> list[ExportColumn]:
    return find_columns(FieldChoice(metadata=()), (), {}, lambda item: item.location)
