"""Comparing two pictures, and embeddings, over HTTP."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike import Encoder
from lookalike.images import encode_png
from lookalike.testing import make_picture
from tests.service.conftest import Shop
from tests.service.harness import Service, without_times
from tests.service.test_searching import DEFAULT

ONE, OTHER = encode_png(make_picture(500)), encode_png(make_picture(512))


def vector(service: Service, picture: bytes, **fields: str) -> list[float]:
    numbers: list[float] = service.post("/embed", data=fields, files={"image": picture}).json()["vector"]
    return numbers


def test_a_picture_is_like_itself(service: Service) -> None:
    response = service.post("/compare", files={"image_a": ONE, "image_b": ONE})
    answer = response.json()
    took = answer.pop("took_ms")
    assert answer.pop("score") == pytest.approx(1.0, abs=1e-5)
    assert answer.pop("normalized_score") == pytest.approx(1.0, abs=1e-5)
    assert answer == {
        "similar": True,
        "confidence": None,
        "confidence_problem": "decided on pixels, whatever the score is",
        "tier": "same-bytes",
        "tier_problem": None,
        "keep_both": None,
        "differs_at": [],
        "threshold": DEFAULT,
        "parts": None,
        "rest": None,
        "heat_maps": None,
        "encoder": "bundled",
        "input_size": Encoder.load("bundled").spec.input_size,
    }
    assert set(took) == {"load", "decode", "pixels", "encode", "total"}
    assert [word.split(";")[0] for word in response.headers["server-timing"].split(", ")] == list(took)


def test_the_score_is_the_inner_product_of_the_embeddings(service: Service) -> None:
    expected = float(np.dot(vector(service, ONE), vector(service, OTHER)))
    answer = service.post("/compare", files={"image_a": ONE, "image_b": OTHER}).json()
    assert answer["score"] == pytest.approx(expected, abs=1e-5)
    assert answer["normalized_score"] == pytest.approx((expected + 1) / 2, abs=1e-5)


def test_the_verdict_follows_the_threshold_given(service: Service) -> None:
    def verdict(threshold: float) -> object:
        files = {"image_a": ONE, "image_b": OTHER}
        answer = service.post("/compare", files=files, data={"threshold": str(threshold)}).json()
        assert answer["threshold"] == {"value": threshold, "source": "given", "precision": None, "recall": None}
        return answer["similar"]

    score = (float(np.dot(vector(service, ONE), vector(service, OTHER))) + 1) / 2
    assert [verdict(round(score - 0.01, 4)), verdict(round(score + 0.01, 4)), verdict(0.0)] == [True, False, True]


def test_indexed_pictures_are_compared_by_key(service: Service, shop: Shop) -> None:
    files = {"image_a": shop.picture("plain-0"), "image_b": shop.picture("plain-1")}
    by_file = service.post("/compare", files=files).json()["score"]
    by_key = service.post("/compare", data={"image_a": "plain-0", "image_b": "plain-1", "collection": "shop"}).json()
    mixed = service.post("/compare", files={"image_a": files["image_a"]}, data={"image_b": "plain-1"}).json()
    itself = service.post("/compare", files={"image_b": files["image_b"]}, data={"image_a": "plain-1"}).json()
    assert by_key["score"] == pytest.approx(by_file, abs=1e-5)
    assert mixed["score"] == pytest.approx(by_file, abs=1e-5)
    assert itself["score"] == pytest.approx(1.0, abs=1e-5)
    assert by_key["took_ms"]["encode"] == 0
    assert (by_key["encoder"], by_key["input_size"]) == ("bundled", Encoder.load("bundled").spec.input_size)


def test_another_input_size_is_another_encoder_for_keys_too(service: Service, shop: Shop) -> None:
    size = {"input_size": "64", "encoder": "bundled"}
    files = {"image_a": shop.picture("plain-0"), "image_b": shop.picture("plain-1")}
    by_file = service.post("/compare", data=size, files=files).json()
    by_key = service.post("/compare", data=size | {"image_a": "plain-0", "image_b": "plain-1"}).json()
    assert without_times(by_key) == without_times(by_file)
    assert by_file["input_size"] == 64
    assert by_file["score"] != pytest.approx(service.post("/compare", files=files).json()["score"], abs=1e-4)


def test_a_score_in_the_words_of_the_report(service: Service) -> None:
    compared = service.post("/compare", files={"image_a": ONE, "image_b": OTHER}).json()
    for second_picture, verdict in ((OTHER, "No"), (ONE, "Yes")):
        answer = service.post("/cosine_similarity_score", files={"image_1": ONE, "image_2": second_picture}).json()
        assert list(answer) == ["Similarity Score", "Are the images similar?", "Time taken in milliseconds"]
        assert answer["Are the images similar?"] == verdict
        assert answer["Time taken in milliseconds"] > 0
        expected = compared["normalized_score"] if second_picture is OTHER else 1.0
        assert answer["Similarity Score"] == pytest.approx(expected, abs=1e-5)


def test_the_report_takes_the_encoder_out_of_the_query(service: Service) -> None:
    files = {"image_1": ONE, "image_2": OTHER}
    named = service.post("/cosine_similarity_score?model_name=bundled", files=files)
    assert named.json()["Similarity Score"] == pytest.approx(
        service.post("/cosine_similarity_score", files=files).json()["Similarity Score"], abs=1e-5
    )
    missing = service.post("/cosine_similarity_score?model_name=resnet18", files=files)
    assert (missing.status_code, missing.json()["code"]) == (409, "encoder-not-installed")
    unknown = service.post("/cosine_similarity_score?model_name=resnet1800", files=files)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "encoder-unknown")
    two = service.post("/cosine_similarity_score?model_name=bundled", files=files | {"image_2": b""})
    assert (two.status_code, two.json()["code"]) == (422, "image-empty")


@pytest.mark.parametrize("size", [0, 16, 500, 513, 1024, 10**30])
def test_every_impossible_input_size_gets_the_same_sentence(service: Service, size: int) -> None:
    for path, files in (("/compare", {"image_a": ONE, "image_b": OTHER}), ("/embed", {"image": ONE})):
        refused = service.post(path, data={"input_size": str(size)}, files=files)
        assert (refused.status_code, refused.json()["code"]) == (422, "encoder-options-invalid")
        assert refused.json()["detail"] == (
            f"input_size {size} is not possible: choose 224, or a multiple of 16 from 32 to 512"
        )


def test_what_is_not_installed_says_how_to_get_it_and_under_which_licence(service: Service) -> None:
    for name, command in (("resnet18", "install resnet18"), ("bundled-resnet18-int8", "quantise bundled-resnet18")):
        refused = service.post("/embed", data={"encoder": name}, files={"image": ONE}).json()
        assert refused["code"] == "encoder-not-installed"
        assert f"`python -m indexer encoders {command}`" in refused["detail"]
    rows = {row["name"]: row for row in service.get("/encoders").json()["encoders"]}
    assert {name: rows[name]["licence"] for name in ("resnet50", "vgg16")} == {
        "resnet50": "apache-2.0",
        "vgg16": "bsd-3-clause",
    }


def test_an_embedding_has_unit_length_and_says_whose_it_is(service: Service) -> None:
    answer = service.post("/embed", files={"image": ONE}).json()
    encoder = service.get("/collections/shop").json()["encoder"]
    assert np.linalg.norm(answer["vector"]) == pytest.approx(1.0, abs=1e-5)
    spec = Encoder.load("bundled").spec
    assert len(answer["vector"]) == answer["dimension"] == encoder["dimension"] == spec.dimension
    assert (answer["encoder"], answer["input_size"]) == ("bundled", spec.input_size)
    assert answer["encoder_digest"] == encoder["digest"]
    assert vector(service, ONE, collection="shop") == pytest.approx(answer["vector"], abs=1e-6)


def test_an_embedding_of_another_size_may_not_be_compared_and_says_so(service: Service) -> None:
    usual = service.post("/embed", files={"image": ONE}).json()
    smaller = service.post("/embed", files={"image": ONE}, data={"input_size": "96"}).json()
    assert smaller["input_size"] == 96
    assert smaller["encoder_digest"] != usual["encoder_digest"]


def test_a_box_of_a_picture_has_the_embedding_of_the_cut_out_part(service: Service) -> None:
    picture = make_picture(77)
    part = encode_png(np.ascontiguousarray(picture[36:, 48:]))
    boxed = vector(service, encode_png(picture), box="0.5,0.5,1,1")
    assert boxed == pytest.approx(vector(service, part), abs=1e-6)
    assert float(np.dot(boxed, vector(service, encode_png(picture)))) < 0.99


def test_a_collection_and_an_encoder_cannot_both_say_which_embedding_is_wanted(service: Service) -> None:
    for fields in ({"encoder": "bundled"}, {"input_size": "96"}):
        refused = service.post("/embed", files={"image": ONE}, data={"collection": "shop"} | fields)
        assert (refused.status_code, refused.json()["code"]) == (422, "field-invalid")
        assert "send collection, which has its own encoder, or encoder" in refused.json()["detail"]


def test_files_of_the_server_cannot_be_named_as_an_encoder(service: Service) -> None:
    for name in ("resnet18:/etc/passwd", "../secret", "bundled/../x", ":hub"):
        refused = service.post("/compare", files={"image_a": ONE, "image_b": ONE}, data={"encoder": name})
        assert (refused.status_code, refused.json()["code"]) == (404, "encoder-unknown"), name


def test_encoders_are_listed_with_whether_they_can_be_used(service: Service) -> None:
    rows = {row["name"]: row for row in service.get("/encoders").json()["encoders"]}
    spec = Encoder.load("bundled").spec
    assert rows["bundled"] == {
        "name": "bundled",
        "installed": True,
        "loaded": True,
        "dimension": spec.dimension,
        "input_size": spec.input_size,
        "licence": None,
        "threshold": DEFAULT,
    }
    assert (rows["resnet50"]["installed"], rows["resnet50"]["loaded"], rows["resnet50"]["dimension"]) == (
        False,
        False,
        None,
    )
