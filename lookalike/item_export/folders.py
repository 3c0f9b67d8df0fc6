"""Folders of pictures with what is known of them, as other programs read them: Hugging Face datasets, and FiftyOne.

Both are written without these programs, by what their documentation says:
https://huggingface.co/docs/datasets/image_load and https://docs.voxel51.com/user_guide/import_datasets.html.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Protocol

import msgspec

from lookalike.catalogue.records import ItemRecord, MetadataValue
from lookalike.index.base import Vectors
from lookalike.item_export.columns import ExportColumn
from lookalike.item_export.pictures import LeftOut, PictureWriter
from lookalike.item_export.selection import ItemBlock
from lookalike.item_export.tables import vector_text
from lookalike.sources.manifest_rows import MEASURED_COLUMNS, VECTOR_COLUMN

_LARGEST_LEFT_OUT = 1000
"""So many pictures that are left out are named."""
_encoder = msgspec.json.Encoder()


class FolderFormat(Protocol):
    """How a kind of folder lists its pictures."""

    pictures_folder: str
    """Where they are, below the folder."""

    def begin(self, file: IO[bytes]) -> None:
        """Write what is before the first picture."""

    def write(self, file: IO[bytes], name: str, item: ItemRecord, vector: Vectors | None) -> None:
        """Write what is known of a picture; ``name`` is its file below ``pictures_folder``."""

    def end(self, file: IO[bytes]) -> None:
        """Write what is after the last picture."""


@dataclass
class FolderWriter:
    """Writes pictures and their list into ``folder``, block by block."""

    format: FolderFormat
    pictures: PictureWriter
    file: IO[bytes]
    left_out: list[LeftOut] = field(default_factory=list)
    left_out_count: int = 0

    @classmethod
    @contextmanager
    def open(cls, format: FolderFormat, list_file: Path, pictures: PictureWriter) -> Iterator[FolderWriter]:
        """A context with the writer; the list is complete behind it. Raises OSError."""
        pictures.folder.mkdir(parents=True, exist_ok=True)
        with list_file.open("wb") as file:
            format.begin(file)
            yield cls(format, pictures, file)
            format.end(file)

    def write(self, block: ItemBlock) -> None:
        """Write the pictures of a block; those that cannot be read are left out, and counted. Raises OSError."""
        for number, item in enumerate(block.items):
            name = self.pictures.write(item)
            if isinstance(name, str):
                self.format.write(self.file, name, item, None if block.vectors is None else block.vectors[number])
                continue
            self.left_out_count += 1
            if len(self.left_out) < _LARGEST_LEFT_OUT:
                self.left_out.append(LeftOut(item.key, name))


class ImageFolder:
    """An image folder of Hugging Face datasets with one split: ``train/metadata.jsonl`` beside the pictures.

    Every line has every column, as the types of a data set are those of its first lines. A column whose name would be
    taken for that of a picture gets a ``_`` behind it.
    """

    pictures_folder = "train"
    list_name = "train/metadata.jsonl"

    def __init__(self, columns: Sequence[ExportColumn]) -> None:
        names = _dataset_names([column.name for column in columns])
        self._columns = [replace(column, name=names[column.name]) for column in columns]

    def begin(self, file: IO[bytes]) -> None:
        """Nothing is before."""

    def write(self, file: IO[bytes], name: str, item: ItemRecord, vector: Vectors | None) -> None:
        """See the port."""
        row: dict[str, MetadataValue | msgspec.Raw] = {"file_name": name}
        row |= {column.name: column.fit(item) for column in self._columns}
        if vector is not None:
            row[VECTOR_COLUMN] = msgspec.Raw(vector_text(vector).encode())
        file.write(_encoder.encode(row) + b"\n")

    def end(self, file: IO[bytes]) -> None:
        """Nothing is behind."""


class FiftyOneFolder:
    """A data set of FiftyOne: ``samples.json`` and ``metadata.json`` beside ``data/``.

    It has the format without a schema, in which a sample is a JSON object, and whose fields get their types from their
    values when it is imported. Names that a field may not have are changed; ``field_names`` has all by column.
    """

    pictures_folder = "data"
    list_name = "samples.json"
    metadata_name = "metadata.json"

    def __init__(self, columns: Sequence[ExportColumn]) -> None:
        self.field_names = _sample_names([column.name for column in columns])
        self._columns = columns
        self._is_first = True

    def begin(self, file: IO[bytes]) -> None:
        """See the port."""
        file.write(b'{"samples":[')

    def write(self, file: IO[bytes], name: str, item: ItemRecord, vector: Vectors | None) -> None:
        """See the port."""
        draft = item.draft
        sample: dict[str, object] = {
            "filepath": f"{self.pictures_folder}/{name}",
            "tags": [],
            "metadata": {
                "_cls": "ImageMetadata",
                "size_bytes": draft.byte_size,
                "mime_type": None,
                "width": draft.width,
                "height": draft.height,
                "num_channels": None,
            },
        }
        values = {self.field_names[column.name]: column.fit(item) for column in self._columns}
        sample |= {name: value for name, value in values.items() if value is not None}
        if vector is not None:
            sample[self.vector_name] = msgspec.Raw(vector_text(vector).encode())
        file.write((b"" if self._is_first else b",") + b"\n" + _encoder.encode(sample))
        self._is_first = False

    def end(self, file: IO[bytes]) -> None:
        """See the port."""
        file.write(b"\n]}\n")

    @property
    def vector_name(self) -> str:
        """The field of the vectors, if there are any."""
        name = VECTOR_COLUMN.lstrip("_")
        while name in self.field_names.values():
            name += "_"
        return name

    def metadata_text(self, name: str, info: dict[str, object]) -> str:
        """The content of ``metadata.json``: the name of the data set, and what is known of it."""
        columns = {field_name: column for column, field_name in self.field_names.items() if column != field_name}
        content = {"name": name, "media_type": "image", "info": info | {"columns": columns}}
        return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


_PICTURE_NAMES = re.compile(r"images?|(.*_)?file_names?")
_SAMPLE_NAMES = frozenset(
    {
        "id", "filepath", "filename", "tags", "metadata", "created_at", "last_modified_at", "media_type", "frames",
        "dataset", "dataset_id", "field_names", "in_dataset", "in_db", "rand", "sample_id", "group",
    }
)  # fmt: skip
"""Names of what every sample has."""


def _dataset_names(columns: Sequence[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for column in columns:
        name = column
        while _PICTURE_NAMES.fullmatch(name) or (name != column and name in columns) or name in names.values():
            name += "_"
        names[column] = name
    return names


def _sample_names(columns: Sequence[str]) -> dict[str, str]:
    """For each column the name of its field: letters, digits and underscores, and no underscore in front."""
    measured = {column: name for name, column in MEASURED_COLUMNS.items()}
    names: dict[str, str] = {}
    for column in columns:
        name = re.sub(r"\W", "_", measured.get(column, column)).lstrip("_") or "field"
        while name in _SAMPLE_NAMES or name in names.values() or name[0].isdigit():
            name = f"field_{name}" if name[0].isdigit() else f"{name}_"
        names[column] = name
    return names
