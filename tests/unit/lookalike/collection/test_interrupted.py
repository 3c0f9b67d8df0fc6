"""A run that dies at any moment: what is published stays, and the next run goes on where it was."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lookalike.catalogue.repository import Catalogue
from lookalike.collection import publisher
from lookalike.collection.layout import CollectionLayout
from tests.helpers.shop_collection import SPEC, Shop


def test_an_interrupted_run_loses_nothing_and_is_resumed(shop: Shop) -> None:
    shop.index({"a": "cat"})
    with shop.run() as builder:
        shop.take(builder, {"b": "dog", "c": "hen"})
    assert shop.keys() == ["a"]
    assert shop.find("dog")[0].key == "a"
    shop.encoded.clear()
    with shop.run() as builder:
        assert builder.is_resumed(builder.live_items(["b"])["b"])
        shop.take(builder, {"a": "cat", "b": "dog", "c": "hen", "d": "cow"})
        builder.remove_absent()
        builder.publish()
    assert shop.encoded == ["d"]
    assert shop.keys() == ["a", "b", "c", "d"]


STEPS = {"write_npy": 2, "sync_file": 3, "sha256_file": 3, "sample_file": 3, "sync_folder": 2, "write_atomically": 1}


@pytest.mark.parametrize(
    ("moment", "call"), [(name, call) for name, times in STEPS.items() for call in range(1, times + 1)]
)
def test_a_publish_that_dies_at_any_step_leaves_the_old_snapshot(
    shop: Shop, moment: str, call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.index({"a": "cat"})
    with monkeypatch.context() as patch:
        patch.setattr(publisher, moment, dying(getattr(publisher, moment), call))
        with pytest.raises(RuntimeError, match="killed"):
            shop.index({"a": "cat", "b": "dog"})
    assert shop.keys() == ["a"]
    shop.encoded.clear()
    manifest = shop.index({"a": "cat", "b": "dog"})
    assert shop.encoded == []
    assert shop.keys() == ["a", "b"]
    assert manifest.generation == 2


def dying(function: Callable[..., Any], call: int) -> Callable[..., Any]:
    """The function, until it is called for the n-th time."""
    calls = 0

    def die(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise RuntimeError("killed")
        return function(*arguments)

    return die


@pytest.mark.parametrize("where", ["update_collection", "prune", "remove", "rmtree"])
def test_dying_while_cleaning_up_leaves_the_new_snapshot(
    shop: Shop, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for content in ("cat", "dog"):
        shop.index({"a": content}, keep=2)
    owners: dict[str, object] = {
        "update_collection": Catalogue,
        "prune": Catalogue,
        "remove": CollectionLayout,
        "rmtree": shutil,
    }

    def die(*_: object, **__: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(owners[where], where, die)
        with pytest.raises(RuntimeError, match="killed"):
            shop.index({"a": "hen"}, keep=2)
    assert shop.find("hen")[0].score == pytest.approx(1.0, abs=1e-6)
    shop.encoded.clear()
    shop.index({"a": "hen", "b": "cow"}, keep=2)
    assert shop.encoded == ["b"]
    assert shop.layout.complete_generations() == [3, 4]
    assert sorted(path.name for path in shop.layout.snapshots.iterdir()) == ["00000003", "00000004"]


def test_dying_between_the_manifest_and_the_pointer_is_mended_by_the_next_run(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.index({"a": "cat"})
    with monkeypatch.context() as patch:
        patch.setattr(CollectionLayout, "point_to", lambda *_: (_ for _ in ()).throw(RuntimeError("killed")))
        with pytest.raises(RuntimeError, match="killed"):
            shop.index({"a": "cat", "b": "dog"})
    assert shop.keys() == ["a"]
    assert shop.index({"a": "cat", "b": "dog"}).generation == 2
    assert shop.keys() == ["a", "b"]


def test_an_interrupted_change_of_encoder_leaves_the_collection_as_it_was(shop: Shop) -> None:
    shop.index({"a": "cat", "b": "dog"})
    with shop.run(replace(SPEC, weights_digest="1" * 64), other=True) as builder:
        shop.take(builder, {"a": "cat"})
    shop.encoded.clear()
    manifest = shop.index({"a": "cat", "b": "dog"})
    assert shop.encoded == ["a"], "what the other encoder had made is made again"
    assert manifest.encoder == SPEC
    assert shop.find("cat")[0].key == "a"
