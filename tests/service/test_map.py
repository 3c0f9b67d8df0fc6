"""The map over HTTP: where each item is, by the values of a field, also after items came, changed and went."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from indexer.cli import app
from lookalike.collection.layout import CollectionLayout
from lookalike.images import encode_png
from lookalike.map.stored_map import FILE, load_map
from lookalike.testing import make_picture
from tests.conftest import running_on
from tests.service.harness import Service, index, item_path, serving

KINDS = ["mug"] * 8 + ["bowl"] * 6 + ["tea pot"] * 4 + [""] * 2
KEYS = [f"{number:02d}.png" for number in range(len(KINDS))]
PATH = "/collections/shop/map"


def make_shop(folder: Path) -> Path:
    """Index twenty pictures of four kinds; the data folder."""
    (folder / "pictures").mkdir(parents=True)
    rows = []
    for number, (key, kind) in enumerate(zip(KEYS, KINDS, strict=True)):
        (folder / "pictures" / key).write_bytes(encode_png(make_picture(number)))
        rows.append({"path": key, "key": key, "kind": kind})
    with (folder / "pictures" / "shop.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["path", "key", "kind"])
        writer.writeheader()
        writer.writerows(rows)
    index(folder / "data", "shop", folder / "pictures" / "shop.csv")
    return folder / "data"


def lay_out(data: Path) -> dict[str, Any]:
    """``python -m indexer map``; its answer."""
    result = CliRunner().invoke(app, ["map", "-c", "shop", "--data", str(data), "--json", "--workers", "1"])
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.output.splitlines()[-1])
    return answer


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service over a shop with a map, in which nothing is changed."""
    data = make_shop(tmp_path_factory.mktemp("map"))
    with serving(data) as running:
        refused = running.get(PATH)
        assert (refused.status_code, refused.json()["code"]) == (404, "map-not-made")
        assert "`python -m indexer map --collection shop`" in refused.json()["detail"]
        lay_out(data)
        yield running


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Service]:
    """A service over a shop with a map that a test may change."""
    data = make_shop(tmp_path)
    lay_out(data)
    with serving(data) as running:
        yield running


def asked(service: Service, **parameters: object) -> dict[str, Any]:
    response = service.get(PATH, params=parameters)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def places(answer: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {key: (x, y) for key, x, y in zip(answer["keys"], answer["x"], answer["y"], strict=True)}


def test_every_item_has_its_place_in_one_scale(service: Service) -> None:
    answer = asked(service)
    assert answer["keys"] == KEYS
    assert (answer["items"], answer["placed"], answer["missing"]) == (20, 0, 0)
    assert (answer["snapshot"], answer["map_snapshot"], answer["field"]) == (1, 1, None)
    assert (answer["values"], answer["groups"], answer["others"], answer["without"]) == ([], [], 0, 0)
    layout = CollectionLayout.of(service.settings.places.collections_dir, "shop")
    stored = load_map(layout).places
    low, span = stored.min(axis=0), np.ptp(stored, axis=0).max()
    np.testing.assert_allclose(np.array([answer["x"], answer["y"]]).T, (stored - low) / span * 65535, atol=0.6)


def test_each_item_is_in_the_group_of_its_value(service: Service) -> None:
    answer = asked(service, field="kind", groups=2)
    assert answer["values"] == [{"value": "mug", "count": 8}, {"value": "bowl", "count": 6}]
    assert (answer["others"], answer["without"]) == (4, 2)
    number = {"mug": 0, "bowl": 1, "tea pot": 2, "": -1}
    assert answer["groups"] == [number[kind] for kind in KINDS]


def test_a_built_in_field_has_groups_too(service: Service) -> None:
    answer = asked(service, field="format")
    assert answer["values"] == [{"value": "PNG", "count": 20}]
    assert answer["groups"] == [0] * 20


def test_fewer_items_are_spread_over_all(service: Service) -> None:
    answer = asked(service, limit=5, field="kind")
    assert answer["keys"] == KEYS[::4]
    assert answer["items"] == 20
    assert len(answer["groups"]) == 5
    assert answer["values"][0] == {"value": "mug", "count": 8}
    whole = places(asked(service))
    assert places(answer) == {key: whole[key] for key in KEYS[::4]}


def test_an_unknown_field_is_named(service: Service) -> None:
    response = service.get(PATH, params={"field": "kin"})
    assert (response.status_code, response.json()["code"]) == (422, "filter-invalid")
    assert response.json()["errors"][0]["field"] == "field"
    assert "did you mean 'kind'?" in response.json()["detail"]


@pytest.mark.parametrize("parameters", [{"groups": 0}, {"limit": 0}, {"limit": 100_001}, {"unknown": 1}])
def test_wrong_parameters_are_refused(service: Service, parameters: dict[str, int]) -> None:
    response = service.get(PATH, params=parameters)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == next(iter(parameters))


def test_it_is_compressed_for_whoever_accepts_that(service: Service) -> None:
    plain = service.get(PATH, headers={"Accept-Encoding": "identity"})
    for refusing in ("br", "gzip;q=0"):
        assert "content-encoding" not in service.get(PATH, headers={"Accept-Encoding": refusing}).headers
    packed = service.get(PATH, headers={"Accept-Encoding": "br, gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.json() == plain.json()
    assert int(packed.headers["content-length"]) < len(plain.content) == int(plain.headers["content-length"])
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert len(gzip.compress(plain.content, 1)) == int(packed.headers["content-length"])


def test_who_has_it_already_is_told_so(service: Service) -> None:
    first = service.get(PATH)
    again = service.get(PATH, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = service.get(PATH, params={"field": "kind"}, headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200


def test_the_map_follows_the_items(own: Service) -> None:
    before = places(asked(own))
    own.request("DELETE", item_path(KEYS[0]))
    own.request("PATCH", item_path(KEYS[1]), data={"metadata": json.dumps({"kind": "jug"})})
    near = make_picture(3)
    near[:2, :2] = 0
    own.request("PUT", item_path("new.png"), files={"image": ("new.png", encode_png(near))})
    answer = asked(own, field="kind")
    assert (answer["items"], answer["placed"], answer["missing"]) == (20, 1, 0)
    after = places(answer)
    assert KEYS[0] not in after
    groups = dict(zip(answer["keys"], answer["groups"], strict=True))
    assert answer["values"][groups[KEYS[1]]] == {"value": "jug", "count": 1}
    assert groups["new.png"] == -1
    # The scale follows what is on the map; so distances are compared with one of them.
    changed = {key: place for key, place in after.items() if key in before}
    assert order_by_distance(changed, KEYS[1]) == order_by_distance({key: before[key] for key in changed}, KEYS[1])
    assert KEYS[3] in order_by_distance(after, "new.png")[:2]


def order_by_distance(points: dict[str, tuple[int, int]], key: str) -> list[str]:
    return sorted(points, key=lambda other: np.hypot(*np.subtract(points[key], points[other])))


def test_after_the_changes_are_folded_the_map_is_the_same(own: Service) -> None:
    own.request("PATCH", item_path(KEYS[1]), data={"metadata": json.dumps({"kind": "jug"})})
    before = asked(own)
    response = own.post("/collections/shop/fold")
    assert response.status_code == 200, response.text
    after = asked(own)
    assert (before["snapshot"], after["snapshot"], after["map_snapshot"]) == (1, 2, 1)
    assert (after["placed"], after["missing"]) == (0, 0)
    assert places(after) == places(before)


def test_a_new_map_is_seen_at_once(own: Service) -> None:
    first = asked(own)
    data = own.settings.places.data
    result = CliRunner().invoke(app, ["map", "-c", "shop", "--data", str(data), "--json", "--seed", "5"])
    assert result.exit_code == 0, result.output
    assert asked(own)["created_at"] > first["created_at"]


def test_a_damaged_map_says_what_to_do(own: Service) -> None:
    (own.settings.places.collections_dir / "shop" / FILE).write_bytes(b"PK")
    response = own.get(PATH)
    assert (response.status_code, response.json()["code"]) == (409, "map-unusable")
    assert "`python -m indexer map --collection shop`" in response.json()["detail"]


def test_a_job_makes_the_map(tmp_path: Path) -> None:
    data = make_shop(tmp_path)
    with running_on(), serving(data) as service:
        begun = service.post("/collections/shop/jobs", data={"kind": "map"})
        assert begun.status_code == 202, begun.text
        path = f"/jobs/{begun.json()['id']}"
        service.wait_for(lambda: service.get(path).json()["state"] in {"succeeded", "failed"}, "the job ends")
        job = service.get(path).json()
        assert job["state"] == "succeeded", job
        assert {name: job["summary"][name] for name in ("snapshot", "items", "fitted")} == {
            "snapshot": 1,
            "items": 20,
            "fitted": 20,
        }
        assert asked(service)["keys"] == KEYS
        refused = service.post("/collections/shop/jobs", data={"kind": "map", "label": "kind"})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "label")
