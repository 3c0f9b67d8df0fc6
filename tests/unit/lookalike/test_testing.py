"""The fakes that ship for users' tests are small, repeatable, and tell pictures apart."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from lookalike.encoder.base import RGB, Vectors
from lookalike.encoder.embed import encode_pictures
from lookalike.images import decode
from lookalike.testing import TinyEncoder, jpeg_bytes, make_picture


def test_a_hundred_pictures_are_told_apart() -> None:
    vectors = encode_pictures(TinyEncoder(), (make_picture(seed) for seed in range(100)))
    cosines = vectors @ vectors.T - 2 * np.eye(100)
    assert cosines.max() < 0.999


def test_the_same_seed_gives_the_same_picture_and_vector() -> None:
    for seed in (0, 7):
        np.testing.assert_array_equal(make_picture(seed, (50, 31)), make_picture(seed, (50, 31)))
    assert make_picture(0, (50, 31)).shape == (31, 50, 3)
    assert TinyEncoder().spec.digest == TinyEncoder().spec.digest != TinyEncoder(seed=1).spec.digest


def test_a_jpeg_of_a_picture_is_its_nearest_neighbour() -> None:
    pictures = [make_picture(seed) for seed in range(20)]
    copies = [decode(jpeg_bytes(seed)).pixels for seed in range(20)]
    encoder = TinyEncoder()
    cosines = encode_pictures(encoder, copies) @ encode_pictures(encoder, pictures).T
    assert list(cosines.argmax(axis=1)) == list(range(20))


@pytest.mark.parametrize("colour", [0, 124, 255])
def test_a_plain_picture_has_a_direction_too(colour: int) -> None:
    vector = encode_pictures(TinyEncoder(), [np.full((9, 9, 3), colour, np.uint8)])
    np.testing.assert_allclose(np.linalg.norm(vector), 1, atol=1e-6)


def test_the_fakes_need_no_torch() -> None:
    script = "import sys, lookalike.testing; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "False\n"


def test_pictures_may_come_one_at_a_time_and_are_taken_a_batch_at_a_time() -> None:
    taken = 0

    def pictures() -> Iterator[RGB]:
        nonlocal taken
        for seed in range(10):
            taken += 1
            yield make_picture(seed)

    class Watching(TinyEncoder):
        most = 0

        def forward(self, batch: RGB) -> Vectors:
            Watching.most = max(Watching.most, len(batch))
            return super().forward(batch)

    assert encode_pictures(Watching(), pictures(), batch_size=4).shape == (10, 32)
    assert (taken, Watching.most) == (10, 4)
