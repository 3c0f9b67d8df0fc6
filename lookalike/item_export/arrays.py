"""Vectors as one array of numpy, whose number of rows is known at the end only, and the keys of its rows beside it."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from lookalike.item_export.selection import ItemBlock


@dataclass
class NpyWriter:
    """Writes (n, D) float32 to ``file``, which has to be seekable, and a line with each key, as JSON, to ``keys``."""

    file: IO[bytes]
    keys: IO[bytes]
    dimension: int
    count: int = 0

    def __post_init__(self) -> None:
        self._header_bytes = self.file.write(self._header())

    def write(self, block: ItemBlock) -> None:
        """Write the vectors of a block, which has to have some; raises OSError."""
        assert block.vectors is not None
        self.file.write(np.ascontiguousarray(block.vectors, np.float32).tobytes())
        for item in block.items:
            self.keys.write(json.dumps(item.key, ensure_ascii=False).encode() + b"\n")
        self.count += len(block.items)

    def close(self) -> None:
        """Write the number of rows; raises OSError."""
        header = self._header()
        assert len(header) == self._header_bytes  # numpy leaves room for the first number of a shape to grow
        self.file.seek(0)
        self.file.write(header)
        self.file.seek(0, io.SEEK_END)

    def _header(self) -> bytes:
        header = io.BytesIO()
        shape = (self.count, self.dimension)
        fields = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float32)), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, fields)
        return header.getvalue()


def keys_path(out: Path) -> Path:
    """The file with the keys of an array: ``vectors.keys.jsonl`` of ``vectors.npy``."""
    return out.with_suffix(".keys.jsonl")
