"""A collection whose encoder cannot be had any more: served by key, and told with what to do about it."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lookalike.encoder.base import ImageEncoder
from lookalike.errors import EncoderNotInstalledError
from lookalike.images import encode_png
from lookalike.options import EncoderRequest
from lookalike.testing import make_picture
from lookalike.wiring import load_encoder
from service.settings import ApiKeys
from tests.helpers.old_encoder import OLD_WEIGHTS, age_encoder
from tests.service.conftest import HARD_KEYS, Shop
from tests.service.harness import Service, index, item_path, serving, without_times

PICTURE = encode_png(make_picture(1))
KEY = "reading-is-all-i-may-do"


@pytest.fixture(scope="module")
def old_data(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop, as if an encoder of another version had made it; nothing in it may be changed."""
    data = Path(shutil.copytree(shop.data, tmp_path_factory.mktemp("old") / "data"))
    age_encoder(data, "shop")
    return data


@pytest.fixture(scope="module")
def old(old_data: Path) -> Iterator[Service]:
    """The application over it, ready."""
    with serving(old_data) as running:
        yield running


def command(shop: Shop) -> str:
    """What encodes the shop again."""
    source = shlex.quote(str(shop.source / "shop.jsonl"))
    return f"python -m indexer index {source} --collection shop --encoder bundled --engine faiss-flat --reencode"


def test_what_needs_no_encoder_is_answered_as_ever(old: Service, service: Service) -> None:
    hard = HARD_KEYS[3]
    for path in (
        "/collections/shop/items",
        item_path(hard),
        item_path(hard, "similar?k=3"),
        item_path("plain-0", "similar?tiers=true"),
        item_path(hard, "image"),
        item_path(hard, "thumbnail"),
    ):
        old_response, new_response = old.get(path), service.get(path)
        assert old_response.status_code == 200, path
        if old_response.headers["content-type"] == "application/json":
            assert without_times(old_response.json()) == without_times(new_response.json()), path
        else:
            assert old_response.content == new_response.content, path
    for path, fields in (
        ("/search", {"key": hard, "k": "5"}),
        ("/search", {"key": "plain-1", "tiers": "true"}),
        ("/compare", {"image_a": "plain-0", "image_b": hard, "collection": "shop"}),
    ):
        old_response, new_response = old.post(path, data=fields), service.post(path, data=fields)
        assert old_response.status_code == 200, path
        assert without_times(old_response.json()) == without_times(new_response.json())


def searches_by_picture() -> dict[str, dict[str, Any]]:
    """Everything that needs the collection's encoder, by path and what it is called."""
    picture = {"image": PICTURE}
    pair = {"image_a": "plain-0", "image_b": "plain-1", "collection": "shop"}
    return {
        "/search": {"files": picture},
        "/search of a part of an indexed picture": {"data": {"key": "plain-0", "box": "0,0,0.5,0.5"}},
        "/search/batch": {"files": [("image", PICTURE), ("image", PICTURE)]},
        "/embed": {"files": picture, "data": {"collection": "shop"}},
        "/compare": {"files": {"image_a": PICTURE}, "data": {"image_b": "plain-0", "collection": "shop"}},
        "/compare with the reason": {"data": pair | {"explain": "true"}},
        "/compare at another size": {"data": pair | {"input_size": "96"}},
    }


@pytest.mark.parametrize("what", searches_by_picture())
def test_a_search_by_picture_names_both_encoders_and_the_command(old: Service, shop: Shop, what: str) -> None:
    refused = old.post(what.partition(" ")[0], **searches_by_picture()[what])
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (409, "encoder-mismatch")
    present = old.get("/collections/shop").json()["encoder"]
    dimension = present["dimension"]
    assert f"made by bundled of {dimension} numbers (weights {OLD_WEIGHTS[:8]})" in problem["detail"]
    loaded = old.services.encoders.loaded_encoders()["bundled"].spec
    assert f"another encoder, bundled of {dimension} numbers (weights {loaded.weights_digest[:8]})" in problem["detail"]
    assert "`python -m indexer index SOURCE --collection shop --reencode`" in problem["detail"]
    assert str(shop.source) not in refused.text


def test_an_encoder_that_is_named_is_used_for_indexed_pictures_too(old: Service) -> None:
    fields = {"image_a": "plain-0", "image_b": "plain-0", "collection": "shop", "encoder": "bundled"}
    answer = old.post("/compare", data=fields)
    assert (answer.status_code, answer.json()["score"]) == (200, pytest.approx(1, abs=1e-5))


def test_health_says_which_collection_and_what_to_do(old: Service, service: Service, shop: Shop) -> None:
    assert old.get("/ready").status_code == 200
    health = old.get("/health").json()
    assert (health["status"], health["collections"]) == ("degraded", {"shop": 1})
    assert health["problems"] == ["shop: encoder-mismatch, so it is searched by key only"]
    (why,) = health["searchable_by_key_only"].values()
    assert (why["code"], why["command"]) == ("encoder-mismatch", command(shop))
    assert "bundled of" in why["detail"]
    assert service.get("/health").json()["searchable_by_key_only"] == {}


def test_health_names_no_collection_to_who_has_no_key(old_data: Path) -> None:
    with serving(old_data, keys=ApiKeys.parse([f"read:{KEY}"])) as locked:
        told = locked.get("/health").json()
        assert told["problems"] == ["a collection: encoder-mismatch, so it is searched by key only"]
        assert told["searchable_by_key_only"] == {}
        shown = locked.get("/health", headers={"Authorization": f"Bearer {KEY}"}).json()
        assert list(shown["searchable_by_key_only"]) == ["shop"]


def test_a_collection_says_it_of_itself(old: Service, service: Service, shop: Shop) -> None:
    (row,) = old.get("/collections").json()["collections"]
    whole = old.get("/collections/shop").json()
    assert (row["ready"], row["problem"]) == (True, None)
    for told in (row, whole):
        assert told["searchable_by_picture"] is False
        assert told["picture_problem"]["command"] == command(shop)
    (usual,) = service.get("/collections").json()["collections"]
    for told in (usual, service.get("/collections/shop").json()):
        assert (told["searchable_by_picture"], told["picture_problem"]) == (True, None)


def test_the_log_has_it_once_with_the_data_folder(old_data: Path, log_lines: Any, shop: Shop) -> None:
    with serving(old_data) as running:
        for _ in range(3):
            running.call(running.services.snapshots.refresh, "shop")
            assert running.search(PICTURE).status_code == 409
    (line,) = [line for line in log_lines() if line["event"] == "encoder refused"]
    assert (line["collection"], line["code"]) == ("shop", "encoder-mismatch")
    assert f"--collection shop --data {old_data} " in line["why"]


def test_once_it_is_encoded_again_pictures_are_searched_with(old_data: Path, shop: Shop, tmp_path: Path) -> None:
    data = Path(shutil.copytree(old_data, tmp_path / "data"))
    with serving(data) as running:
        assert running.search(PICTURE).status_code == 409
        assert 'lookalike_searchable_by_picture{collection="shop"} 0.0' in running.get("/metrics").text
        assert index(data, "shop", shop.source / "shop.jsonl", reencode=True) == 2
        running.call(running.services.snapshots.poll_all)
        response = running.search(PICTURE, k=1)
        assert (response.status_code, response.json()["snapshot"]) == (200, 2)
        assert response.json()["results"][0]["score"] == pytest.approx(1, abs=1e-4)
        assert running.get("/health").json()["status"] == "ok"
        assert 'lookalike_searchable_by_picture{collection="shop"} 1.0' in running.get("/metrics").text


def test_a_running_service_keeps_the_snapshot_that_it_can_search_with_pictures(shop: Shop, tmp_path: Path) -> None:
    """A program of another version publishes while an older one serves."""
    data = Path(shutil.copytree(shop.data, tmp_path / "data"))
    (shop_copy := tmp_path / "source").mkdir()
    (shop_copy / "a.png").write_bytes(PICTURE)
    with serving(data) as running:
        index(data, "shop", shop_copy)
        age_encoder(data, "shop")
        running.call(running.services.snapshots.poll_all)
        response = running.search(PICTURE, k=1)
        assert (response.status_code, response.json()["snapshot"]) == (200, 1)
        (row,) = running.get("/collections").json()["collections"]
        assert (row["searchable_by_picture"], row["problem"]["code"]) == (True, "encoder-mismatch")
        assert "snapshot 2 of the collection 'shop' was made by" in row["problem"]["detail"]
        assert "start this service again" in row["problem"]["detail"]


def test_whoever_rolls_back_to_the_old_encoder_is_served_it(old_data: Path, shop: Shop, tmp_path: Path) -> None:
    data = Path(shutil.copytree(old_data, tmp_path / "data"))
    index(data, "shop", shop.source / "shop.jsonl", reencode=True)
    with serving(data) as running:
        assert running.search(PICTURE).json()["snapshot"] == 2
        (data / "collections/shop/current.json").write_text('{"generation": 1}')
        running.call(running.services.snapshots.poll_all)
        assert running.search(key="plain-0").json()["snapshot"] == 1
        assert running.search(PICTURE).json()["code"] == "encoder-mismatch"


def test_weights_that_are_not_installed_keep_nobody_from_searching_by_key(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = False
    data = Path(shutil.copytree(shop.data, tmp_path / "data"))
    manifest = data / "collections/shop/snapshots/00000001/manifest.json"
    manifest.write_text(manifest.read_text().replace('"name": "bundled"', '"name": "resnet50"'))

    def load(request: EncoderRequest, folder: Path) -> ImageEncoder:
        if request.name == "resnet50" and not installed:
            raise EncoderNotInstalledError("its weights are not here", subject="resnet50")
        return load_encoder(EncoderRequest("bundled"), folder)

    monkeypatch.setattr("service.inference.encoder_pool.load_encoder", load)
    with serving(data) as running:
        assert running.search(key="plain-0").status_code == 200
        refused = running.search(PICTURE)
        assert (refused.status_code, refused.json()["code"]) == (409, "encoder-not-installed")
        (why,) = running.get("/health").json()["searchable_by_key_only"].values()
        assert (why["code"], why["command"]) == ("encoder-not-installed", None)
        assert "python -m indexer encoders install resnet50" in why["detail"]
        installed = True
        assert running.post("/collections/shop/refresh").json()["searchable_by_picture"] is True
        assert running.search(PICTURE).status_code == 200
        assert 'lookalike_searchable_by_picture{collection="shop"} 1.0' in running.get("/metrics").text
