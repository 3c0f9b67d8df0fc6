"""Why two pictures are alike, over HTTP."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from lookalike import Encoder
from lookalike.images import encode_png
from lookalike.testing import make_picture
from tests.service.conftest import Shop
from tests.service.harness import Service, index, serving


def explained(service: Service, a: bytes | str, b: bytes | str, **fields: str) -> dict[str, Any]:
    files = {name: (None, it) if isinstance(it, str) else it for name, it in (("image_a", a), ("image_b", b))}
    response = service.post("/compare", files=files, data={"explain": "true", **fields})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def heat_of(uri: str) -> npt.NDArray[np.float64]:
    head, _, data = uri.partition(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert picture.mode == "L"
        return np.asarray(picture) / 255


def test_the_shares_of_the_parts_and_the_rest_sum_to_the_score(service: Service) -> None:
    answer = explained(service, encode_png(make_picture(500)), encode_png(make_picture(512)))
    stages = len(Encoder.load("bundled").spec.stages)
    assert [part["name"] for part in answer["parts"]] == [
        *(f"stage-{number + 1}" for number in range(stages)),
        "colour",
    ]
    assert all(-1 <= part["score"] <= 1 for part in answer["parts"])
    total = sum(part["share"] for part in answer["parts"]) + answer["rest"]
    assert total == pytest.approx(answer["score"], abs=1e-4)
    assert answer["took_ms"]["explain"] > 0
    plain = service.post(
        "/compare", files={"image_a": encode_png(make_picture(500)), "image_b": encode_png(make_picture(512))}
    ).json()
    assert (plain["score"], plain["tier"]) == (pytest.approx(answer["score"], abs=1e-5), answer["tier"])
    assert "explain" not in plain["took_ms"]


def test_every_part_finds_a_picture_to_be_like_itself(service: Service) -> None:
    picture = encode_png(make_picture(3))
    answer = explained(service, picture, picture)
    assert [part["score"] for part in answer["parts"]] == pytest.approx([1.0] * len(answer["parts"]), abs=1e-4)
    first, second = (heat_of(uri) for uri in answer["heat_maps"])
    np.testing.assert_array_equal(first, second)


def test_the_heat_maps_are_those_of_the_library_in_the_order_of_the_pictures(service: Service) -> None:
    wide, tall = make_picture(5, (120, 60)), make_picture(6, (60, 120))
    answer = explained(service, encode_png(wide), encode_png(tall))
    expected = Encoder.load("bundled").explain(wide, tall)
    assert [part["score"] for part in answer["parts"]] == pytest.approx(
        [part.score for part in expected.parts], abs=1e-5
    )
    for uri, heat in zip(answer["heat_maps"], expected.heat_maps, strict=True):
        decoded_heat = heat_of(uri)
        assert decoded_heat.shape == (36, 36)
        assert decoded_heat.max() == 1.0
        np.testing.assert_allclose(decoded_heat, heat, atol=0.5 / 255 + 1e-3)


def test_indexed_pictures_are_explained_from_their_files(service: Service, shop: Shop) -> None:
    by_key = explained(service, "plain-0", "plain-1", collection="shop")
    by_file = explained(service, shop.picture("plain-0"), shop.picture("plain-1"), collection="shop")
    for name in ("tier", "heat_maps"):
        assert by_key[name] == by_file[name], name
    # A sum in float32 may end in another last digit from one request to the next.
    for name in ("score", "rest"):
        assert by_key[name] == pytest.approx(by_file[name], abs=1e-5), name
    assert [part["name"] for part in by_key["parts"]] == [part["name"] for part in by_file["parts"]]
    assert [part["score"] for part in by_key["parts"]] == pytest.approx(
        [part["score"] for part in by_file["parts"]], abs=1e-5
    )


@pytest.fixture(scope="module")
def harmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A collection whose first picture was replaced and whose second is gone."""
    root: Path = tmp_path_factory.mktemp("harmed")
    (root / "pictures").mkdir()
    for seed in range(3):
        (root / f"pictures/{seed}.png").write_bytes(encode_png(make_picture(seed)))
    index(root / "data", "harmed", root / "pictures")
    (root / "pictures/0.png").write_bytes(encode_png(make_picture(99)))
    (root / "pictures/1.png").unlink()
    with serving(root / "data") as running:
        yield running


@pytest.mark.parametrize(("key", "status", "code"), [("0.png", 409, "item-changed"), ("1.png", 404, "entry-missing")])
def test_a_picture_that_came_to_harm_cannot_be_explained(harmed: Service, key: str, status: int, code: str) -> None:
    fields = {"image_a": key, "image_b": "2.png", "collection": "harmed"}
    refused = harmed.post("/compare", data=fields | {"explain": "true"})
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert harmed.post("/compare", data=fields).status_code == 200


def test_the_same_score_in_words_of_the_report_has_no_explanation(service: Service) -> None:
    picture = encode_png(make_picture(1))
    refused = service.post(
        "/cosine_similarity_score", files={"image_1": picture, "image_2": picture}, data={"explain": "true"}
    )
    assert (refused.status_code, refused.json()["code"]) == (422, "field-invalid")
