"""The review of duplicates over HTTP: groups of the last search, decisions, and where two pictures differ."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from indexer.cli import app
from lookalike.collection.layout import CollectionLayout
from service.settings import ApiKeys
from tests.helpers.scenes import draw_scene, jpeg, png, scaled, write_files
from tests.service.harness import Service, index, serving

BIG, SMALL, TWIN, EDITED = draw_scene(1, (480, 360)), draw_scene(2), draw_scene(3), draw_scene(4, (600, 450))


def edited(image: Image.Image) -> Image.Image:
    """With something in one place that is not in the original."""
    changed = image.copy()
    changed.paste(draw_scene(5, (60, 40)), (300, 200))
    return changed


PICTURES = {
    "big.png": png(BIG),
    "big-small.jpg": jpeg(scaled(BIG, 0.5)),
    "big-copy.jpg": jpeg(BIG, 80),
    "small.png": png(SMALL),
    "small.jpg": jpeg(SMALL, 70),
    "twin.jpg": jpeg(TWIN),
    "twin again.jpg": jpeg(TWIN),
    "sign.png": png(EDITED),
    "sign-edited.png": png(edited(EDITED)),
    "other.jpg": jpeg(draw_scene(9)),
}
PATH = "/collections/album/duplicates"


@dataclass(frozen=True)
class Album:
    """A data folder with the collection ``album``, and its source."""

    data: Path
    source: Path


def search(data: Path, *arguments: str) -> None:
    """``python -m indexer duplicates``."""
    result = CliRunner().invoke(app, ["duplicates", "-c", "album", "--data", str(data), "--json", *arguments])
    assert result.exit_code == 0, result.output


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Album:
    root = tmp_path_factory.mktemp("duplicates")
    source = write_files(root / "pictures", PICTURES)
    for path in source.iterdir():
        os.utime(path, (1_700_000_000, 1_700_000_000))  # else the oldest of equal files is kept, whichever that is
    index(root / "data", "album", source)
    return Album(root / "data", source)


@pytest.fixture(scope="module")
def service(album: Album) -> Iterator[Service]:
    with serving(album.data) as running_service:
        refused = running_service.get(PATH)
        assert (refused.status_code, refused.json()["code"]) == (404, "duplicates-not-searched")
        assert "`python -m indexer duplicates --collection album`" in refused.json()["detail"]
        search(album.data)
        yield running_service


def listed(service: Service, **parameters: object) -> dict[str, Any]:
    response = service.get(PATH, params=parameters)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def keys_of(answer: dict[str, Any]) -> list[list[str]]:
    """The keys of each group."""
    return [[member["key"] for member in group["members"]] for group in answer["groups"]]


def decide(service: Service, decision: str, *keys: str) -> dict[str, Any]:
    response = service.post(f"{PATH}/decisions", data={"key": list(keys), "decision": decision})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_groups_are_listed_by_the_bytes_that_they_free(service: Service, album: Album) -> None:
    answer = listed(service)
    assert keys_of(answer) == [
        ["big.png", "big-copy.jpg", "big-small.jpg"],
        ["twin again.jpg", "twin.jpg"],
        ["small.png", "small.jpg"],
        ["sign-edited.png", "sign.png"],
    ]
    assert [group["kind"] for group in answer["groups"]] == ["copies", "copies", "copies", "edited"]
    freed = [group["freed_bytes"] for group in answer["groups"]]
    assert freed[0] == len(PICTURES["big-copy.jpg"]) + len(PICTURES["big-small.jpg"])
    assert freed[-1] == 0
    assert answer["totals"] == {"groups": 4, "drop": 4, "freed_bytes": sum(freed)}
    assert answer["groups_by_kind"] == {"copies": 3, "edited": 1, "look": 0, "burst": 0}
    assert (answer["snapshot"], answer["searched_snapshot"], answer["outdated"]) == (1, 1, False)
    assert (answer["pictures"], answer["left_out"], answer["folder"]) == (len(PICTURES), 0, str(album.source))
    keep, drop, _ = answer["groups"][0]["members"]
    assert (keep["action"], keep["tier"]) == ("keep", None)
    assert (drop["action"], drop["tier"], drop["location"]) == ("drop", "near-duplicate", "big-copy.jpg")
    assert keep["reason"]
    assert (keep["width"], keep["height"], keep["byte_size"]) == (480, 360, len(PICTURES["big.png"]))
    assert service.get(drop["thumbnail_url"]).status_code == 200


def test_pages_follow_each_other(service: Service) -> None:
    everything = listed(service)["groups"]
    paged, cursor = [], None
    for _ in everything:
        page = listed(service, limit=1, **({} if cursor is None else {"cursor": cursor}))
        assert page["totals"]["groups"] == len(everything)
        paged += page["groups"]
        cursor = page["next_cursor"]
    assert paged == everything
    assert cursor is None


def test_one_kind_alone_can_be_listed(service: Service) -> None:
    answer = listed(service, kind="edited")
    assert keys_of(answer) == [["sign-edited.png", "sign.png"]]
    assert answer["totals"] == {"groups": 1, "drop": 0, "freed_bytes": 0}
    assert answer["groups_by_kind"]["copies"] == 3
    assert service.get(PATH, params={"kind": "other"}).status_code == 422


@pytest.mark.parametrize("cursor", ["nonsense", "W10", "WyIyMDI2LTAxLTAxVDAwOjAwOjAwKzAwOjAwIiwwLDAsIiIsIiJd"])
def test_a_cursor_of_nothing_or_of_another_search_is_refused(service: Service, cursor: str) -> None:
    refused = service.get(PATH, params={"cursor": cursor})
    assert (refused.status_code, refused.json()["code"]) == (422, "field-invalid")
    assert refused.json()["errors"][0]["field"] == "cursor"


def test_an_unchanged_answer_is_not_sent_again(service: Service) -> None:
    tag = service.get(PATH).headers["etag"]
    assert service.get(PATH, headers={"If-None-Match": tag}).status_code == 304


def test_a_group_decided_to_be_none_goes_until_it_is_one_after_all(service: Service) -> None:
    before = listed(service)
    answer = decide(service, "not-duplicates", "small.png", "small.jpg")
    assert answer == {"collection": "album", "decision": "not-duplicates", "pairs": 1, "changed": 1}
    assert ["small.png", "small.jpg"] not in keys_of(listed(service))
    assert decide(service, "not-duplicates", "small.jpg", "small.png")["changed"] == 0
    assert decide(service, "duplicates-after-all", "small.png", "small.jpg")["changed"] == 1
    assert decide(service, "duplicates-after-all", "small.png", "small.jpg")["changed"] == 0
    assert listed(service) == before


def test_a_single_picture_leaves_its_group(service: Service) -> None:
    (group, *_) = listed(service)["groups"]
    decide(service, "not-duplicates", "big.png", "big-small.jpg")
    try:
        (shrunk,) = [each for each in listed(service)["groups"] if each["id"] == group["id"]]
        assert [member["key"] for member in shrunk["members"]] == ["big.png", "big-copy.jpg"]
        assert shrunk["freed_bytes"] == len(PICTURES["big-copy.jpg"])
    finally:
        decide(service, "duplicates-after-all", "big.png", "big-small.jpg")


def test_equal_files_can_be_decided_to_be_no_duplicates(service: Service) -> None:
    assert decide(service, "not-duplicates", "twin.jpg", "twin again.jpg")["pairs"] == 1
    try:
        assert ["twin again.jpg", "twin.jpg"] not in keys_of(listed(service))
    finally:
        decide(service, "duplicates-after-all", "twin.jpg", "twin again.jpg")


@pytest.mark.parametrize(
    ("keys", "decision", "status", "code"),
    [
        (["big.png"], "not-duplicates", 422, "field-invalid"),
        (["big.png", "big.png"], "not-duplicates", 422, "field-invalid"),
        (["big.png", "small.png"], "perhaps", 422, "field-invalid"),
        (["big.png", "nobody.png"], "not-duplicates", 404, "item-not-found"),
        (["big.png"] * 101, "not-duplicates", 422, "field-invalid"),
    ],
)
def test_a_decision_that_means_nothing_is_refused(
    service: Service, keys: list[str], decision: str, status: int, code: str
) -> None:
    refused = service.post(f"{PATH}/decisions", data={"key": keys, "decision": decision})
    assert (refused.status_code, refused.json()["code"]) == (status, code)


def test_where_two_pictures_differ_is_shown_in_both(service: Service) -> None:
    response = service.get(f"{PATH}/difference", params={"first": "sign.png", "second": "sign-edited.png"})
    answer = response.json()
    assert response.status_code == 200, response.text
    assert (answer["tier"], answer["tier_problem"]) == ("near-duplicate", None)
    assert "differ in 1 place" in answer["keep_both"]
    (difference,) = answer["differs_at"]
    for side in ("first", "second"):
        x0, y0, x1, y1 = difference[side]
        assert x0 < 330 / 600 < x1
        assert y0 < 220 / 450 < y1
        assert (x1 - x0) * (y1 - y0) < 0.1
    same = service.get(f"{PATH}/difference", params={"first": "twin.jpg", "second": "twin again.jpg"}).json()
    assert (same["tier"], same["keep_both"], same["differs_at"]) == ("same-bytes", None, [])


def test_a_difference_needs_two_pictures_that_are_there(service: Service, album: Album) -> None:
    missing = service.get(f"{PATH}/difference", params={"first": "sign.png", "second": "nobody.png"})
    assert (missing.status_code, missing.json()["code"]) == (404, "item-not-found")
    assert service.get(f"{PATH}/difference", params={"first": "sign.png"}).status_code == 422
    file = album.source / "other.jpg"
    content = file.read_bytes()
    file.unlink()
    try:
        answer = service.get(f"{PATH}/difference", params={"first": "sign.png", "second": "other.jpg"}).json()
        assert answer["tier"] is None
        assert "no longer exists" in answer["tier_problem"]
    finally:
        file.write_bytes(content)


def test_reading_keys_may_look_but_not_decide(album: Album, service: Service) -> None:
    assert listed(service)
    reading = {"Authorization": "Bearer a-key-for-reading-1"}
    with serving(album.data, keys=ApiKeys.parse(["read:a-key-for-reading-1", "write:a-key-for-writing-2"])) as locked:
        assert locked.get(PATH).status_code == 401
        assert locked.get(PATH, headers=reading).status_code == 200
        form = {"key": ["big.png", "small.png"], "decision": "duplicates-after-all"}
        refused = locked.post(f"{PATH}/decisions", data=form, headers=reading)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        writing = {"Authorization": "Bearer a-key-for-writing-2"}
        assert locked.post(f"{PATH}/decisions", data=form, headers=writing).status_code == 200


def test_what_is_gone_or_changed_since_the_search_is_left_out(tmp_path: Path) -> None:
    source = write_files(tmp_path / "pictures", PICTURES)
    data = tmp_path / "data"
    index(data, "album", source)
    search(data)
    (source / "big-small.jpg").unlink()  # a copy: its group is smaller now
    (source / "small.png").unlink()  # the one to keep: nothing is known of its copies
    (source / "twin.jpg").write_bytes(jpeg(draw_scene(20)))  # one of two: a group of one is none
    index(data, "album", source)
    with serving(data) as service:
        answer = listed(service)
    assert keys_of(answer) == [["big.png", "big-copy.jpg"], ["sign-edited.png", "sign.png"]]
    assert (answer["searched_snapshot"], answer["snapshot"]) == (1, 2)
    assert (answer["outdated"], answer["left_out"]) == (True, 3)
    assert answer["totals"] == {"groups": 2, "drop": 1, "freed_bytes": len(PICTURES["big-copy.jpg"])}


def test_a_later_search_is_shown_at_once_and_one_against_others_is_not(tmp_path: Path) -> None:
    source = write_files(tmp_path / "pictures", {key: PICTURES[key] for key in ("small.png", "small.jpg")})
    data = tmp_path / "data"
    index(data, "album", source)
    with serving(data) as service:
        search(data, "--tier", "same-bytes")
        assert keys_of(listed(service)) == []
        search(data, "--against", str(write_files(tmp_path / "others", {"a.png": PICTURES["small.png"]})))
        assert keys_of(listed(service)) == []
        search(data)
        assert keys_of(listed(service)) == [["small.png", "small.jpg"]]
        (CollectionLayout.of(data / "collections", "album").root / "duplicates.json").unlink()
        assert service.get(PATH).json()["code"] == "duplicates-not-searched"
