"""Many items as few: copies, bursts and products as one card with a count, in lists and in searches."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from indexer.cli import app
from lookalike import Collection
from lookalike.errors import FilterInvalidError
from tests.helpers.scenes import draw_scene, jpeg, png, scaled, write_files
from tests.service.harness import Service, index, serving
from tests.service.test_client import client_of

BIG, TWIN, OTHER = draw_scene(1, (480, 360)), draw_scene(3), draw_scene(9)
PATH = "/collections/album/items"


def shot(seed: int, second: int) -> bytes:
    """A picture of a camera, taken at this second."""
    exif = Image.Exif()
    exif[271], exif[272] = "Maker", "Camera"
    exif.get_ifd(0x8769)[36867] = f"2024:05:31 12:00:{second:02}"
    file = io.BytesIO()
    image = draw_scene(seed, (480, 360))
    image.paste(draw_scene(seed + 50, (60, 60)), (10 + 40 * second, 20 * second))
    image.save(file, "JPEG", quality=92, exif=exif)
    return file.getvalue()


PICTURES = {
    "a-small.jpg": jpeg(scaled(BIG, 0.5)),
    "b-big.png": png(BIG),
    "c-copy.jpg": jpeg(BIG, 80),
    "d-twin.jpg": jpeg(TWIN),
    "e-twin.jpg": jpeg(TWIN),
    "f-other.jpg": jpeg(OTHER),
    "g-shot.jpg": shot(20, 1),
    "h-shot.jpg": shot(20, 3),
}
PRODUCTS = {"a-small.jpg": "p-1", "b-big.png": "p-2", "c-copy.jpg": "p-1", "d-twin.jpg": "p-2", "f-other.jpg": "p-1"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("stacks")
    source = write_files(root / "pictures", PICTURES)
    for path in source.iterdir():
        os.utime(path, (1_700_000_000, 1_700_000_000))
    rows = [f"{name},{PRODUCTS.get(name, '')},{number}\n" for number, name in enumerate(PICTURES)]
    (source / "items.csv").write_text("path,product_id,number\n" + "".join(rows))
    index(root / "data", "album", source / "items.csv")
    return root / "data"


@pytest.fixture(scope="module")
def service(data: Path) -> Iterator[Service]:
    with serving(data) as running:
        refused = running.get(PATH, params={"stack": "copies"})
        assert (refused.status_code, refused.json()["code"]) == (422, "filter-invalid")
        assert "has not been searched for duplicates yet" in refused.json()["detail"]
        result = CliRunner().invoke(app, ["duplicates", "-c", "album", "--data", str(data)])
        assert result.exit_code == 0, result.output
        yield running


def cards(service: Service, **parameters: Any) -> dict[str, int]:
    """By key how many items a card has, in the order of the list."""
    response = service.get(PATH, params=parameters)
    assert response.status_code == 200, response.text
    return {item["key"]: item["group_count"] for item in response.json()["items"]}


ALL = {"b-big.png": 3, "d-twin.jpg": 2, "f-other.jpg": 1, "g-shot.jpg": 1, "h-shot.jpg": 1}


def test_copies_are_one_card_of_the_one_to_keep(service: Service) -> None:
    answer = service.get(PATH, params={"stack": "copies"}).json()
    assert {item["key"]: item["group_count"] for item in answer["items"]} == ALL
    assert (answer["count"], answer["passing"]) == (5, 8)
    names = {item["key"]: item["group"] for item in answer["items"]}
    assert names["f-other.jpg"] is None
    groups = service.get("/collections/album/duplicates", params={"kind": "copies"}).json()["groups"]
    assert {names["b-big.png"], names["d-twin.jpg"]} == {group["id"] for group in groups}
    plain = service.get(PATH).json()
    assert (plain["passing"], plain["items"][0]["group_count"]) == (None, None)


def test_only_what_passes_is_counted_and_another_stands_for_a_kept_one_that_does_not(service: Service) -> None:
    assert cards(service, stack="copies", filter="number in (0, 2, 4)") == {"a-small.jpg": 2, "e-twin.jpg": 1}
    assert cards(service, stack="copies", filter="product_id exists") == {
        "b-big.png": 3, "d-twin.jpg": 1, "f-other.jpg": 1,
    }  # fmt: skip


def test_shots_of_one_burst_are_one_card_with_their_copies(service: Service) -> None:
    expected = {"b-big.png": 3, "d-twin.jpg": 2, "f-other.jpg": 1, "g-shot.jpg": 2}
    assert cards(service, stack="bursts") == expected


def test_items_of_one_value_are_one_card_page_by_page_and_in_the_order_of_a_field(service: Service) -> None:
    expected = {"a-small.jpg": 3, "b-big.png": 2, "e-twin.jpg": 1, "g-shot.jpg": 1, "h-shot.jpg": 1}
    assert cards(service, group_by="product_id") == expected
    descending = cards(service, group_by="product_id", order_by="number", order="desc")
    assert list(descending.items()) == list(reversed(expected.items()))
    found: dict[str, int] = {}
    cursor: dict[str, str] = {}
    while True:
        page = service.get(PATH, params={"group_by": "product_id", "limit": 2} | cursor).json()
        found |= {item["key"]: item["group_count"] for item in page["items"]}
        assert page["count"] == 5
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert found == expected
    sample = service.get(PATH, params={"group_by": "product_id", "sample": 3}).json()
    assert {item["key"] for item in sample["items"]} <= set(expected)
    assert {item["group_count"] for item in sample["items"]} <= {1, 2, 3}


def test_a_search_counts_the_items_of_each_group_not_only_the_hits(service: Service) -> None:
    hits = service.search(PICTURES["b-big.png"], collection="album", k=3, stack="copies").json()["results"]
    counts = {hit["key"]: hit["group_count"] for hit in hits}
    assert {key: ALL[key] for key in counts if key in ALL} == {key: counts[key] for key in counts if key in ALL}
    assert hits[0]["group_count"] == 3
    assert hits[0]["group"] is not None
    hits = service.search(PICTURES["f-other.jpg"], collection="album", k=2, group_by="product_id").json()["results"]
    assert (hits[0]["key"], hits[0]["group"], hits[0]["group_count"]) == ("f-other.jpg", "p-1", 3)
    filtered = {"group_by": "product_id", "filter": "number > 1"}
    hits = service.search(PICTURES["f-other.jpg"], collection="album", k=2, **filtered).json()["results"]
    assert (hits[0]["group"], hits[0]["group_count"]) == ("p-1", 2)
    plain = service.search(PICTURES["f-other.jpg"], collection="album", k=1, dedupe=True).json()["results"]
    assert plain[0]["group_count"] is None
    similar = service.get(f"{PATH}/b-big.png/similar", params={"stack": "copies", "k": 8}).json()["results"]
    assert {hit["key"] for hit in similar} & {"a-small.jpg", "c-copy.jpg", "b-big.png"} == set()
    assert len(similar) == 4


def test_pages_of_a_search_have_each_stack_once(service: Service) -> None:
    keys, names = list[str](), list[str]()
    cursor: dict[str, str] = {}
    while True:
        answer = service.search(PICTURES["g-shot.jpg"], collection="album", k=2, stack="copies", **cursor).json()
        keys += [hit["key"] for hit in answer["results"]]
        names += [hit["group"] for hit in answer["results"] if hit["group"] is not None]
        if answer["next_cursor"] is None:
            break
        cursor = {"cursor": answer["next_cursor"]}
    assert (len(keys), len(set(names)), len(names)) == (5, 2, 2)
    sized = service.search(PICTURES["g-shot.jpg"], collection="album", k=5, stack="copies", group_size=2).json()
    assert len(sized["results"]) == 7


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"stack": "copies", "group_by": "product_id"}, "stack"),
        ({"stack": "copies", "keys": "b-big.png"}, "stack"),
        ({"group_by": "product_id", "keys": "b-big.png"}, "group_by"),
        ({"stack": "piles"}, "stack"),
        ({"group_by": "nothing"}, "group_by"),
    ],
)
def test_what_does_not_go_together_is_refused_by_name(service: Service, parameters: dict[str, str], field: str) -> None:
    response = service.get(PATH, params=parameters)
    assert response.status_code == 422
    assert field in response.text


def test_searches_refuse_stacks_with_groups_and_in_several_collections(service: Service) -> None:
    for parameters in (
        {"stack": "copies", "group_by": "product_id"},
        {"stack": "copies", "group_score": "mean"},
        {"collections": "album", "stack": "copies", "rank_by": "score"},
    ):
        response = service.search(PICTURES["f-other.jpg"], **({"collection": "album"} | parameters))
        assert response.status_code == 422, parameters


def test_live_changes_and_decisions_count_at_once(service: Service, data: Path) -> None:
    with client_of(service) as client:
        client.patch_item("album", "c-copy.jpg", metadata={"number": 20})
        assert cards(service, stack="copies") == ALL, "other metadata, the same picture"
        client.decide_duplicates("album", ["d-twin.jpg", "e-twin.jpg"], "not-duplicates")
        assert cards(service, stack="copies")["d-twin.jpg"] == 1
        client.decide_duplicates("album", ["d-twin.jpg", "e-twin.jpg"], "duplicates-after-all")
        client.delete_item("album", "a-small.jpg")
        assert cards(service, stack="copies") == ALL | {"b-big.png": 2}
        assert cards(service, group_by="product_id")["f-other.jpg"] == 2, "c-copy is a later version by now"
        page = client.list_items("album", stack="copies", limit=1)
        assert (page.count, page.passing, page.items[0].group_count) == (5, 7, 2)
        found = client.search(PICTURES["b-big.png"], collection="album", k=1, stack="copies").results[0]
        assert found.group_count == 2
    with Collection.open(data, "album") as album:
        stacks = {stack.item.key: stack.count for stack in album.stacks(stack="copies")}
        assert stacks == ALL | {"b-big.png": 2}
        assert {s.item.key: (s.group, s.count) for s in album.stacks(group_by="product_id", where="number < 6")} == {
            "b-big.png": ("p-2", 2), "e-twin.jpg": (None, 1), "f-other.jpg": ("p-1", 1),
        }  # fmt: skip
        hits = album.search(PICTURES["b-big.png"], 1, stack="copies")
        assert (hits[0].group_count, hits[0].group is None) == (2, False)
        with pytest.raises(FilterInvalidError, match="give one of group_by and stack"):
            album.stacks()
        with pytest.raises(FilterInvalidError, match="must be 'copies' or 'bursts'"):
            album.search(PICTURES["b-big.png"], 1, stack="piles")  # type: ignore[arg-type]  # which is tried
