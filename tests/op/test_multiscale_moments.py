"""The compiled moments are the formula's for every shape and layout, and of numbers that lie far from zero."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pytest
import torch

from lookalike.encoder.network.operators import multiscale_moments, multiscale_moments_reference, require_operator
from lookalike.errors import OperatorError
from tests.op.maps import LAYOUTS, SIDES, VIEWS, maps_of, resnet_maps

Moments = Callable[[Sequence[torch.Tensor]], torch.Tensor]


@pytest.fixture(autouse=True)
def operator() -> None:
    require_operator()


@pytest.fixture
def all_threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def formula(maps: Sequence[torch.Tensor]) -> npt.NDArray[np.float64]:
    """Means, then deviations, stage after stage, in float64."""
    blocks = []
    for stage in maps:
        numbers = stage.double().numpy()
        blocks += [numbers.mean(axis=(2, 3)), np.sqrt(numbers.var(axis=(2, 3)) + 1e-6)]
    return np.concatenate(blocks, axis=1)


def assert_is_formula(maps: Sequence[torch.Tensor]) -> None:
    moments = multiscale_moments(maps)
    assert moments.dtype == torch.float32
    np.testing.assert_allclose(moments.numpy(), formula(maps), rtol=0, atol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("width", SIDES)
@pytest.mark.parametrize("height", SIDES)
def test_every_map_size_gives_the_formula(height: int, width: int, layout: torch.memory_format) -> None:
    maps = maps_of(2, [(3, height, width), (17, width, height)])
    assert_is_formula([stage.to(memory_format=layout) for stage in maps])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 15, 16, 17, 31, 33, 64, 97, 300, 1031])
def test_every_channel_count_gives_the_formula(channels: int, layout: torch.memory_format) -> None:
    (stage,) = maps_of(3, [(channels, 6, 9)])
    assert_is_formula([stage.to(memory_format=layout)])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("images", [0, 1, 7])
def test_every_batch_size_gives_the_formula(images: int, layout: torch.memory_format) -> None:
    maps = [stage.to(memory_format=layout) for stage in resnet_maps(images)]
    assert multiscale_moments(maps).shape == (images, 2 * (64 + 128 + 256 + 512))
    assert_is_formula(maps)


def test_means_then_deviations_stage_after_stage() -> None:
    maps = [torch.tensor([[[[1.0, 3.0]], [[5.0, 5.0]]]]), torch.tensor([[[[0.0], [0.0], [6.0]]]])]
    # Variances 1, 0 and ((0-2)^2 + (0-2)^2 + (6-2)^2) / 3 = 8, and 1e-6 more under each root.
    expected = torch.tensor([[2.0, 5.0, 1.000001**0.5, 1e-3, 2.0, 8.000001**0.5]])
    torch.testing.assert_close(multiscale_moments(maps), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_plane_too_large_for_one_block_gives_the_formula(layout: torch.memory_format) -> None:
    maps = maps_of(1, [(3, 300, 301), (5, 129, 131)])
    assert_is_formula([stage.to(memory_format=layout) for stage in maps])


def test_stages_may_each_have_their_own_layout() -> None:
    maps = resnet_maps(2)
    maps[1] = maps[1].to(memory_format=torch.channels_last)
    maps[3] = maps[3].to(memory_format=torch.channels_last)
    assert_is_formula(maps)


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_views_of_any_stride_give_the_formula(view: Callable[[torch.Tensor], torch.Tensor]) -> None:
    (stage,) = maps_of(4, [(12, 9, 11)])
    assert_is_formula([view(stage)])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("side", [3, 7, 56, 200])
def test_a_deviation_of_a_tenth_beside_a_mean_of_a_thousand_comes_out_right(
    side: int, layout: torch.memory_format
) -> None:
    (noise,) = maps_of(2, [(20, side, side)])
    maps = [(1000 + 0.1 * noise).to(memory_format=layout)]
    np.testing.assert_allclose(multiscale_moments(maps).numpy(), formula(maps), rtol=5e-4, atol=0)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("place", [0, -1])
def test_one_pixel_far_from_all_others_comes_out_right(place: int, layout: torch.memory_format) -> None:
    (stage,) = maps_of(2, [(20, 57, 59)])
    stage[:, :, place, place] = 1000
    maps = [stage.to(memory_format=layout)]
    np.testing.assert_allclose(multiscale_moments(maps).numpy(), formula(maps), rtol=1e-5, atol=0)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_row_does_not_depend_on_its_batch(layout: torch.memory_format) -> None:
    maps = [stage.to(memory_format=layout) for stage in resnet_maps(7)]
    together = multiscale_moments(maps)
    for image in range(7):
        alone = multiscale_moments([stage[image : image + 1] for stage in maps])
        assert torch.equal(alone[0], together[image])


@pytest.mark.parametrize("images", [1, 7, 70])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_row_does_not_depend_on_the_number_of_threads(
    images: int, layout: torch.memory_format, all_threads: Callable[[int], None]
) -> None:
    maps = [stage.to(memory_format=layout) for stage in maps_of(images, [(64, 28, 28), (200, 7, 7)])]
    results = []
    for threads in (1, 2, 3):
        all_threads(threads)
        results.append(multiscale_moments(maps))
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_number_that_is_not_finite_stays_in_its_own_channel(layout: torch.memory_format) -> None:
    (stage,) = maps_of(3, [(20, 5, 5)])
    stage[1, 3, 4, 4] = float("nan")
    moments = multiscale_moments([stage.to(memory_format=layout)])
    assert moments.isnan().nonzero().tolist() == [[1, 3], [1, 23]]


def test_the_formula_in_pytorch_gives_the_same_numbers() -> None:
    maps = resnet_maps(3)
    difference = multiscale_moments(maps) - multiscale_moments_reference(maps)
    assert difference.abs().max() < 1e-6


def test_pytorch_accepts_the_operator() -> None:
    call = torch.ops.lookalike.multiscale_moments.default
    torch.library.opcheck(call, (maps_of(2, [(3, 5, 7), (4, 1, 2)]),))
    torch.library.opcheck(call, (resnet_maps(0),))
    torch.library.opcheck(call, ([stage.to(memory_format=torch.channels_last) for stage in resnet_maps(2)],))


def good() -> torch.Tensor:
    return torch.zeros(2, 4, 3, 3)


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        ([], "at least one stage"),
        ([good(), torch.zeros(4, 3, 3)], r"stage 2 of 2: expected 4 dimensions .* got 3: shape \(4, 3, 3\)"),
        ([torch.zeros(())], "stage 1 of 1: expected 4 dimensions .* got 0"),
        ([good(), good().double()], "stage 2 of 2: expected dtype float32, got .*(Double|float64)"),
        ([good().half()], "stage 1 of 1: expected dtype float32"),
        ([good(), good(), torch.zeros(3, 4, 3, 3)], "stage 3 of 3: expected 2 images as in stage 1, got 3: shape"),
        ([torch.zeros(2, 0, 3, 3)], r"stage 1 of 1: expected at least one channel, got shape \(2, 0, 3, 3\)"),
        ([good(), torch.zeros(2, 4, 0, 3)], r"stage 2 of 2: expected at least one pixel, got shape \(2, 4, 0, 3\)"),
        ([torch.zeros(2, 4, 3, 0)], "stage 1 of 1: expected at least one pixel"),
    ],
)
@pytest.mark.parametrize("moments", [multiscale_moments, multiscale_moments_reference])
def test_a_wrong_map_is_refused_by_stage_with_what_was_expected_and_what_came(
    moments: Moments, maps: list[torch.Tensor], message: str
) -> None:
    with pytest.raises(RuntimeError, match=f"multiscale_moments: .*{message}"):
        moments(maps)


def test_shapes_are_checked_before_any_map_has_numbers() -> None:
    call = torch.ops.lookalike.multiscale_moments.default
    assert call([torch.zeros(2, 4, 3, 3, device="meta"), torch.zeros(2, 5, 1, 1, device="meta")]).shape == (2, 18)
    with pytest.raises(RuntimeError, match="stage 1 of 1: expected at least one pixel"):
        call([torch.zeros(2, 4, 3, 0, device="meta")])


def test_maps_on_another_device_are_left_to_the_formula() -> None:
    assert multiscale_moments([good().to("meta")]).device.type == "meta"


def test_recording_gradients_is_refused_with_the_way_out() -> None:
    maps = [good().requires_grad_()]
    with pytest.raises(OperatorError, match="multiscale_moments_reference"):
        multiscale_moments(maps)
    with torch.no_grad():
        assert multiscale_moments(maps).shape == (2, 8)
    # The means' slope is 1 / 9 a pixel; a flat channel's deviation has none.
    (slope,) = torch.autograd.grad(multiscale_moments_reference(maps).sum(), maps)
    assert torch.allclose(slope, torch.full_like(slope, 1 / 9))
