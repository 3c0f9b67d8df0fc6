"""Channel sums are exact, whatever the size, strides and writability of the pictures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import torch

from lookalike.encoder.network.operators import channel_moments, channel_moments_reference, require_operator

Pictures = npt.NDArray[np.uint8]
SIDES = (1, 2, 5, 7, 13, 40, 100)


@pytest.fixture(autouse=True)
def operator() -> None:
    require_operator()


def formula(images: Pictures) -> list[list[int]]:
    """Exact sums and sums of squares, in integers without a limit."""
    channels = [images[..., channel].reshape(-1).astype(object) for channel in range(3)]
    return [[int((values**power).sum()) for values in channels] for power in (1, 2)]


def pictures(*shape: int) -> Pictures:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("width", SIDES)
@pytest.mark.parametrize("height", SIDES)
@pytest.mark.parametrize("moments", [channel_moments, channel_moments_reference])
def test_every_size_is_exact(moments: Callable[[Pictures], npt.NDArray[np.float64]], height: int, width: int) -> None:
    images = pictures(3, height, width, 3)
    assert moments(images).tolist() == formula(images)


@pytest.mark.parametrize("moments", [channel_moments, channel_moments_reference])
def test_sums_beyond_32_bits_are_exact(moments: Callable[[Pictures], npt.NDArray[np.float64]]) -> None:
    images = np.full((3, 1024, 1024, 3), 255, dtype=np.uint8)
    count = 3 * 1024 * 1024
    assert moments(images).tolist() == [[255 * count] * 3, [255 * 255 * count] * 3]


@pytest.mark.parametrize("moments", [channel_moments, channel_moments_reference])
@pytest.mark.parametrize("shape", [(0, 5, 5, 3), (2, 0, 5, 3), (2, 5, 0, 3)])
def test_no_pixels_sum_to_nothing(
    moments: Callable[[Pictures], npt.NDArray[np.float64]], shape: tuple[int, ...]
) -> None:
    assert moments(np.zeros(shape, dtype=np.uint8)).tolist() == [[0.0] * 3, [0.0] * 3]


def test_pictures_that_are_views_or_may_not_be_written_are_read_all_the_same() -> None:
    images = pictures(4, 9, 11, 3)
    expected = formula(images[::2, ::-1, 1:])
    assert channel_moments(images[::2, ::-1, 1:]).tolist() == expected
    images.flags.writeable = False
    assert channel_moments(images).tolist() == formula(images)


def test_any_number_of_threads_gives_the_same_sums() -> None:
    images = pictures(2, 400, 400, 3)
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            assert channel_moments(images).tolist() == formula(images)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("moments", [channel_moments, channel_moments_reference])
@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 4, 4, 3), dtype=np.float32), "expected dtype uint8, got float32"),
        (np.zeros((4, 4, 3), dtype=np.uint8), r"expected shape \(images, height, width, 3\), got \(4, 4, 3\)"),
        (np.zeros((2, 4, 4, 4), dtype=np.uint8), r"got \(2, 4, 4, 4\)"),
    ],
)
def test_a_wrong_array_is_refused_with_what_was_expected_and_what_came(
    moments: Callable[[Pictures], npt.NDArray[np.float64]], images: Pictures, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        moments(images)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(2, 4, 4, 3), "expected dtype uint8, got Float"),
        (torch.zeros(4, 4, 3, dtype=torch.uint8), r"expected shape .* got \(4, 4, 3\)"),
        (torch.zeros(2, 4, 4, 4, dtype=torch.uint8), r"got \(2, 4, 4, 4\)"),
    ],
)
def test_the_operator_itself_refuses_a_wrong_tensor(images: torch.Tensor, message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        torch.ops.lookalike.channel_moments.default(images)


def test_pytorch_accepts_the_operator() -> None:
    call = torch.ops.lookalike.channel_moments.default
    torch.library.opcheck(call, (torch.from_numpy(pictures(2, 7, 5, 3)),))
    torch.library.opcheck(call, (torch.from_numpy(pictures(2, 7, 5, 3)).transpose(1, 2),))
