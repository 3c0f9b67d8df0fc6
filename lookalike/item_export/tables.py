"""Tables of items, written block by block: JSON lines, CSV and Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from typing import IO, TYPE_CHECKING, Protocol

import msgspec
import numpy as np

from lookalike.catalogue.records import ItemRecord, MetadataValue
from lookalike.errors import ExportInvalidError
from lookalike.index.base import Vectors
from lookalike.item_export.columns import ColumnType, ExportColumn, column_title
from lookalike.item_export.selection import ItemBlock
from lookalike.sources.manifest_rows import VECTOR_COLUMN

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

_FLOAT32 = "%.9g".__mod__
"""Nine digits are enough to read the same float32 again."""


class TableWriter(Protocol):
    """Writes blocks of items to the file that it was made with."""

    def write(self, block: ItemBlock) -> None:
        """Write the items of a block; raises OSError."""

    def close(self) -> None:
        """Write what is left; raises OSError. The file stays open."""


@dataclass
class JsonLines:
    """Makes a JSON object of an item, each value in the type that it has.

    Without ``has_all_metadata``, of metadata only those among the ``columns``; a column that an item has no value of
    is left out of its line.
    """

    columns: Sequence[ExportColumn]
    has_all_metadata: bool
    _encoder: msgspec.json.Encoder = field(default_factory=msgspec.json.Encoder)

    def lines(self, block: ItemBlock) -> Iterator[bytes]:
        """A line for each item of a block."""
        for number, item in enumerate(block.items):
            yield self._line(item, None if block.vectors is None else block.vectors[number])

    def _line(self, item: ItemRecord, vector: Vectors | None) -> bytes:
        row: dict[str, MetadataValue | msgspec.Raw] = {
            column.name: value for column in self.columns if (value := column.read(item)) is not None
        }
        if self.has_all_metadata:
            row |= {column_title(name): value for name, value in item.metadata.items()}
        if vector is not None:
            row[VECTOR_COLUMN] = msgspec.Raw(vector_text(vector).encode())
        return self._encoder.encode(row) + b"\n"


@dataclass
class JsonLinesWriter:
    """A JSON object a line."""

    file: IO[bytes]
    objects: JsonLines

    def write(self, block: ItemBlock) -> None:
        """See the port."""
        self.file.writelines(self.objects.lines(block))

    def close(self) -> None:
        """Nothing is left."""


@dataclass
class CsvWriter:
    """A header, and a row an item: lists as arrays of JSON, booleans as true and false, nothing for no value."""

    file: IO[bytes]
    columns: Sequence[ExportColumn]
    with_vectors: bool

    def __post_init__(self) -> None:
        self._text = io.TextIOWrapper(self.file, encoding="utf-8", newline="", write_through=True)
        self._rows = csv.writer(self._text, lineterminator="\n")
        names = [column.name for column in self.columns]
        self._rows.writerow([*names, VECTOR_COLUMN] if self.with_vectors else names)

    def write(self, block: ItemBlock) -> None:
        """See the port."""
        for number, item in enumerate(block.items):
            cells = [_cell(column.read(item)) for column in self.columns]
            if block.vectors is not None:
                cells.append(vector_text(block.vectors[number]))
            self._rows.writerow(cells)

    def close(self) -> None:
        """See the port."""
        self._text.detach()


class ParquetTableWriter:
    """A Parquet file with a row group a block; vectors are fixed-size lists of float32. Needs pyarrow."""

    def __init__(self, file: IO[bytes], columns: Sequence[ExportColumn], dimension: int | None, origin: str) -> None:
        """``dimension`` is that of the vectors, None without them; ``origin`` is stored as the key ``lookalike``.

        Raises ExportInvalidError where pyarrow is not installed.
        """
        self._columns = columns
        self._dimension = dimension
        self._arrow = import_pyarrow()
        arrow = self._arrow
        fields = [arrow.field(column.name, _arrow_type(column, arrow)) for column in columns]
        if dimension is not None:
            fields.append(arrow.field(VECTOR_COLUMN, arrow.list_(arrow.float32(), dimension)))
        self._schema = arrow.schema(fields, metadata={"lookalike": origin})
        self._writer = _open_writer(file, self._schema, [column.name for column in columns])

    def write(self, block: ItemBlock) -> None:
        """See the port."""
        arrow = self._arrow
        arrays: list[pa.Array] = [
            arrow.array([column.fit(item) for item in block.items], self._schema.field(number).type)
            for number, column in enumerate(self._columns)
        ]
        if block.vectors is not None:
            numbers = arrow.array(np.ascontiguousarray(block.vectors, np.float32).reshape(-1))
            arrays.append(arrow.FixedSizeListArray.from_arrays(numbers, self._dimension))
        self._writer.write_table(arrow.Table.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        """See the port."""
        self._writer.close()


def import_pyarrow() -> ModuleType:
    """The module; raises ExportInvalidError, which says how to install it."""
    try:
        return import_module("pyarrow")
    except ImportError as error:
        message = "for Parquet files pyarrow is needed: run `pip install pyarrow`, or choose jsonl or csv"
        raise ExportInvalidError(message, subject="pyarrow") from error


def vector_text(vector: Vectors) -> str:
    """A vector as an array of JSON from which the same float32 are read again."""
    return f"[{','.join(map(_FLOAT32, vector.tolist()))}]"


def _cell(value: MetadataValue) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            # Not 1e-05: who reads the table again takes that for text.
            return str(np.format_float_positional(value, trim="0"))
        case list():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


def _open_writer(file: IO[bytes], schema: pa.Schema, repeated_columns: list[str]) -> ParquetWriter:
    from pyarrow.parquet import ParquetWriter

    # Vectors have few equal numbers: a dictionary of them is work for nothing.
    return ParquetWriter(file, schema, compression="zstd", use_dictionary=repeated_columns)


def _arrow_type(column: ExportColumn, arrow: ModuleType) -> pa.DataType:
    makers: dict[ColumnType, Callable[[], pa.DataType]] = {
        ColumnType.BOOLEAN: arrow.bool_,
        ColumnType.INTEGER: arrow.int64,
        ColumnType.NUMBER: arrow.float64,
        ColumnType.TEXT: arrow.string,
    }
    element = makers[column.type]()
    return arrow.list_(element) if column.in_list else element
