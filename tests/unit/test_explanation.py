"""An explanation points at what two pictures have in common, in the coordinates of the pictures themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from lookalike.encoder.base import Evidence, PartEvidence
from lookalike.encoder.runtimes.torch_runtime import load_torch_encoder
from lookalike.encoder.spec import EncoderSpec
from lookalike.explanation import GRID, explain, explanation_of
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


def hidden(picture: npt.NDArray[np.uint8], marked: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """The picture, grey where the (GRID, GRID) map says."""
    rows, columns = (np.arange(length) * GRID // length for length in picture.shape[:2])
    changed = picture.copy()
    changed[marked[np.ix_(rows, columns)]] = 127
    return changed


def test_hiding_what_is_marked_costs_more_of_the_score_than_hiding_as_much_elsewhere() -> None:
    encoder = load_torch_encoder("bundled", encoders_dir=Path("none"))
    shared = make_picture(3, (60, 60))
    drops = []
    for seed in range(6):
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
    assert np.mean(drops) > 0.02
    assert np.count_nonzero(np.array(drops) > 0) >= 5
