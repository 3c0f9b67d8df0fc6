"""Searches of the Python API with options, page by page, with several pictures, and in several collections."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike import Boost, Collection, ImageLimits, search_collections
from lookalike.catalogue.records import CollectionSettings
from lookalike.collection.builder import CollectionEncoder
from lookalike.collection.calibration_store import store_calibration
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.lifecycle import create_collection
from lookalike.encoder import calibrations
from lookalike.errors import (
    FilterInvalidError,
    ItemNotFoundError,
    ScoresNotComparableError,
    VectorsInvalidError,
)
from lookalike.images import encode_png
from lookalike.options import EncoderRequest, Places
from lookalike.testing import make_picture
from lookalike.tiers import PLAIN_PROBLEM
from lookalike.wiring import INDEX_TYPES, load_encoder, open_catalogue
from tests.conftest import REPOSITORY

COUNT = 12
QUERY, OTHER_VIEW = make_picture(900), make_picture(901)


def fill(collection: Collection, numbers: range) -> None:
    for number in numbers:
        collection.upsert(
            f"{number:02}",
            encode_png(make_picture(min(number, COUNT - 2))),  # the last two are the same file
            product_id=f"p-{number // 3}",
            metadata={"price": number},
        )


@pytest.fixture(scope="module", autouse=True)
def shipped_calibrations() -> Iterator[None]:
    """Those in the box: tests of the service hide them for as long as their process lasts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibrations, "SHIPPED", REPOSITORY / "lookalike/encoder/bundled/calibrations")
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``shop`` and ``other`` with the encoder in the box, ``small`` with the same network at another size."""
    places = Places(tmp_path_factory.mktemp("options"))
    for name, numbers in (("shop", range(COUNT)), ("other", range(8, 16))):
        with Collection.create(places.data, name, encoder="bundled") as collection:
            fill(collection, numbers)
            calibration = collection.calibration
    request = EncoderRequest("bundled", input_size=96)
    spec = load_encoder(request, places.encoders_dir).spec
    layout = CollectionLayout.of(places.collections_dir, "small")
    settings = CollectionSettings("auto", 3, ImageLimits().max_bytes, ImageLimits().max_pixels)
    catalogue = open_catalogue(places)
    create_collection(layout, catalogue, CollectionEncoder(request, spec), settings, INDEX_TYPES)
    catalogue.close()
    assert calibration is not None
    store_calibration(layout, spec, replace(calibration, encoder_digest=spec.digest))
    with Collection.open(places.data, "small") as collection:
        fill(collection, range(4, 9))
    return places.data


@pytest.fixture(scope="module")
def shop(data: Path) -> Iterator[Collection]:
    with Collection.open(data, "shop") as collection:
        yield collection


@pytest.fixture(scope="module")
def vectors(shop: Collection) -> dict[str, np.ndarray]:
    return {item.key: shop.vector(item) for item in shop.items()}


@pytest.fixture(scope="module")
def query(shop: Collection) -> np.ndarray:
    (vector,) = shop.encoder.encode([QUERY])
    return np.asarray(vector)


def ranked(scores: dict[str, float]) -> list[str]:
    return sorted(scores, key=lambda key: -scores[key])


def test_groups_copies_and_exclusions(shop: Collection, vectors: dict[str, np.ndarray], query: np.ndarray) -> None:
    order = ranked({key: float(vector @ query) for key, vector in vectors.items()})
    best: dict[str, str] = {}
    for key in order:
        best.setdefault(f"p-{int(key) // 3}", key)
    grouped = shop.search(QUERY, 10, group_by="product_id")
    assert {str(hit.group): hit.key for hit in grouped} == best
    assert [hit.key for hit in grouped] == list(best.values())
    assert all(hit.threshold == shop.threshold() for hit in grouped)
    pairs = shop.search(QUERY, 2, group_by="product_id", group_size=2)
    assert [hit.rank for hit in pairs] == [1, 2, 3, 4]
    once = shop.search(QUERY, COUNT, dedupe=True, exclude_keys=["03", "none"])
    assert [hit.key for hit in once] == [key for key in order if key not in ("03", "11")]
    assert [[hit.key for hit in hits] for hits in shop.search_many([QUERY], 10, group_by="product_id")] == [
        list(best.values())
    ]
    assert shop.search(QUERY, 3, dedupe=False) == shop.search(QUERY, 3), "options that ask for nothing change nothing"


def test_boosts_diversity_and_a_fallback(shop: Collection, vectors: dict[str, np.ndarray], query: np.ndarray) -> None:
    boosted = shop.search(QUERY, COUNT, boost=Boost(field="price", weight=0.4, scale=10))
    scores = {key: float(vector @ query) + 0.4 * min(1, int(key) / 10) for key, vector in vectors.items()}
    assert [hit.boosted_score for hit in boosted] == pytest.approx(sorted(scores.values(), reverse=True), abs=1e-5)
    assert shop.search(QUERY, COUNT, boost=[Boost(field="price", weight=0.4, scale=10)]) == boosted
    diverse = shop.search(QUERY, COUNT, diversity=1.0)
    assert diverse[1].key == min(vectors, key=lambda key: float(vectors[key] @ vectors[diverse[0].key]))
    filled = shop.search(QUERY, 4, where="price < 2", fallback="relax_filter")
    assert [hit.passed_filter for hit in filled] == [True, True, False, False]
    assert len(shop.search(QUERY, 4, where="price < 2", fallback="none")) == 2


@pytest.mark.parametrize(
    "options",
    [{}, {"group_by": "product_id", "group_size": 2}, {"dedupe": True}, {"where": "price > 2"}, {"min_score": 0.0}],
)
def test_pages_are_the_whole_without_gaps_and_doubles(shop: Collection, options: dict[str, Any]) -> None:
    pages = list(shop.search_pages(QUERY, 3, **options))
    complete = shop.search(QUERY, 1000, **options)
    assert [hit for page in pages for hit in page] == complete
    assert len(pages) > 1
    by_key = [hit for page in shop.similar_pages("05", 3, **options) for hit in page]
    assert by_key == shop.similar("05", 1000, **options)
    assert "05" not in [hit.key for hit in by_key]


def test_without_hits_there_is_one_empty_page(shop: Collection) -> None:
    assert list(shop.search_pages(QUERY, 3, where="price > 100")) == [[]]


def test_several_pictures_of_one_thing(shop: Collection, vectors: dict[str, np.ndarray], query: np.ndarray) -> None:
    (other,) = shop.encoder.encode([OTHER_VIEW])
    cosines = {key: (float(vector @ query), float(vector @ other)) for key, vector in vectors.items()}
    for combine, combined in (("best", max), ("mean", lambda pair: sum(pair) / 2)):
        hits = shop.search([QUERY, OTHER_VIEW], COUNT, combine=combine)  # type: ignore[arg-type]
        scores = {key: combined(pair) for key, pair in cosines.items()}
        assert [hit.score for hit in hits] == pytest.approx(sorted(scores.values(), reverse=True), abs=1e-5)
    products: dict[str, list[tuple[float, float]]] = {}
    for key, pair in cosines.items():
        products.setdefault(f"p-{int(key) // 3}", []).append(pair)
    means = {name: float(np.max(pairs, axis=0).mean()) for name, pairs in products.items()}
    by_mean = shop.search([QUERY, OTHER_VIEW], 10, combine="best", group_by="product_id", group_score="mean")
    assert [hit.group for hit in by_mean] == ranked(means)
    assert [hit.group_score for hit in by_mean] == pytest.approx(sorted(means.values(), reverse=True), abs=1e-5)


def test_more_like_this_and_less_like_that(shop: Collection, vectors: dict[str, np.ndarray], query: np.ndarray) -> None:
    moved = query + vectors["02"] - 0.25 * (vectors["04"] + vectors["05"]) / 2
    moved /= np.linalg.norm(moved)
    order = ranked({key: float(vector @ moved) for key, vector in vectors.items() if key not in ("02", "04", "05")})
    hits = shop.search(QUERY, COUNT, like_keys=["02"], unlike_keys=["04", "05"])
    assert [hit.key for hit in hits] == order
    for hit in hits:
        assert hit.score == pytest.approx(float(vectors[hit.key] @ query), abs=1e-5)
        assert hit.feedback_score == pytest.approx(float(vectors[hit.key] @ moved), abs=1e-5)
        assert hit.similar == shop.threshold().similar(hit.score), "the verdict is about the picture itself"
    with_liked = shop.search(QUERY, COUNT, like_keys=["02"], unlike_keys=["04", "05"], include_liked=True)
    assert {hit.key for hit in with_liked} - {hit.key for hit in hits} == {"02"}
    alone = shop.similar(["01", "02"], COUNT)
    assert {"01", "02"}.isdisjoint(hit.key for hit in alone)
    for hit in alone:
        best = max(float(vectors[hit.key] @ vectors[key]) for key in ("01", "02"))
        assert hit.score == pytest.approx(best, abs=1e-5)
    with pytest.raises(ItemNotFoundError, match="none such"):
        shop.search(QUERY, like_keys=["none such"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"group_size": 2}, "group_size: needs group_by"),
        ({"group_by": "product_id", "group_size": 0}, "group_size: must be at least 1"),
        ({"group_score": "mean"}, "group_score: needs group_by"),
        ({"group_by": "product_id", "group_score": "sum"}, "group_score: must be 'best' or 'mean'"),
        ({"group_by": "product_id", "group_score": "mean", "dedupe": True}, "dedupe: is not possible"),
        ({"group_by": "prodct_id"}, "did you mean 'product_id'"),
        ({"diversity": 1.5}, "diversity: must be from 0 to 1"),
        ({"fallback": "always"}, "fallback: must be 'none' or 'relax_filter'"),
        ({"exclude_keys": "01"}, "exclude_keys: must be a list of keys, not str"),
        ({"like_keys": [1]}, "like_keys: must be a list of texts"),
        ({"like_keys": [str(number) for number in range(17)]}, "like_keys: at most 16"),
        ({"like_keys": ["01"], "unlike_keys": ["01"]}, "unlike_keys: '01' is among like_keys too"),
        ({"boost": Boost(field="price", weight=0.6)}, "boost: the weights"),
        ({"combine": "median"}, "combine: must be 'best' or 'mean'"),
    ],
)
def test_options_that_are_wrong_are_refused_by_name(shop: Collection, options: dict[str, Any], words: str) -> None:
    picture: Any = [QUERY] if "combine" in options else QUERY
    with pytest.raises(FilterInvalidError, match=words.replace("(", "\\(")):
        shop.search(picture, **options)


def test_an_option_that_there_is_not_is_told(shop: Collection) -> None:
    for search in (shop.search, shop.search_pages):
        with pytest.raises(TypeError, match="did you mean 'group_by'"):
            search(QUERY, groupby="product_id")  # type: ignore[call-arg]
    with pytest.raises(VectorsInvalidError, match="as a list"):
        shop.search(QUERY, combine="best")
    with pytest.raises(VectorsInvalidError, match="16 pictures"):
        shop.search([QUERY] * 17, combine="best")
    with pytest.raises(VectorsInvalidError, match="one picture is wanted here"):
        shop.search(["a.png", "b.png"])
    with pytest.raises(VectorsInvalidError, match="at least 1"):
        shop.search(QUERY, 0, dedupe=True)
    with pytest.raises(VectorsInvalidError, match="at least one key"):
        shop.similar([])


def test_the_best_of_several_collections(data: Path, shop: Collection) -> None:
    with Collection.open(data, "other") as other, Collection.open(data, "small") as small:
        collections = [shop, other, small]
        expected = []
        for collection in collections:
            (vector,) = collection.encoder.encode([QUERY])
            threshold = collection.threshold()
            for item in collection.items():
                score = float(collection.vector(item) @ vector)
                confidence = threshold.confidence(score)
                assert confidence is not None
                expected.append((-confidence, threshold.cosine - score, collection.manifest.collection, item.key))
        hits = search_collections(collections, QUERY, 100)
        assert sorted((str(hit.collection), hit.key) for hit in hits) == sorted(row[2:] for row in expected)
        assert [hit.confidence for hit in hits] == pytest.approx(
            sorted((-row[0] for row in expected), reverse=True), abs=1e-4
        )
        assert [hit.rank for hit in hits] == list(range(1, len(expected) + 1))
        by_score = search_collections([shop, other], QUERY, 100, rank_by="score", min_score=0.1, dedupe=True)
        scores = [hit.score for hit in by_score]
        assert scores == sorted(scores, reverse=True)
        assert min(scores) >= 0.1
        assert len({int(hit.key) if int(hit.key) < 10 else 10 for hit in by_score}) == len(by_score)
        cheap = search_collections(collections, QUERY, 100, where="price < 5")
        assert {hit.collection for hit in cheap} == {"shop", "small"}
        several = search_collections([shop, small], [QUERY, OTHER_VIEW], 3, combine="mean")
        assert len(several) == 3
        plain = search_collections([shop, other], np.full((64, 64, 3), 200, np.uint8), 3)
        assert [(hit.similar, hit.score_problem) for hit in plain] == [(False, PLAIN_PROBLEM)] * 3
        with pytest.raises(ScoresNotComparableError, match="different encoders"):
            search_collections(collections, QUERY, rank_by="score")
        wrong: list[tuple[list[Collection], dict[str, Any], str]] = [
            (collections, {"min_score": 0.1}, "min_score"),
            (collections, {"diversity": 0.5}, "diversity: is possible in one collection only"),
            ([shop, shop], {}, "each once"),
            ([], {}, "one or more"),
            (collections, {"rank_by": "name"}, "rank_by: must be"),
        ]
        for collections, options, words in wrong:
            with pytest.raises(FilterInvalidError, match=words):
                search_collections(collections, QUERY, **options)
