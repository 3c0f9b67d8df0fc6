"""K neighbours that pass a filter are K on every engine, the right ones, and never one that does not pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from lookalike.catalogue.database import Database
from lookalike.catalogue.records import ItemDraft, NewItem
from lookalike.catalogue.repository import Catalogue
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.searcher import Searcher
from lookalike.errors import FilterInvalidError
from lookalike.wiring import INDEX_TYPES
from tests.helpers.shop_collection import SPEC, Shop

COUNT = 2500  # more than the vectors below which no index is trained


@pytest.fixture(scope="module", params=INDEX_TYPES)
def searcher(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    folder = tmp_path_factory.mktemp(request.param)
    catalogue = Catalogue(Database.open(folder / "catalogue.db"))
    shop = Shop(CollectionLayout.of(folder / "collections", "shop"), catalogue)
    vectors = np.random.default_rng(7).normal(size=(COUNT, SPEC.dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    # ``side`` goes with the vector, as categories do with pictures; ``number`` does not.
    items = [
        NewItem(
            ItemDraft(str(n), f"{n}", f"{n:064x}", 10, 4, 4, "PNG", metadata={"number": n, "side": bool(row[0] > 0)}),
            row,
        )
        for n, row in enumerate(vectors)
    ]
    with shop.run(engine=request.param) as builder:
        builder.store(items)
        builder.publish()
    yield shop.searcher()
    catalogue.close()


@pytest.mark.parametrize(
    ("where", "passing_numbers", "side"),
    [
        ("number < 5", range(5), None),
        ("number < 25", range(25), None),
        ("number < 300", range(300), None),
        ("number >= 100", range(100, COUNT), None),
        ("number in (3, 99, 7)", [3, 99, 7], None),
        ("side = true", range(COUNT), True),
        ("side = false", range(COUNT), False),
        ("side = false and number < 600", range(600), False),
        ("number > 5000", [], None),
        ("not number > 5000", range(COUNT), None),
    ],
)
@pytest.mark.parametrize("k", [1, 10, 200])
def test_k_that_pass_are_k(
    searcher: Searcher, where: str, passing_numbers: Sequence[int], side: bool | None, k: int
) -> None:
    vectors = searcher.snapshot.vectors
    mask = np.isin(np.arange(COUNT), passing_numbers)
    if side is not None:
        mask &= (vectors[:, 0] > 0) == side
    condition = searcher.condition(where)
    assert searcher.count(condition) == mask.sum()
    queries = np.array(vectors[[11, 500, 2400]])  # items of the collection; most do not pass
    truth = np.where(mask, queries.astype(np.float64) @ vectors.T.astype(np.float64), -np.inf)
    found = searcher.neighbours(queries, k, condition=condition)
    expected = min(k, int(mask.sum()))
    assert (found.positions >= 0).sum(axis=1).tolist() == [expected] * 3
    assert mask[found.positions[:, :expected]].all()
    np.testing.assert_allclose(
        np.take_along_axis(truth, found.positions[:, :expected], 1), found.scores[:, :expected], atol=1e-5
    )
    kth = np.sort(truth, axis=1)[:, -k]
    assert (found.scores[:, :expected] < kth[:, None] - 1e-5).sum() <= 0.05 * 3 * expected, "recall"


@pytest.mark.parametrize("where", ["number < 25", "side = true"])
def test_an_item_that_is_left_out_takes_no_place_of_those_that_pass(searcher: Searcher, where: str) -> None:
    condition, ids = searcher.condition(where), searcher.snapshot.ids
    for number in (3, 2400):  # the first passes "number < 25", the other does not
        query = np.array(searcher.snapshot.vectors[number : number + 1])
        found = searcher.neighbours(query, 20, exclude=int(ids[number]), condition=condition)
        assert number not in found.positions[0]
        assert (found.positions >= 0).all()
        assert searcher.item_filter.mask(condition)[found.positions].all()
    nearly_all = searcher.neighbours(
        np.array(searcher.snapshot.vectors[3:4]), 5, exclude=int(ids[3]), condition=searcher.condition("number < 5")
    )
    assert sorted(nearly_all.positions[0].tolist()) == [-1, 0, 1, 2, 4]


def test_a_filter_of_another_collection_is_refused(searcher: Searcher) -> None:
    with pytest.raises(FilterInvalidError, match="did you mean 'number'"):
        searcher.condition("numbers < 5")
