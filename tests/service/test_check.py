"""``POST /collections/{name}/check``: whether a picture is new before it is added, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from lookalike.images import encode_jpeg, encode_png
from lookalike.testing import make_picture
from service.check import orientations
from tests.service.harness import Service, index, serving

RGB = npt.NDArray[np.uint8]
PHOTO = make_picture(500, (320, 240))
KEY = "photo.png"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    root = tmp_path_factory.mktemp("check")
    folder = root / "pictures"
    folder.mkdir()
    (folder / KEY).write_bytes(encode_png(PHOTO))
    (folder / "gone.png").write_bytes(encode_png(make_picture(8, (320, 240))))
    for seed in range(20, 40):
        (folder / f"other-{seed}.png").write_bytes(encode_png(make_picture(seed, (320, 240))))
    index(root / "data", "album", folder)
    (folder / "gone.png").unlink()
    with serving(root / "data") as running_service:
        yield running_service


def check(service: Service, picture: bytes, **fields: str) -> dict[str, Any]:
    response = service.post("/collections/album/check", files={"image": ("sent.png", picture)}, data=fields)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def edited(picture: RGB) -> RGB:
    """With a spot that is not in the original."""
    changed = picture.copy()
    changed[100:116, 60:80] = (255, 255, 255)
    changed[104:110, 66:74] = (0, 0, 0)
    return changed


def test_a_picture_that_is_there_is_told_as_the_same_bytes(service: Service) -> None:
    answer = check(service, encode_png(PHOTO))
    assert (answer["verdict"], answer["redundant"]) == ("same-bytes", True)
    assert answer["matches"][0]["key"] == KEY
    assert answer["matches"][0]["differs_at"] == []


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: picture[::2, ::2],
        np.rot90,
        lambda picture: np.rot90(picture, 2),
        lambda picture: picture[:, ::-1],
        lambda picture: np.rot90(picture)[:, ::-1],
    ],
    ids=["half as large", "turned by 90", "turned by 180", "mirrored", "turned and mirrored"],
)
def test_a_copy_is_found_however_it_is_turned(service: Service, change: Callable[[RGB], RGB]) -> None:
    answer = check(service, encode_jpeg(np.ascontiguousarray(change(PHOTO)), 85))
    assert (answer["verdict"], answer["redundant"]) == ("near-duplicate", True)
    assert answer["matches"][0]["key"] == KEY


def test_an_edited_copy_is_no_reason_not_to_add_it_and_the_place_is_given(service: Service) -> None:
    answer = check(service, encode_png(edited(PHOTO)))
    match = answer["matches"][0]
    assert (match["key"], answer["verdict"], answer["redundant"]) == (KEY, "near-duplicate", False)
    assert match["keep_both"] == "they differ in 1 place"
    for box in match["differs_at"][0].values():
        assert box == pytest.approx([60 / 320, 100 / 240, 80 / 320, 116 / 240], abs=0.03)


def test_a_picture_like_none_is_new(service: Service) -> None:
    answer = check(service, encode_png(make_picture(999, (320, 240))), threshold="1.0")
    assert (answer["verdict"], answer["redundant"], answer["matches"]) == ("new", False, [])


def test_what_counts_as_similar_is_the_threshold_and_k_limits_the_list(service: Service) -> None:
    answer = check(service, encode_png(make_picture(999, (320, 240))), threshold="0.0", k="3")
    assert answer["verdict"] == "similar"
    assert [match["tier"] for match in answer["matches"]] == ["similar"] * 3
    scores = [match["score"] for match in answer["matches"]]
    assert scores == sorted(scores, reverse=True)


def test_a_candidate_whose_file_is_gone_is_named(service: Service) -> None:
    answer = check(service, encode_png(make_picture(8, (320, 240))))
    assert "gone.png" in answer["unread"]
    assert "gone.png" not in [match["key"] for match in answer["matches"]]


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [("album", {"k": "0"}, 422), ("album", {"k": "25"}, 422), ("album", {"box": "0,0,1,1"}, 422), ("none", {}, 404)],
)
def test_a_wrong_request_is_refused(service: Service, path: str, fields: dict[str, str], status: int) -> None:
    files = {"image": ("sent.png", encode_png(PHOTO))}
    response = service.post(f"/collections/{path}/check", files=files, data=fields)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"


def test_nothing_but_a_picture_is_checked(service: Service) -> None:
    assert service.post("/collections/album/check", data={"k": "3"}).status_code == 422
    assert service.post("/collections/album/check", files={"image": ("a.png", b"no picture")}).status_code == 415


def test_the_eight_orientations_are_different_and_include_the_picture_as_it_is() -> None:
    square = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    turned = orientations(square)
    assert len({picture.tobytes() for picture in turned}) == 8
    np.testing.assert_array_equal(turned[0], square)
