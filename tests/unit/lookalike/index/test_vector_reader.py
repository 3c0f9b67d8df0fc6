"""Rows of a mapped file: the same numbers, through a mapping that is not read ahead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lookalike.index.base import Vectors
from lookalike.index.vector_reader import VectorReader


@pytest.fixture
def path(tmp_path: Path) -> Path:
    np.save(tmp_path / "vectors.npy", np.random.default_rng(1).standard_normal((3000, 40)).astype(np.float32))
    return tmp_path / "vectors.npy"


def flags(vectors: Vectors) -> list[str]:
    """What the system was told of the mapping that an array lies in."""
    inside = False
    for line in Path("/proc/self/smaps").read_text(encoding="ascii").splitlines():
        first = line.partition(" ")[0]
        if "-" in first and not first.endswith(":"):
            low, high = (int(part, 16) for part in first.split("-"))
            inside = low <= vectors.ctypes.data < high
        elif inside and line.startswith("VmFlags:"):
            return line.split()[1:]
    raise AssertionError("the array lies in no mapping")


def test_rows_of_a_mapped_file_are_the_same_and_nothing_is_read_ahead(path: Path) -> None:
    whole = np.load(path, mmap_mode="r")
    rows = VectorReader.open(np.asarray(whole))
    np.testing.assert_array_equal(rows.vectors, np.load(path))
    assert "rr" in flags(rows.vectors), "MADV_RANDOM"
    assert "rr" not in flags(np.asarray(whole)), "passes over all vectors are read ahead as before"


@pytest.mark.parametrize("part", [slice(0, 10), slice(17, 2000), slice(2999, 3000)])
def test_a_part_of_a_mapped_file_begins_where_it_did(path: Path, part: slice) -> None:
    whole = np.load(path, mmap_mode="r")
    np.testing.assert_array_equal(VectorReader.open(whole[part]).vectors, np.load(path)[part])
    np.testing.assert_array_equal(VectorReader.open(np.asarray(whole)[part]).vectors, np.load(path)[part])


def test_what_is_asked_for_ahead_is_there_afterwards_and_none_is_no_row(path: Path) -> None:
    rows = VectorReader.open(np.load(path, mmap_mode="r"))
    rows.prefetch(np.array([[0, 2999, -1], [-1, 5, 5]]))
    np.testing.assert_array_equal(rows.vectors[[0, 2999, 5]], np.load(path)[[0, 2999, 5]])


@pytest.mark.parametrize("count", [0, 5])
def test_vectors_in_memory_are_taken_as_they_are(count: int) -> None:
    vectors = np.ones((count, 4), np.float32)
    rows = VectorReader.open(vectors)
    assert rows.vectors is vectors
    rows.prefetch(np.arange(count))
