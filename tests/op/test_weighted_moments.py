"""Weighted moments: a place counts by the energy of the deepest map's vector there, for every shape and layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pytest
import torch

from lookalike.encoder.network.operators import multiscale_moments, multiscale_moments_reference, require_operator
from lookalike.encoder.network.place_weights import place_weights
from lookalike.errors import OperatorError
from tests.op.maps import LAYOUTS, RESNET18, SIDES, VIEWS, maps_of, resnet_maps

LITE2 = [(24, 56, 56), (48, 28, 28), (120, 14, 14), (352, 7, 7)]
"""The maps (channels, height, width) of an EfficientNet-Lite2 of pictures of 224 pixels."""

Moments = Callable[..., torch.Tensor]


@pytest.fixture(autouse=True)
def operator() -> None:
    require_operator()


@pytest.fixture
def set_threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def weights_of(maps: Sequence[torch.Tensor]) -> list[npt.NDArray[np.float64]]:
    """What each place of each map counts, (n, H, W), place by place as the design says, in float64."""
    energies = np.square(maps[-1].double().numpy()).sum(axis=1)
    images, height, width = energies.shape
    weights = []
    for stage in maps:
        own_height, own_width = stage.shape[2:]
        own = np.zeros((images, own_height, own_width))
        for row in range(own_height):
            for column in range(own_width):
                own[:, row, column] = energies[:, row * height // own_height, column * width // own_width]
        weights.append(own / own.sum(axis=(1, 2), keepdims=True))
    return weights


def formula(maps: Sequence[torch.Tensor]) -> npt.NDArray[np.float64]:
    """Weighted means, then weighted deviations, stage after stage, in float64."""
    blocks = []
    for stage, weights in zip(maps, weights_of(maps), strict=True):
        numbers, shares = stage.double().numpy(), weights[:, None]
        means = (numbers * shares).sum(axis=(2, 3))
        variances = (np.square(numbers - means[:, :, None, None]) * shares).sum(axis=(2, 3))
        blocks += [means, np.sqrt(variances + 1e-6)]
    return np.concatenate(blocks, axis=1)


def assert_is_formula(maps: Sequence[torch.Tensor]) -> None:
    moments = multiscale_moments(maps, weighted=True)
    assert moments.dtype == torch.float32
    np.testing.assert_allclose(moments.numpy(), formula(maps), rtol=0, atol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("width", SIDES)
@pytest.mark.parametrize("height", SIDES)
def test_every_map_size_gives_the_formula(height: int, width: int, layout: torch.memory_format) -> None:
    # The deepest map is larger than the other in one direction or both in many of these.
    maps = maps_of(2, [(17, width, height), (3, height, width)])
    assert_is_formula([stage.to(memory_format=layout) for stage in maps])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 15, 16, 17, 31, 33, 64, 97, 300, 1031])
def test_every_channel_count_gives_the_formula(channels: int, layout: torch.memory_format) -> None:
    maps = maps_of(3, [(channels, 6, 9), (channels, 3, 4)])
    assert_is_formula([stage.to(memory_format=layout) for stage in maps])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("images", [0, 1, 7])
@pytest.mark.parametrize("shapes", [[(width, side, side) for width, side in RESNET18], LITE2], ids=["resnet", "lite"])
def test_every_batch_size_gives_the_formula(
    shapes: list[tuple[int, int, int]], images: int, layout: torch.memory_format
) -> None:
    maps = [stage.to(memory_format=layout) for stage in maps_of(images, shapes)]
    assert multiscale_moments(maps, weighted=True).shape == (images, 2 * sum(width for width, _, _ in shapes))
    if images > 0:
        assert_is_formula(maps)


@pytest.mark.parametrize("moments", [multiscale_moments, multiscale_moments_reference])
def test_a_place_counts_by_the_squared_length_of_the_deepest_maps_vector_over_it(moments: Moments) -> None:
    shallow = torch.tensor([[[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]]])
    deepest = torch.tensor([[[[0.0, 3.0]], [[0.0, -4.0]]]])  # of length 0 at the left and of 5 at the right
    # Only 3, 4, 7 and 8 lie under the right: their mean is 5.5, their variance (2.5² + 1.5² + 1.5² + 2.5²) / 4.
    expected = torch.tensor([[5.5, 4.250001**0.5, 3.0, -4.0, 1e-3, 1e-3]])
    torch.testing.assert_close(moments([shallow, deepest], weighted=True), expected, rtol=1e-6, atol=0)
    # A vector twice as long counts four times as much: means (1 + 4 · 6) / 5 and (1 + 4 · 2) / 5.
    pair = [torch.tensor([[[[1.0, 6.0]]]]), torch.tensor([[[[1.0, 2.0]]]])]
    expected = torch.tensor([[5.0, 4.000001**0.5, 1.8, 0.160001**0.5]])
    torch.testing.assert_close(moments(pair, weighted=True), expected, rtol=1e-6, atol=0)


def test_a_product_on_a_ground_has_the_means_of_the_product() -> None:
    ground, product = torch.full((1, 5, 32, 32), 7.0), torch.full((1, 5, 8, 8), -1.0)
    shallow = ground.clone()
    shallow[:, :, 8:16, 16:24] = product
    deepest = torch.zeros(1, 6, 4, 4)
    deepest[:, :, 1, 2] = 1
    moments = multiscale_moments([shallow, deepest], weighted=True)
    torch.testing.assert_close(moments[0, :10], torch.tensor([-1.0] * 5 + [1e-3] * 5), rtol=0, atol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("moments", [multiscale_moments, multiscale_moments_reference])
def test_all_places_count_alike_where_the_deepest_map_is_zero(moments: Moments, layout: torch.memory_format) -> None:
    maps = [stage.to(memory_format=layout) for stage in maps_of(3, LITE2)]
    maps[-1][1] = 0
    mixed = moments(maps, weighted=True)
    torch.testing.assert_close(mixed[1], moments(maps)[1], rtol=0, atol=1e-6)
    maps[-1][1] = 1  # for the formula above, which divides
    np.testing.assert_allclose(mixed.numpy()[[0, 2]], formula(maps)[[0, 2]], rtol=0, atol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("huge", [4e18, 1e19, 1e20])
@pytest.mark.parametrize("moments", [multiscale_moments, multiscale_moments_reference])
def test_all_places_count_alike_where_the_deepest_maps_energy_is_too_large_for_float32(
    moments: Moments, huge: float, layout: torch.memory_format
) -> None:
    maps = [stage.to(memory_format=layout) for stage in maps_of(3, LITE2)]
    plain = moments(maps)
    maps[-1][1] = huge
    maps[-1][1, :, 0, 0] = 1  # so that not all places count alike by themselves
    weighted = moments(maps, weighted=True)
    shallow = slice(0, 2 * (24 + 48 + 120))
    torch.testing.assert_close(weighted[1, shallow], plain[1, shallow], rtol=0, atol=1e-6)
    # Its own deviations may be beyond float32 as well, as they are without weights.
    torch.testing.assert_close(weighted[1, -2 * 352 : -352], maps[-1][1].mean(dim=(1, 2)), rtol=1e-5, atol=0)
    maps[-1][1] = 1  # for the formula above, which has no such limit
    np.testing.assert_allclose(weighted.numpy()[[0, 2]], formula(maps)[[0, 2]], rtol=0, atol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("fill", [0.25, 1e18])
def test_vectors_of_one_length_everywhere_are_no_weights(layout: torch.memory_format, fill: float) -> None:
    maps = [stage.to(memory_format=layout) for stage in maps_of(2, [(5, 30, 20)])]
    maps.append(torch.full((2, 1, 3, 2), fill))
    weighted, plain = multiscale_moments(maps, weighted=True), multiscale_moments(maps)
    torch.testing.assert_close(weighted[:, :10], plain[:, :10], rtol=0, atol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_plane_too_large_for_one_block_gives_the_formula(layout: torch.memory_format) -> None:
    maps = maps_of(1, [(3, 300, 301), (5, 129, 131)])
    assert_is_formula([stage.to(memory_format=layout) for stage in maps])


def test_stages_may_each_have_their_own_layout() -> None:
    maps = maps_of(2, LITE2)
    maps[1] = maps[1].to(memory_format=torch.channels_last)
    maps[3] = maps[3].to(memory_format=torch.channels_last)
    assert_is_formula(maps)


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_views_of_any_stride_give_the_formula(view: Callable[[torch.Tensor], torch.Tensor]) -> None:
    maps = maps_of(4, [(12, 9, 11), (7, 4, 5)])
    assert_is_formula([view(stage) for stage in maps])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("side", [3, 7, 56, 200])
def test_a_deviation_of_a_tenth_beside_a_mean_of_a_thousand_comes_out_right(
    side: int, layout: torch.memory_format
) -> None:
    noise, deepest = maps_of(2, [(20, side, side), (8, 3, 3)])
    maps = [(1000 + 0.1 * noise).to(memory_format=layout), deepest.to(memory_format=layout)]
    moments = multiscale_moments(maps, weighted=True).numpy()
    np.testing.assert_allclose(moments[:, :40], formula(maps)[:, :40], rtol=5e-4, atol=0)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("place", [0, -1])
def test_one_pixel_far_from_all_others_comes_out_right(place: int, layout: torch.memory_format) -> None:
    stage, deepest = maps_of(2, [(20, 57, 59), (8, 7, 7)])
    stage[:, :, place, place] = 1000
    maps = [stage.to(memory_format=layout), deepest.to(memory_format=layout)]
    np.testing.assert_allclose(multiscale_moments(maps, weighted=True).numpy(), formula(maps), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_row_does_not_depend_on_its_batch(layout: torch.memory_format) -> None:
    maps = [stage.to(memory_format=layout) for stage in resnet_maps(7)]
    together = multiscale_moments(maps, weighted=True)
    for image in range(7):
        alone = multiscale_moments([stage[image : image + 1] for stage in maps], weighted=True)
        assert torch.equal(alone[0], together[image])


@pytest.mark.parametrize("images", [1, 7, 70])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_row_does_not_depend_on_the_number_of_threads(
    images: int, layout: torch.memory_format, set_threads: Callable[[int], None]
) -> None:
    maps = [stage.to(memory_format=layout) for stage in maps_of(images, [(64, 28, 28), (200, 7, 7)])]
    results = []
    for threads in (1, 2, 3):
        set_threads(threads)
        results.append(multiscale_moments(maps, weighted=True))
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("moments", [multiscale_moments, multiscale_moments_reference])
def test_a_number_that_is_not_finite_stays_in_its_own_channel(moments: Moments, layout: torch.memory_format) -> None:
    maps = [stage.to(memory_format=layout) for stage in maps_of(3, [(6, 10, 10), (4, 5, 5)])]
    maps[0][1, 3, 4, 4] = float("nan")
    maps[1][2, 1, 0, 0] = float("nan")  # of the deepest map: that image's places all count alike
    expected = [[1, 3], [1, 9], [2, 13], [2, 17]]
    assert moments(maps, weighted=True).isnan().nonzero().tolist() == expected


def test_the_formula_in_pytorch_gives_the_same_numbers() -> None:
    for maps in (resnet_maps(3), maps_of(3, LITE2), maps_of(3, [(4, 3, 9), (5, 8, 2)])):
        difference = multiscale_moments(maps, weighted=True) - multiscale_moments_reference(maps, weighted=True)
        assert difference.abs().max() < 1e-6


def test_the_formulas_gradient_is_that_of_the_weights_too() -> None:
    maps = [stage.double().requires_grad_() for stage in maps_of(2, [(3, 5, 4), (2, 2, 3)])]

    def weighted_means(shallow: torch.Tensor, deepest: torch.Tensor) -> torch.Tensor:
        weights = place_weights([shallow, deepest])
        return torch.cat([(shallow * weights[0][:, None]).sum((2, 3)), (deepest * weights[1][:, None]).sum((2, 3))], 1)

    assert torch.autograd.gradcheck(weighted_means, maps)
    single = [stage.detach().float().requires_grad_() for stage in maps]
    moments = multiscale_moments_reference(single, weighted=True)
    means = torch.cat([moments[:, :3], moments[:, 6:8]], dim=1)
    slopes = torch.autograd.grad(means.square().sum(), single)
    exact = torch.autograd.grad(weighted_means(*maps).square().sum(), maps)
    for slope, expected in zip(slopes, exact, strict=True):
        torch.testing.assert_close(slope.double(), expected, rtol=1e-4, atol=1e-6)


def test_the_formula_has_a_gradient_where_the_deepest_map_is_zero() -> None:
    maps = [torch.rand(1, 3, 4, 4).requires_grad_(), torch.zeros(1, 2, 2, 2).requires_grad_()]
    slopes = torch.autograd.grad(multiscale_moments_reference(maps, weighted=True).sum(), maps)
    assert all(slope.isfinite().all() for slope in slopes)
    assert slopes[0].abs().min() > 0


def test_pytorch_accepts_the_operator() -> None:
    call = torch.ops.lookalike.multiscale_moments.default
    for weighted in (False, True):
        torch.library.opcheck(call, (maps_of(2, [(3, 5, 7), (4, 1, 2)]), weighted))
        torch.library.opcheck(call, (resnet_maps(0), weighted))
        torch.library.opcheck(
            call, ([stage.to(memory_format=torch.channels_last) for stage in resnet_maps(2)], weighted)
        )


@pytest.mark.parametrize("moments", [multiscale_moments, multiscale_moments_reference])
def test_a_wrong_map_is_refused_by_stage(moments: Moments) -> None:
    good = torch.zeros(2, 4, 3, 3)
    for maps, message in (
        ([], "at least one stage"),
        ([good, torch.zeros(4, 3, 3)], r"stage 2 of 2: expected 4 dimensions .* got 3: shape \(4, 3, 3\)"),
        ([good, good.double()], "stage 2 of 2: expected dtype float32, got .*(Double|float64)"),
        ([good, torch.zeros(3, 4, 3, 3)], "stage 2 of 2: expected 2 images as in stage 1, got 3: shape"),
        ([good, torch.zeros(2, 4, 0, 3)], r"stage 2 of 2: expected at least one pixel, got shape \(2, 4, 0, 3\)"),
    ):
        with pytest.raises(RuntimeError, match=f"multiscale_moments: .*{message}"):
            moments(maps, weighted=True)


def test_shapes_are_known_before_any_map_has_numbers() -> None:
    call = torch.ops.lookalike.multiscale_moments.default
    maps = [torch.zeros(2, 4, 3, 3, device="meta"), torch.zeros(2, 5, 1, 1, device="meta")]
    assert call(maps, True).shape == (2, 18)
    assert multiscale_moments(maps, weighted=True).device.type == "meta"


def test_recording_gradients_is_refused_with_the_way_out() -> None:
    with pytest.raises(OperatorError, match="multiscale_moments_reference"):
        multiscale_moments([torch.zeros(2, 4, 3, 3).requires_grad_()], weighted=True)
