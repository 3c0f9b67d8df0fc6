"""Codes of half bytes: what they hold, and that their sums rank vectors as inner products do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from lookalike.index.base import Vectors
from lookalike.index.engines.four_bit_codes import FourBitEncoder, code_bytes
from lookalike.index.engines.pca import Components

SPREADS = np.geomspace(0.2, 0.01, 384).astype(np.float32)


def normal(count: int, components: int, seed: int = 7) -> Vectors:
    """Components at random, the first spread widest."""
    numbers = np.random.default_rng(seed).normal(size=(count, components))
    return (numbers * SPREADS[:components]).astype(np.float32)


def halves(codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """The numbers of codes: those in the lower halves of the bytes, then those in the upper ones."""
    return np.concatenate([codes % 16, codes // 16], axis=1).astype(np.int64)


@pytest.mark.parametrize(("components", "size"), [(384, 192), (608, 304), (200, 192), (192, 192), (30, 32), (1, 4)])
def test_a_code_takes_as_many_bytes_as_its_numbers_ask_for(components: int, size: int) -> None:
    assert code_bytes(components) == size
    sample = np.ones((3, components), dtype=np.float32)
    half_bytes = FourBitEncoder.fit(sample)
    assert half_bytes.width == size
    assert half_bytes.codes(sample).shape == (3, size)


def test_a_number_tells_a_component_to_a_quarter_of_its_spread() -> None:
    components = normal(2000, 384)
    half_bytes = FourBitEncoder.fit(components)
    told = (halves(half_bytes.codes(components)) - 7.5) * half_bytes.steps
    within = np.abs(components) < 3 * SPREADS
    assert (np.abs(told - components) < 0.25 * SPREADS)[within].all()


def test_two_numbers_tell_a_component_sixteen_times_as_well_where_there_is_room() -> None:
    components = normal(2000, 40)
    half_bytes = FourBitEncoder.fit(components)
    numbers = halves(half_bytes.codes(components))
    told = (numbers[:, :40] + 16 * numbers[:, 40:80] - 127.5) * half_bytes.steps
    within = np.abs(components) < 6 * SPREADS[:40]
    assert (np.abs(told - components) < 0.25 * SPREADS[:40] / 7)[within].all()


@pytest.mark.parametrize("components", [384, 250, 40])
def test_numbers_times_their_weights_rank_as_inner_products_do(components: int) -> None:
    vectors, query = normal(2000, components), normal(1, components, seed=8)[0]
    plain = Components(np.eye(components, dtype=np.float32), np.zeros(components, dtype=np.float32), by_variance=False)
    half_bytes = FourBitEncoder.fit(vectors)
    matrix, scales = half_bytes.query_weights(plain)
    sums = halves(half_bytes.codes(vectors)) @ (scales * (matrix @ query))
    assert np.corrcoef(sums, vectors @ query)[0, 1] > 0.98


def test_components_that_never_differ_do_no_harm() -> None:
    flat = np.zeros((5, 20), dtype=np.float32)
    half_bytes = FourBitEncoder.fit(flat)
    matrix, scales = half_bytes.query_weights(Components(np.zeros((20, 20), np.float32), flat[0], by_variance=False))
    assert (half_bytes.codes(flat) == half_bytes.codes(flat)[0]).all()
    assert np.isfinite(scales).all()
    assert not matrix.any()
