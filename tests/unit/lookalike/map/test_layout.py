"""Where pictures are put: alike ones beside each other, the same ones each time, and few of them without t-SNE."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lookalike.errors import LayoutUnavailableError
from lookalike.index.base import Positions, Vectors, ignore_progress
from lookalike.map import layout
from lookalike.map.layout import Places, lay_out
from lookalike.map.placement import middle_places


def clusters(count: int, size: int, dimension: int = 16) -> Vectors:
    """Unit vectors (count · size, dimension): ``size`` near each of ``count`` directions, one cluster after another."""
    random = np.random.default_rng(3)
    centres = np.repeat(random.normal(size=(count, dimension)), size, axis=0)
    vectors = centres + 0.1 * random.normal(size=centres.shape)
    unit: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def laid_out(vectors: Vectors, seed: int = 7, threads: int = 1) -> tuple[Places, int]:
    def read(positions: Positions) -> Vectors:
        return vectors[positions]

    return lay_out(len(vectors), read, seed=seed, threads=threads, report_progress=ignore_progress)


def share_of_own_cluster(places: Places, size: int) -> float:
    """How many of the three nearest of each place are of its cluster."""
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = np.argsort(distances, axis=1)[:, :3]
    return float((nearest // size == np.arange(len(places))[:, None] // size).mean())


def test_pictures_that_are_alike_are_beside_each_other() -> None:
    places, fitted = laid_out(clusters(6, 12))
    assert (places.shape, places.dtype, fitted) == ((72, 2), np.dtype(np.float32), 72)
    assert share_of_own_cluster(places, 12) > 0.98


def test_the_same_pictures_are_put_at_the_same_places() -> None:
    vectors = clusters(4, 10)
    np.testing.assert_array_equal(laid_out(vectors)[0], laid_out(vectors)[0])


def test_of_many_pictures_some_are_laid_out_and_the_others_put_among_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "FITTED", 60)
    vectors = clusters(6, 30)
    places, fitted = laid_out(vectors)
    assert (len(places), fitted) == (180, 60)
    assert share_of_own_cluster(places, 30) > 0.95
    np.testing.assert_array_equal(places, laid_out(vectors)[0])


@pytest.mark.parametrize("count", [0, 1, 2, 3, 15, 16, 17])
def test_few_pictures_have_places_too(count: int) -> None:
    places, fitted = laid_out(clusters(20, 1)[:count])
    assert (places.shape, fitted) == ((count, 2), count)
    assert np.isfinite(places).all()
    assert len(np.unique(places, axis=0)) == count


def test_equal_pictures_can_be_laid_out() -> None:
    places, _ = laid_out(np.repeat(clusters(2, 1), 50, axis=0))
    assert np.isfinite(places).all()


def test_without_the_library_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., Any] = builtins.__import__

    def refuse(name: str, *arguments: Any) -> Any:
        if name == "openTSNE":
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(LayoutUnavailableError, match=r"pip install 'lookalike\[map\]'"):
        laid_out(clusters(4, 10))


def test_a_newcomer_is_in_the_middle_of_its_neighbours_and_not_drawn_away_by_one_that_is_far_off() -> None:
    places = np.array([[[0, 0], [1, 5], [2, 1], [3, 2], [1000, -1000]]], np.float32)
    np.testing.assert_allclose(middle_places(places, np.full((1, 5), 0.5, np.float32)), [[2, 1]])


def test_a_neighbour_that_is_nearly_the_same_outweighs_the_others() -> None:
    places = np.array([[[7, 8], [0, 0], [0, 0], [9, 9], [9, 9]]], np.float32)
    np.testing.assert_allclose(middle_places(places, np.array([[1, 0.5, 0.5, 0.5, 0.5]], np.float32)), [[7, 8]])


def test_a_neighbour_that_is_none_has_no_say() -> None:
    places = np.array([[[4, 4], [0, 0], [0, 0], [0, 0]]], np.float32)
    scores = np.array([[0.2, -np.inf, -np.inf, -np.inf]], np.float32)
    np.testing.assert_allclose(middle_places(places, scores), [[4, 4]])
