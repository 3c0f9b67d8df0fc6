"""The compiled fusion gives the formula's numbers for every shape and layout, and refuses what it cannot fuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pytest
import torch

from lookalike.encoder.network.operators import multiscale_fuse, multiscale_fuse_reference, require_operator
from lookalike.errors import OperatorError
from tests.op.maps import LAYOUTS, SIDES, VIEWS, maps_of, resnet_maps

Vectors = npt.NDArray[np.float64]


@pytest.fixture(autouse=True)
def operator() -> None:
    require_operator()


@pytest.fixture
def all_threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def formula(maps: Sequence[torch.Tensor], dimension: int, normalize: bool = True) -> Vectors:
    """Pool, expand, average, normalise, in float64 and one number at a time where it matters."""
    expanded = []
    for stage in maps:
        pooled = stage.double().numpy().mean(axis=(2, 3))
        channels = pooled.shape[1]
        expanded.append(pooled[:, [j * channels // dimension for j in range(dimension)]])
    fused: Vectors = np.mean(expanded, axis=0)
    if normalize:
        fused = fused / np.maximum(np.linalg.norm(fused, axis=1, keepdims=True), 1e-12)
    return fused


def assert_is_formula(maps: Sequence[torch.Tensor], dimension: int, normalize: bool = True) -> None:
    fused = multiscale_fuse(maps, dimension, normalize)
    assert fused.dtype == torch.float32
    np.testing.assert_allclose(fused.numpy(), formula(maps, dimension, normalize), rtol=0, atol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("width", SIDES)
@pytest.mark.parametrize("height", SIDES)
def test_every_map_size_gives_the_formula(height: int, width: int, layout: torch.memory_format) -> None:
    maps = [stage.to(memory_format=layout) for stage in maps_of(2, [(3, height, width), (17, width, height)])]
    assert_is_formula(maps, 29)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 15, 16, 17, 31, 33, 64, 97, 300, 1031])
def test_every_channel_count_gives_the_formula(channels: int, layout: torch.memory_format) -> None:
    (stage,) = maps_of(3, [(channels, 6, 9)])
    assert_is_formula([stage.to(memory_format=layout)], 1031)


@pytest.mark.parametrize("dimension", [64, 65, 100, 127, 128, 192, 256, 512, 1000, 1024])
def test_expansion_repeats_neighbours_also_where_channels_do_not_divide_the_dimension(dimension: int) -> None:
    assert_is_formula(maps_of(2, [(7, 3, 3), (32, 2, 2), (64, 5, 5)]), dimension)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("images", [0, 1, 2, 3, 8, 33])
def test_every_batch_size_gives_the_formula(images: int, normalize: bool) -> None:
    assert_is_formula(resnet_maps(images), 512, normalize)


def test_a_plane_too_large_for_one_block_gives_the_formula() -> None:
    assert_is_formula(maps_of(1, [(3, 300, 301), (5, 129, 131)]), 5)


def test_stages_may_each_have_their_own_layout() -> None:
    maps = resnet_maps(2)
    maps[1] = maps[1].to(memory_format=torch.channels_last)
    maps[3] = maps[3].to(memory_format=torch.channels_last)
    assert_is_formula(maps, 512)


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_views_of_any_stride_give_the_formula(view: Callable[[torch.Tensor], torch.Tensor]) -> None:
    (stage,) = maps_of(4, [(12, 9, 11)])
    assert_is_formula([view(stage)], 24)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_vector_does_not_depend_on_its_batch(layout: torch.memory_format) -> None:
    maps = [stage.to(memory_format=layout) for stage in resnet_maps(9)]
    together = multiscale_fuse(maps, 512)
    for image in range(9):
        alone = multiscale_fuse([stage[image : image + 1] for stage in maps], 512)
        assert torch.equal(alone[0], together[image])


@pytest.mark.parametrize("images", [1, 2, 33])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_vector_does_not_depend_on_the_number_of_threads(
    images: int, layout: torch.memory_format, all_threads: Callable[[int], None]
) -> None:
    maps = [stage.to(memory_format=layout) for stage in resnet_maps(images)]
    results = []
    for threads in (1, 2, 3):
        all_threads(threads)
        results.append(multiscale_fuse(maps, 512))
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_maps_of_nothing_but_zeros_give_zeros() -> None:
    assert torch.equal(multiscale_fuse([torch.zeros(2, 4, 3, 3)], 8), torch.zeros(2, 8))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_number_that_is_not_finite_stays_in_its_own_image(layout: torch.memory_format) -> None:
    maps = [stage.to(memory_format=layout) for stage in maps_of(3, [(20, 5, 5)])]
    maps[0][1, 3, 4, 4] = float("nan")
    fused = multiscale_fuse(maps, 20)
    assert fused[1].isnan().any()
    assert fused[[0, 2]].isfinite().all()


def test_the_formula_in_pytorch_gives_the_same_numbers() -> None:
    maps = resnet_maps(3)
    difference = multiscale_fuse(maps, 512) - multiscale_fuse_reference(maps, 512)
    assert difference.abs().max() < 1e-6


def test_expansion_is_repeat_interleave_where_channels_divide_the_dimension() -> None:
    (stage,) = maps_of(2, [(64, 4, 4)])
    expected = stage.mean(dim=(2, 3)).repeat_interleave(8, dim=1)
    torch.testing.assert_close(multiscale_fuse([stage], 512, normalize=False), expected, rtol=0, atol=1e-6)


def test_pytorch_accepts_the_operator() -> None:
    call = torch.ops.lookalike.multiscale_fuse.default
    for maps, dimension in ((maps_of(2, [(3, 5, 7), (4, 1, 2)]), 11), (resnet_maps(1), 512)):
        torch.library.opcheck(call, (maps, dimension))
        torch.library.opcheck(call, (maps, dimension, False))
    torch.library.opcheck(call, ([stage.to(memory_format=torch.channels_last) for stage in resnet_maps(2)], 512))


def good() -> torch.Tensor:
    return torch.zeros(2, 4, 3, 3)


@pytest.mark.parametrize(
    ("maps", "dimension", "message"),
    [
        ([], 8, "at least one stage"),
        ([good()], 0, "dimension of at least 1, got 0"),
        ([good(), torch.zeros(4, 3, 3)], 8, r"stage 2 of 2: expected 4 dimensions .* got 3: shape \(4, 3, 3\)"),
        ([torch.zeros(())], 8, "stage 1 of 1: expected 4 dimensions .* got 0"),
        ([good(), good().double()], 8, "stage 2 of 2: expected dtype float32, got .*(Double|float64)"),
        ([good().half()], 8, "stage 1 of 1: expected dtype float32"),
        ([good(), good(), torch.zeros(3, 4, 3, 3)], 8, "stage 3 of 3: expected 2 images as in stage 1, got 3: shape"),
        ([good(), torch.zeros(2, 9, 3, 3)], 8, "stage 2 of 2: expected 1 to 8 channels .*got 9"),
        ([torch.zeros(2, 0, 3, 3)], 8, "stage 1 of 1: expected 1 to 8 channels .*got 0"),
        ([good(), torch.zeros(2, 4, 0, 3)], 8, r"stage 2 of 2: expected at least one pixel, got shape \(2, 4, 0, 3\)"),
        ([torch.zeros(2, 4, 3, 0)], 8, "stage 1 of 1: expected at least one pixel"),
    ],
)
@pytest.mark.parametrize("fuse", [multiscale_fuse, multiscale_fuse_reference])
def test_a_wrong_map_is_refused_by_stage_with_what_was_expected_and_what_came(
    fuse: Callable[[list[torch.Tensor], int], torch.Tensor],
    maps: list[torch.Tensor],
    dimension: int,
    message: str,
) -> None:
    with pytest.raises(RuntimeError, match=message):
        fuse(maps, dimension)


def test_shapes_are_checked_before_any_map_has_numbers() -> None:
    call = torch.ops.lookalike.multiscale_fuse.default
    assert call([torch.zeros(2, 4, 3, 3, device="meta")], 8).shape == (2, 8)
    with pytest.raises(RuntimeError, match="stage 1 of 1: expected 1 to 3 channels"):
        call([torch.zeros(2, 4, 3, 3, device="meta")], 3)


def test_maps_on_another_device_are_fused_by_the_formula() -> None:
    assert multiscale_fuse([good().to("meta")], 8).device.type == "meta"


def test_recording_gradients_is_refused_with_the_way_out() -> None:
    maps = [good().requires_grad_()]
    with pytest.raises(OperatorError, match="multiscale_fuse_reference"):
        multiscale_fuse(maps, 8)
    with torch.no_grad():
        assert multiscale_fuse(maps, 8).shape == (2, 8)
    (slope,) = torch.autograd.grad(multiscale_fuse_reference(maps, 8, normalize=False).sum(), maps)
    assert torch.allclose(slope, torch.full_like(slope, 2 / 9))
