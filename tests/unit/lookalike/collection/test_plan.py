"""What a collection is published with: its encoder, its type of index, the recall that was measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from lookalike.catalogue.records import ItemDraft, NewItem
from lookalike.collection.snapshot_manifest import Manifest
from lookalike.errors import EncoderMismatchError
from lookalike.index import planner
from tests.helpers.shop_collection import SPEC, Shop, digest, search


def test_recall_is_measured_and_kept(shop: Shop) -> None:
    manifest = shop.index({str(n): str(n) for n in range(40)})
    assert manifest.recall is not None
    assert (manifest.recall.value, manifest.recall.k, manifest.recall.queries) == (1.0, 10, 40)


def test_another_encoder_is_refused_in_words_unless_agreed_to(shop: Shop) -> None:
    shop.index({"a": "cat", "b": "dog"})
    other = replace(SPEC, input_size=64, weights_digest="1" * 64)
    with pytest.raises(EncoderMismatchError, match=r"--reencode.*input_size 64, not 32"):
        shop.index({"a": "cat", "b": "dog"}, other)
    shop.encoded.clear()
    manifest = shop.index({"a": "cat", "b": "dog"}, other, other=True)
    assert shop.encoded == ["a", "b"]
    assert (manifest.encoder, manifest.count) == (other, 2)


def test_another_engine_is_published_though_no_picture_changed(shop: Shop) -> None:
    shop.index({"a": "cat"}, engine="exact")
    manifest = shop.index({"a": "cat"}, engine="faiss-flat")
    assert (manifest.generation, manifest.engine) == (2, "faiss-flat")
    assert shop.find("cat")[0].key == "a"


MANY = 2100


def many_vectors() -> npt.NDArray[np.float32]:
    rows = np.random.default_rng(4).normal(size=(MANY, SPEC.dimension)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def index_many(shop: Shop) -> Manifest:
    """Enough items to train on, taken in at once by the first run and found again by the next."""
    with shop.run(engine="auto") as builder:
        if builder.live_count() == 0:
            drafts = [ItemDraft(str(n), str(n), digest(str(n)), 10, 4, 4, "PNG") for n in range(MANY)]
            builder.store([NewItem(*pair, None) for pair in zip(drafts, many_vectors(), strict=True)])
        return builder.publish()


def test_a_collection_too_large_to_scan_gets_a_graph_that_keeps_its_promise(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner, "EXACT_UP_TO", 1000)
    manifest = index_many(shop)
    assert (manifest.engine, manifest.planned, manifest.count) == ("faiss-hnsw", "faiss-hnsw", MANY)
    assert manifest.settings is not None
    assert manifest.recall is not None
    assert manifest.recall.low >= 0.99
    assert manifest.target_recall == 0.99
    assert Manifest.from_json(manifest.to_json()) == manifest
    vectors = many_vectors()
    searcher = shop.searcher()
    (hit,) = search(searcher, vectors[477], 1)
    assert hit.key == "477"
    assert hit.score == pytest.approx(1.0, abs=1e-6)
    own = searcher.item("477").id
    (others,) = searcher.hits(searcher.neighbours(vectors[477:478], 5, exclude=own))
    assert [other.key for other in others] == [str(n) for n in np.argsort(-(vectors @ vectors[477]))[1:6]]


def test_the_same_pictures_are_published_again_only_if_the_plan_is_another(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert index_many(shop).engine == "faiss-flat"
    assert index_many(shop).generation == 1
    monkeypatch.setattr(planner, "EXACT_UP_TO", 1000)
    assert index_many(shop).generation == 2
    assert index_many(shop).generation == 2
