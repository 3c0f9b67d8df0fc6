"""An explanation points at what two pictures have in common, in the coordinates of the pictures themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn
from torch.nn import functional

from lookalike.encoder.base import Evidence, PartEvidence
from lookalike.encoder.network.attribution import explain_pair
from lookalike.encoder.network.multiscale import MultiScaleNetwork
from lookalike.encoder.runtimes.torch_runtime import load_torch_encoder
from lookalike.encoder.spec import EncoderSpec
from lookalike.explanation import GRID, explain, explanation_of
from lookalike.options import EncoderRequest
from lookalike.testing import TinyEncoder, make_picture

SPEC = TinyEncoder().spec


def evidence_of(heat: npt.NDArray[np.float32]) -> Evidence:
    share = float(heat.sum())
    return Evidence(0.5, (PartEvidence("stage-1", 0.9, (share, share), (heat, heat)),), (0.5 - share, 0.5 - share))


def corner(side: int = 8) -> npt.NDArray[np.float32]:
    heat = np.zeros((side, side), np.float32)
    heat[0, 0] = 1.0
    return heat


def as_seen(spec: EncoderSpec, size: tuple[int, int], heat: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return explanation_of(evidence_of(heat), spec, size, size).heat_maps[0]


def test_a_squashed_picture_is_covered_from_edge_to_edge() -> None:
    heat = as_seen(SPEC, (50, 200), corner())
    assert heat.shape == (GRID, GRID)
    assert heat[0, 0] == 1.0
    assert heat[GRID // 2 :].max() == 0.0


def test_of_a_cropped_picture_what_was_cut_away_stays_cold() -> None:
    crop = replace(SPEC, resize="crop", crop_fraction=1.0)
    heat = as_seen(crop, (100, 200), np.ones((8, 8), np.float32))
    # The square covers the middle half of the width.
    assert heat[:, : GRID // 4].max() == 0.0
    assert heat[:, -GRID // 4 :].max() == 0.0
    assert heat[:, GRID // 4 + 1 : -GRID // 4 - 1].min() > 0.9


def test_of_a_padded_picture_the_border_is_left_out() -> None:
    padded = replace(SPEC, resize="pad")
    bands = np.zeros((8, 8), np.float32)
    bands[:2] = 1.0  # the upper quarter of the square, which a picture half as high as wide does not reach
    heat = as_seen(padded, (100, 200), bands)
    inner = np.zeros((8, 8), np.float32)
    inner[2:4] = 1.0  # the upper half of the picture
    assert heat[6:].max() == 0.0
    assert as_seen(padded, (100, 200), inner)[2 : GRID // 2 - 2].min() > 0.7


def test_where_nothing_speaks_for_likeness_nothing_is_marked() -> None:
    assert as_seen(SPEC, (10, 10), -np.ones((4, 4), np.float32)).max() == 0.0


def test_shares_and_rest_sum_to_the_score() -> None:
    found = explain(TinyEncoder(), make_picture(1), make_picture(2))
    assert sum(part.share for part in found.parts) + found.rest == pytest.approx(found.score, abs=1e-5)


class Pooled(nn.Module):
    """A backbone whose maps are the picture itself, averaged over squares of 2 and of 8 pixels."""

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        return [functional.avg_pool2d(pixels, side) for side in (2, 8)]


def products() -> torch.Tensor:
    """Two pictures (2, 3, 32, 32): squares full of detail, each on a ground of nothing."""
    pixels = torch.zeros(2, 3, 32, 32)
    detail = torch.rand(2, 3, 16, 8, generator=torch.Generator().manual_seed(2)) + 0.5
    pixels[0, :, 8:24, 16:24] = detail[0]
    pixels[1, :, 0:16, 0:8] = detail[1]
    return pixels


@pytest.mark.parametrize("weighted", [False, True])
def test_each_place_is_credited_with_what_it_adds_to_the_score(weighted: bool) -> None:
    network = MultiScaleNetwork(Pooled(), (3, 3), "moments", weighted=weighted)
    pixels = products()
    evidence = explain_pair(network, pixels)
    with torch.no_grad():
        first, second = network.fuse(network.backbone(pixels)).double().numpy()
    towards = second / np.linalg.norm(second) / np.linalg.norm(first)  # the score is this times the first's features
    energies = network.backbone(pixels)[-1][0].square().sum(dim=0).numpy()
    for number, part in enumerate(evidence.parts):
        stage = network.backbone(pixels)[number][0].double().numpy()
        weights = np.kron(energies, np.ones((4, 4))) if number == 0 else energies
        weights = weights / weights.sum() if weighted else np.full_like(weights, 1 / weights.size)
        of_means, of_deviations = towards[6 * number :][:3], towards[6 * number + 3 :][:3]
        means = (stage * weights).sum(axis=(1, 2))
        squares = (stage - means[:, None, None]) ** 2
        deviations = np.sqrt((squares * weights).sum(axis=(1, 2)))
        each = np.einsum("c,chw->hw", of_means, stage) + np.einsum("c,chw->hw", of_deviations / deviations, squares)
        np.testing.assert_allclose(part.heats[0], weights * each, atol=1e-5)
    assert sum(part.shares[0] for part in evidence.parts) == pytest.approx(evidence.score, abs=1e-5)


def test_a_ground_that_counts_nothing_is_cold() -> None:
    network = MultiScaleNetwork(Pooled(), (3, 3), "moments", projection=5, centred=True, weighted=True)
    assert network.centre is not None
    with torch.no_grad():
        network.centre.uniform_(0.2, 0.8)
        evidence = explain_pair(network, products())
    for part in evidence.parts:
        side = len(part.heats[0]) // 4
        ground = np.ones_like(part.heats[0], dtype=bool)
        ground[side : 3 * side, 2 * side : 3 * side] = False
        assert np.abs(part.heats[0][ground]).max() == 0.0
        assert np.abs(part.heats[0][~ground]).min() > 0.0
        assert float(part.heats[0].sum()) == pytest.approx(part.shares[0], abs=1e-6)


def hidden(picture: npt.NDArray[np.uint8], marked: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """The picture, grey where the (GRID, GRID) map says."""
    rows, columns = (np.arange(length) * GRID // length for length in picture.shape[:2])
    changed = picture.copy()
    changed[marked[np.ix_(rows, columns)]] = 127
    return changed


@pytest.mark.slow
def test_hiding_what_is_marked_costs_more_of_the_score_than_hiding_as_much_elsewhere() -> None:
    encoder = load_torch_encoder(EncoderRequest("bundled"), Path("none"))
    drops = []
    for seed in range(12):
        shared = make_picture(500 + seed, (60, 60))
        first, second = (make_picture(100 + 2 * seed + extra, (144, 144)) // 8 + 100 for extra in (0, 1))
        first[10:70, 10:70] = shared
        second[60:120, 50:110] = shared
        found = explain(encoder, first, second)
        order = found.heat_maps[0].ravel().argsort()
        masks = []
        for places in (order[-200:], order[:200]):
            mask = np.zeros(GRID * GRID, dtype=bool)
            mask[places] = True
            masks.append(mask.reshape(GRID, GRID))
        scores = [explain(encoder, hidden(first, mask), second).score for mask in masks]
        drops.append(scores[1] - scores[0])
    assert np.mean(drops) > 0.06
    assert np.count_nonzero(np.array(drops) > 0) >= 11
