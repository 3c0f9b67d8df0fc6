"""How OpenVINO's runner cuts batches, and that callers at once get each their own vectors."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from lookalike.encoder.int8.artifact import read_quantised
from lookalike.encoder.runtimes.openvino_runtime import CHUNK_COSTS, OpenVinoRunner, chunk_sizes

INT8 = read_quantised("bundled-int8", Path())
MODEL, SIZE = INT8.model, INT8.spec.input_size


@pytest.mark.parametrize(
    ("pictures", "workers", "sizes"),
    [
        (1, 2, (1,)),
        (3, 2, (1, 1, 1)),
        (5, 2, (4, 1)),
        (7, 2, (4, 1, 1, 1)),
        (8, 2, (4, 4)),
        (8, 1, (8,)),
        (13, 1, (8, 4, 1)),
        (16, 2, (8, 8)),
        (32, 16, (1,) * 32),
        (64, 16, (4,) * 16),
    ],
)
def test_a_batch_is_cut_so_that_all_workers_have_done_first(
    pictures: int, workers: int, sizes: tuple[int, ...]
) -> None:
    assert chunk_sizes(pictures, workers) == sizes


def test_every_batch_is_cut_into_chunks_that_there_are_networks_for() -> None:
    for pictures in range(1, 70):
        for workers in (1, 2, 3, 8, 64):
            sizes = chunk_sizes(pictures, workers)
            assert sum(sizes) == pictures
            assert set(sizes) <= {1, 4, 8} == set(CHUNK_COSTS)


def test_callers_at_once_get_each_their_own_vectors() -> None:
    runner = OpenVinoRunner(MODEL)
    pictures = np.random.default_rng(0).integers(0, 256, (20, SIZE, SIZE, 3), np.uint8)
    alone = np.concatenate([runner.run(picture[None]) for picture in pictures])
    assert len(np.unique(alone.round(4), axis=0)) == 20
    found: dict[int, np.ndarray] = {}

    def call(count: int) -> None:
        found[count] = runner.run(pictures[:count])

    threads = [threading.Thread(target=call, args=(count,)) for count in (20, 13, 9, 5, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [2, 5, 9, 13, 20]
    for count, vectors in found.items():
        np.testing.assert_allclose(vectors, alone[:count], atol=2e-3)


def test_a_chunk_that_fails_leaves_room_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = OpenVinoRunner(MODEL)
    pictures = np.zeros((6, SIZE, SIZE, 3), np.uint8)
    before = runner.run(pictures)
    wrong = np.zeros((6, SIZE, SIZE - 44, 3), np.uint8)
    for _ in range(10):
        with pytest.raises(ValueError, match="broadcast"):
            runner.run(wrong)
    np.testing.assert_allclose(runner.run(pictures), before, atol=1e-6)
