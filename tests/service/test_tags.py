"""Automatic tags over HTTP: of a picture that is sent, and of the items of a collection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike import Encoder
from lookalike.encoder.base import RGB
from lookalike.images import encode_png
from lookalike.options import Places
from lookalike.testing import make_picture
from tests.helpers.tag_heads import SURE, heads_of, write_head
from tests.service.harness import serving
from tests.service.test_item_changes import Shelf

DOG, MUG, OTHER = (make_picture(seed) for seed in (911, 912, 913))
DOG_WORDS = ["beagle", "hound", "dog", "mammal", "animal"]
TAGGED = {"encoder": "bundled", "auto_tags": "true"}


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The network in the box knows two of the pictures."""
    folder = tmp_path_factory.mktemp("heads")
    encoder = Encoder.load("bundled")
    vectors = encoder.encode([DOG, MUG])
    write_head(folder / "h.safetensors", encoder.spec.digest, {"beagle": vectors[0], "coffee mug": vectors[1]})
    with heads_of(folder):
        yield


@pytest.fixture
def shelf(heads: None, tmp_path: Path) -> Iterator[Shelf]:
    """An empty collection whose pictures are tagged."""
    with serving(tmp_path / "data") as service:
        made = service.request("PUT", "/collections/shelf", data=TAGGED)
        assert (made.status_code, made.json()["auto_tags"]) == (201, True)
        yield Shelf(service, tmp_path / "data", tmp_path)


def png(picture: RGB) -> bytes:
    return encode_png(picture)


def metadata(answer: Any) -> dict[str, Any]:
    assert answer.status_code in {200, 201}, answer.text
    columns: dict[str, Any] = answer.json()["item"]["metadata"]
    return columns


def test_a_picture_that_is_sent_gets_its_words_with_their_confidences(shelf: Shelf) -> None:
    answer = shelf.service.post("/tags", data={"collection": "shelf"}, files={"image": png(DOG)})
    assert answer.status_code == 200, answer.text
    assert [tag["word"] for tag in answer.json()["tags"]] == DOG_WORDS
    assert {tag["confidence"] for tag in answer.json()["tags"]} == {SURE}
    assert answer.json()["encoder"] == "bundled"
    nothing = shelf.service.post("/tags", data={"collection": "shelf"}, files={"image": png(OTHER)})
    assert nothing.json()["tags"] == []


def test_a_confidence_out_of_range_and_an_encoder_without_words_are_refused(shelf: Shelf) -> None:
    wrong = shelf.service.post("/tags", data={"min_confidence": "1.5"}, files={"image": png(DOG)})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "min_confidence")
    none = shelf.service.post("/tags", data={"encoder": "bundled-resnet18"}, files={"image": png(DOG)})
    assert (none.status_code, none.json()["code"]) == (422, "tags-unavailable")
    made = shelf.service.request("PUT", "/collections/other", data=TAGGED | {"encoder": "bundled-resnet18"})
    assert (made.status_code, made.json()["code"]) == (422, "tags-unavailable")
    assert shelf.service.get("/collections/other").status_code == 404


def test_items_are_tagged_when_they_are_sent_and_found_by_filter_and_facet(shelf: Shelf) -> None:
    answer = metadata(shelf.put("a", png(DOG), metadata={"price": 5}))
    assert answer == {"price": 5, "auto_tags": DOG_WORDS, "auto_tags_confidence": [SURE] * 5}
    shelf.put("b", png(OTHER))
    found = shelf.service.search(png(OTHER), collection="shelf", filter="auto_tags = dog").json()["results"]
    assert [(hit["key"], hit["metadata"]["auto_tags"]) for hit in found] == [("a", DOG_WORDS)]
    facets = shelf.service.get("/collections/shelf/facets", params={"names": "auto_tags"}).json()["facets"]
    assert {entry["value"] for entry in facets["auto_tags"]["values"]} == set(DOG_WORDS)


def test_another_picture_has_other_tags_and_metadata_alone_keep_them(shelf: Shelf) -> None:
    shelf.put("a", png(DOG))
    assert metadata(shelf.put("a", metadata={"price": 5}))["auto_tags"] == DOG_WORDS
    assert metadata(shelf.patch("a", metadata={"price": 6}))["price"] == 6
    assert metadata(shelf.put("a", png(MUG)))["auto_tags"] == ["coffee mug"]


def test_a_correction_stays_through_other_pictures_and_can_be_taken_back(shelf: Shelf) -> None:
    shelf.put("a", png(DOG))
    corrected = metadata(shelf.patch("a", metadata={"auto_tags": ["our dog", "dog", "animal", "mammal"]}))
    assert corrected["auto_tags"] == ["our dog", "dog", "mammal", "animal"]
    assert corrected["auto_tags_confidence"] == [1.0, SURE, SURE, SURE]
    assert metadata(shelf.put("a", png(MUG)))["auto_tags"] == ["our dog", "coffee mug"]
    assert metadata(shelf.put("a", png(DOG)))["auto_tags"] == ["our dog", "dog", "mammal", "animal"]
    assert metadata(shelf.patch("a", metadata={"auto_tags": None}))["auto_tags"] == DOG_WORDS


def test_a_correction_that_is_no_list_of_words_is_refused(shelf: Shelf) -> None:
    shelf.put("a", png(DOG))
    for columns in ({"auto_tags": "dog"}, {"auto_tags_confidence": [1.0]}):
        refused = shelf.patch("a", metadata=columns)
        assert (refused.status_code, refused.json()["code"]) == (422, "metadata-invalid")
        assert next(iter(columns)) in refused.json()["detail"]


def test_all_items_that_pass_a_filter_are_corrected_at_once(shelf: Shelf) -> None:
    shelf.put("a", png(DOG))
    shelf.put("b", png(DOG))
    data = {"filter": "auto_tags = beagle", "metadata": json.dumps({"auto_tags": ["dog"]})}
    answer = shelf.service.request("PATCH", "/collections/shelf/items", data=data)
    assert (answer.status_code, answer.json()["changed"]) == (200, 2)
    assert [shelf.get(key).json()["metadata"]["auto_tags"] for key in "ab"] == [["dog"], ["dog"]]


def test_tags_are_opt_in_and_a_column_of_ones_own_is_never_overwritten(heads: None, tmp_path: Path) -> None:
    with serving(tmp_path / "data") as service:
        shelf = Shelf(service, tmp_path / "data", tmp_path)
        assert not service.request("PUT", "/collections/shelf", data={"encoder": "bundled"}).json()["auto_tags"]
        assert metadata(shelf.put("a", png(DOG), metadata={"auto_tags": "mine"})) == {"auto_tags": "mine"}
        refused = service.request("PATCH", "/collections/shelf", data={"auto_tags": "true"})
        assert (refused.status_code, refused.json()["code"]) == (409, "column-conflict")
        assert "the first is 'a'" in refused.json()["detail"]
        shelf.patch("a", metadata={"auto_tags": None, "mine": "yes"})
        assert service.request("PATCH", "/collections/shelf", data={"auto_tags": "true"}).json()["auto_tags"] is True
        assert "auto_tags" not in shelf.get("a").json()["metadata"], "it was stored before"
        assert metadata(shelf.patch("a", metadata={"price": 1})) == {
            "mine": "yes",
            "price": 1,
            "auto_tags": DOG_WORDS,
            "auto_tags_confidence": [SURE] * 5,
        }
        other = service.request("PUT", "/collections/shelf", data={"auto_tags": "false"})
        assert (other.status_code, "with other auto_tags" in other.json()["detail"]) == (409, True)


def test_tags_are_published_with_the_next_snapshot(shelf: Shelf) -> None:
    shelf.put("a", png(DOG))
    shelf.service.post("/collections/shelf/fold")
    assert shelf.get("a").json()["metadata"]["auto_tags"] == DOG_WORDS
    assert shelf.service.get("/collections/shelf").json()["pending"] == 0
    assert np.isclose(shelf.best(png(DOG))[0][1], 1.0)
    assert Places(shelf.data).collections_dir.is_dir()
