"""One search in several collections over HTTP, compared with brute force over all of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from lookalike import Calibration, Collection, images
from lookalike.catalogue.records import ItemRecord
from lookalike.collection.calibration_store import store_calibration
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.searcher import Searcher
from lookalike.errors import SnapshotDamagedError
from lookalike.images import encode_png
from lookalike.testing import make_picture
from service.errors import CollectionFailedError
from service.inference import decoder_pool
from service.merged_search import CollectionsSearch, MergedResult
from service.settings import ApiKeys
from tests.helpers.old_encoder import age_encoder
from tests.service.harness import Service, index, item_path, serving, without_times

COUNT = 8
QUERY = encode_png(make_picture(900))
KNOTS = {"red": (0.1, 0.9), "blue": (0.3, 0.5), "small": (-0.2, 0.95)}
"""The cosines at which a collection's confidence leaves 0 and comes to 1."""
ALL = "red,blue,small"


def calibration(low: float, high: float, spec: Any) -> Calibration:
    return Calibration(
        encoder=spec.name,
        encoder_digest=spec.digest,
        collection=None,
        threshold=0.7,
        rule="best F1",
        precision=0.9,
        recall=0.5,
        scores=(-1.0, low, high, 1.0),
        probabilities=(0.0, 0.0, 1.0, 1.0),
        method="isotonic",
        brier=0.1,
        calibration_error=0.1,
        positives=9,
        negatives=9,
        created_at="2026-01-01T00:00:00+00:00",
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``red`` and ``blue`` with one encoder, ``small`` with another, and ``raw``, which is not calibrated.

    Pictures 0 and 1 of each are the same files in all of them.
    """
    root = tmp_path_factory.mktemp("several")
    for place, name in enumerate(("red", "blue", "small", "raw")):
        rows = []
        for number in range(COUNT):
            path = root / f"{name}-{number}.png"
            path.write_bytes(encode_png(make_picture(number if number < 2 else 100 * place + number)))
            row: dict[str, Any] = {"path": path.name, "key": f"{name}-{number}", "price": number}
            rows.append(row | {"product_id": f"p-{number // 2}"} | ({"size": number} if name == "small" else {}))
        (root / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        index(root / "data", name, root / f"{name}.jsonl", input_size=96 if name == "small" else None)
    for name, (low, high) in KNOTS.items():
        with Collection.open(root / "data", name) as collection:
            spec = collection.manifest.encoder
        store_calibration(CollectionLayout.of(root / "data/collections", name), spec, calibration(low, high, spec))
    return root / "data"


@pytest.fixture(scope="module")
def several(data: Path) -> Iterator[Service]:
    with serving(data) as service:
        yield service


Row = tuple[str, str, float, float]
"""Collection, key, cosine and confidence."""


@pytest.fixture(scope="module")
def rows(data: Path) -> list[Row]:
    """All items of the three collections, by brute force, in their order."""
    rows = []
    for name, (low, high) in KNOTS.items():
        with Collection.open(data, name, encoders_dir=data / "encoders") as collection:
            (vector,) = collection.encoder.encode([QUERY])
            for item in collection.items():
                score = float(collection.vector(item) @ vector)
                rows.append((name, item.key, score, float(np.interp(score, (-1.0, low, high, 1.0), (0, 0, 1, 1)))))
    order = list(KNOTS)
    return sorted(rows, key=lambda row: (-row[3], 2 * 0.7 - 1 - row[2], order.index(row[0])))


def hits(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def names(answer: httpx.Response) -> list[tuple[str, str]]:
    return [(hit["collection"], hit["key"]) for hit in hits(answer)]


@pytest.mark.parametrize("nothing", ["[]", ""])
def test_a_list_of_no_collection_is_not_taken_for_all_or_the_only_one(several: Service, nothing: str) -> None:
    refused = several.search(QUERY, collections=nothing, k=1)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "collections")


def test_the_best_of_all_collections_by_confidence(several: Service, rows: list[Row]) -> None:
    answer = several.search(QUERY, collections=ALL, k=10)
    assert names(answer) == [(name, key) for name, key, _, _ in rows[:10]]
    assert len({name for name, _, _, _ in rows[:10]}) == 3, "the pictures of this test are mixed"
    for hit, (name, key, score, confidence) in zip(hits(answer), rows, strict=False):
        assert hit["score"] == pytest.approx(score, abs=1e-4)
        assert hit["confidence"] == pytest.approx(confidence, abs=1e-3)
        assert hit["image_url"] == item_path(key, "image", name)
    assert [hit["rank"] for hit in hits(answer)] == list(range(1, 11))
    body = answer.json()
    assert (body["collections"], body["rank_by"], body["exhausted"]) == (["red", "blue", "small"], "confidence", False)
    assert body["snapshot"] == {"red": 1, "blue": 1, "small": 1}
    assert set(body["threshold"]) == set(body["encoder"]) == set(body["best_score"]) == set(KNOTS)
    for name, best_score in body["best_score"].items():
        assert best_score == pytest.approx(max(score for owner, _, score, _ in rows if owner == name), abs=1e-4)
    as_list = several.search(QUERY, collections=json.dumps(["red", "blue", "small"]), k=10)
    assert without_times(as_list.json()) == without_times(body)
    everything = several.search(QUERY, collections=ALL, k=100).json()
    assert (len(everything["results"]), everything["exhausted"], everything["next_cursor"]) == (3 * COUNT, True, None)


def test_a_picture_is_decoded_once_and_encoded_once_by_each_encoder(
    several: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []
    encoded: list[int] = []
    decode, encode = images.decode, several.services.batcher.encode

    def count_decoding(*arguments: Any, **options: Any) -> Any:
        decoded.append(options["name"])
        return decode(*arguments, **options)

    async def count_encoding(encoder: Any, pixels: Any) -> Any:
        encoded.append(encoder.spec.input_size)
        return await encode(encoder, pixels)

    monkeypatch.setattr(decoder_pool, "decode", count_decoding)
    monkeypatch.setattr(several.services.batcher, "encode", count_encoding)
    assert len(hits(several.search(QUERY, collections=ALL, k=3))) == 3
    assert decoded == ["query.png"]
    assert (len(encoded), encoded.count(96)) == (2, 1)


def test_by_score_where_the_encoder_is_one(several: Service, rows: list[Row]) -> None:
    with_raw = several.search(QUERY, collections="raw,red,blue", rank_by="score", k=100)
    scores = [hit["score"] for hit in hits(with_raw)]
    assert (scores, len(scores)) == (sorted(scores, reverse=True), 3 * COUNT)
    assert all((hit["confidence"] is None) == (hit["collection"] == "raw") for hit in hits(with_raw))
    above = several.search(QUERY, collections="red,blue", min_score=0.2, threshold=0.62, k=100)
    expected = [(name, key) for name, key, score, _ in rows if name != "small" and score >= 0.2]
    assert sorted(names(above)) == sorted(expected)
    for hit in hits(above):
        assert hit["similar"] == (hit["normalized_score"] >= 0.62)
    for fields, words in (
        ({"collections": "red,raw"}, "raw' are not calibrated"),
        ({"collections": ALL, "rank_by": "score"}, "have different encoders"),
    ):
        refused = several.search(QUERY, **fields)
        assert (refused.status_code, refused.json()["code"]) == (409, "scores-not-comparable")
        assert words in refused.json()["detail"]


def test_filters_facets_copies_and_excluded_items(several: Service, rows: list[Row]) -> None:
    cheap = several.search(QUERY, collections=ALL, filter="price < 3", facets="price,size", k=100)
    assert names(cheap) == [(name, key) for name, key, _, _ in rows if int(key[-1]) < 3]
    body = cheap.json()
    assert body["passing"] == {"red": 3, "blue": 3, "small": 3}
    assert body["facets"]["red"]["price"]["distinct"] == 3
    assert "size" not in body["facets"]["red"]
    assert body["facets"]["small"]["size"]["distinct"] == 3
    of_one = several.search(QUERY, collections=ALL, filter="size >= 6", k=100)
    assert sorted(names(of_one)) == [("small", "small-6"), ("small", "small-7")]
    assert of_one.json()["passing"] == {"red": 0, "blue": 0, "small": 2}
    once = several.search(QUERY, collections=ALL, dedupe="true", k=100)
    seen: set[str] = set()
    expected = []
    for name, key, _, _ in rows:
        content = key[-1] if int(key[-1]) < 2 else key
        if content not in seen:
            expected.append((name, key))
        seen.add(content)
    assert names(once) == expected
    without = several.search(QUERY, collections=ALL, exclude_keys="red-0,small-5,none", k=100)
    assert names(without) == [(name, key) for name, key, _, _ in rows if key not in ("red-0", "small-5")]


def test_groups_are_those_of_each_collection(several: Service, rows: list[Row]) -> None:
    answer = several.search(QUERY, collections=ALL, group_by="product_id", k=100)
    seen: set[tuple[str, str]] = set()
    expected = []
    for name, key, _, _ in rows:
        group = f"p-{int(key[-1]) // 2}"
        if (name, group) not in seen:
            expected.append((name, key, group))
        seen.add((name, group))
    assert [(hit["collection"], hit["key"], hit["group"]) for hit in hits(answer)] == expected
    pairs = several.search(QUERY, collections="red,blue", group_by="product_id", group_size=2, k=3)
    assert [hit["rank"] for hit in hits(pairs)] == [1, 2, 3, 4, 5, 6]
    first, second = hits(pairs)[:2]
    assert (first["collection"], first["group"]) == (second["collection"], second["group"])


@pytest.mark.parametrize(
    "fields", [{}, {"dedupe": "true"}, {"filter": "price > 0"}, {"group_by": "product_id", "group_size": "2"}]
)
def test_pages_have_no_gaps_and_no_doubles(several: Service, fields: dict[str, str]) -> None:
    complete = several.search(QUERY, collections=ALL, k=100, **fields)
    page = several.search(QUERY, collections=ALL, k=5, **fields)
    paged_hits = hits(page)
    number = 0
    while page.json()["next_cursor"] is not None:
        assert page.json()["exhausted"] is False
        if number == 1:  # nothing depends on what is kept in memory
            for name in KNOTS:
                snapshot = several.services.snapshots.current(name)
                assert snapshot is not None
                snapshot.page_cache = type(snapshot.page_cache)()
        page = several.search(QUERY, collections=ALL, k=4, cursor=page.json()["next_cursor"], **fields)
        paged_hits += hits(page)
        number += 1
    assert number > 1
    assert paged_hits == hits(complete)


def test_a_cursor_of_another_search_or_state_is_refused(data: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(data, tmp_path / "data"))
    with serving(copied) as service:
        cursor = service.search(QUERY, collections=ALL, k=3).json()["next_cursor"]
        for fields in (
            {"collections": "red,blue"},
            {"collections": ALL, "dedupe": "true"},
            {"collections": "blue,red,small"},
            {"collections": ALL, "exclude_keys": "red-1"},
        ):
            answer = service.search(QUERY, k=3, cursor=cursor, **fields)
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "cursor")
            assert "belongs to another search" in answer.json()["detail"]
        assert service.search(encode_png(make_picture(7)), collections=ALL, cursor=cursor).status_code == 422
        assert service.search(QUERY, collections=ALL, cursor="no cursor").status_code == 422
        assert service.search(QUERY, collection="red", cursor=cursor).status_code == 422
        assert service.search(QUERY, collections=ALL, k=3, cursor=cursor).status_code == 200
        one_encoder = service.search(QUERY, collections="red,blue", k=3).json()["next_cursor"]
        with_threshold = service.search(QUERY, collections="red,blue", cursor=one_encoder, threshold=0.6)
        assert "belongs to another search" in with_threshold.json()["detail"]
        with Collection.open(copied, "blue") as blue:
            spec = blue.manifest.encoder
        layout = CollectionLayout.of(copied / "collections", "blue")
        store_calibration(layout, spec, calibration(0.2, 0.6, spec))
        service.call(service.services.snapshots.poll_all)
        recalibrated = service.search(QUERY, collections=ALL, k=3, cursor=cursor)
        assert (recalibrated.status_code, recalibrated.json()["code"]) == (409, "cursor-outdated")
        assert "another state of the collections" in recalibrated.json()["detail"]
        cursor = service.search(QUERY, collections=ALL, k=3).json()["next_cursor"]
        changed = service.request("PATCH", item_path("small-1", "", "small"), data={"metadata": '{"price": 0}'})
        assert changed.status_code == 200, changed.text
        answer = service.search(QUERY, collections=ALL, k=3, cursor=cursor)
        assert (answer.status_code, answer.json()["code"]) == (409, "cursor-outdated")
        assert "another state of the collections" in answer.json()["detail"]


def test_by_the_key_of_an_item_of_one_of_them(several: Service, data: Path) -> None:
    answer = several.search(key="red-0", collection="red", collections="blue,red,small", k=100)
    ranked_names = names(answer)
    assert ("red", "red-0") not in ranked_names
    assert len(ranked_names) == 3 * COUNT - 1
    assert {("blue", "blue-0"), ("small", "small-0")} == set(ranked_names[:2]), "the same file in the others"
    assert answer.json()["query"]["key"] == "red-0"
    with Collection.open(data, "small", encoders_dir=data / "encoders") as small:
        (vector,) = small.encoder.encode([encode_png(make_picture(0))])
        scores = {item.key: float(small.vector(item) @ vector) for item in small.items()}
    for hit in hits(answer):
        if hit["collection"] == "small":
            assert hit["score"] == pytest.approx(scores[hit["key"]], abs=1e-4)
    first = several.search(key="red-3", collection="red", collections="red,blue", k=5)
    second = several.search(
        key="red-3", collection="red", collections="red,blue", k=100, cursor=first.json()["next_cursor"]
    )
    complete = several.search(key="red-3", collection="red", collections="red,blue", k=100)
    assert names(first) + names(second) == names(complete)
    part = several.search(key="red-0", collection="red", collections="red,small", box="0,0,0.5,0.5", k=100)
    assert len(hits(part)) == 2 * COUNT - 1
    assert part.json()["query"]["box"] == [0, 0, 0.5, 0.5]
    missing = several.search(key="none", collection="red", collections="red,blue")
    assert (missing.status_code, missing.json()["code"]) == (404, "item-not-found")


def test_the_group_of_the_query_is_left_out_in_its_own_collection(several: Service) -> None:
    options: dict[str, Any] = {"key": "red-3", "collection": "red", "collections": "red,blue", "group_by": "product_id"}
    first = several.search(**options, k=5)
    second = several.search(**options, k=100, cursor=first.json()["next_cursor"])
    groups = [(hit["collection"], hit["group"]) for hit in hits(first) + hits(second)]
    everything = {(name, f"p-{number}") for name in ("red", "blue") for number in range(COUNT // 2)}
    assert sorted(groups) == sorted(everything - {("red", "p-1")})
    assert len(hits(first)) == 5


def test_with_several_pictures_of_one_thing(several: Service, data: Path) -> None:
    pictures = [make_picture(number) for number in (900, 901)]
    files = [("image", (f"{number}.png", encode_png(picture))) for number, picture in enumerate(pictures)]
    fields = {"collections": "red,small", "combine": "mean", "k": "100"}
    answer = several.post("/search", files=files, data=fields)
    for name in ("red", "small"):
        with Collection.open(data, name, encoders_dir=data / "encoders") as collection:
            vectors = collection.encoder.encode(pictures)
            scores = {item.key: float((vectors @ collection.vector(item)).mean()) for item in collection.items()}
        merged_scores = {hit["key"]: hit["score"] for hit in hits(answer) if hit["collection"] == name}
        assert merged_scores == pytest.approx(scores, abs=1e-4)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"collections": ALL, "tiers": "true"}, "tiers"),
        ({"collections": ALL, "diversity": "0.5"}, "diversity"),
        ({"collections": ALL, "boost": '{"field": "price", "weight": 0.1}'}, "boost"),
        ({"collections": ALL, "fallback": "relax_filter"}, "fallback"),
        ({"collections": ALL, "like_keys": "red-1"}, "like_keys"),
        ({"collections": ALL, "unlike_keys": "red-1"}, "unlike_keys"),
        ({"collections": ALL, "group_by": "product_id", "group_score": "mean"}, "group_score"),
        ({"collections": ALL, "group_by": "product_id", "dedupe": "true"}, "dedupe"),
        ({"collections": ALL, "min_score": "0.1"}, "min_score"),
        ({"collections": ALL, "threshold": "0.1"}, "threshold"),
        ({"collections": ALL, "collection": "red"}, "collection"),
        ({"collections": ALL, "rank_by": "name"}, "rank_by"),
        ({"collection": "red", "rank_by": "score"}, "rank_by"),
        ({"collections": ",".join(f"c{number}" for number in range(17))}, "collections"),
        ({"collections": "red,"}, "collections"),
        ({"collections": "[1]"}, "collections"),
    ],
)
def test_what_several_collections_cannot_have_is_refused_by_name(
    several: Service, fields: dict[str, Any], place: str
) -> None:
    answer = several.search(QUERY, **fields)
    assert (answer.status_code, answer.json()["code"]) == (422, "field-invalid"), answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [place]


def test_a_key_needs_the_collection_that_has_it(several: Service) -> None:
    no_fields: dict[str, Any] = {}
    for fields in (no_fields, {"collection": "small"}):
        answer = several.search(key="red-0", collections="red,blue", **fields)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "collection")
        assert "red, blue" in answer.json()["detail"]
    in_one = several.post("/collections/red/search", data={"key": "red-0", "collections": "red"})
    assert (in_one.status_code, in_one.json()["errors"][0]["field"]) == (422, "collections")


def test_a_request_in_json_names_them_in_a_list(several: Service) -> None:
    fields = {"key": "red-0", "collection": "red", "collections": ["red", "blue"], "k": 4, "exclude_keys": ["blue-0"]}
    by_form = several.search(key="red-0", collection="red", collections="red,blue", k=4, exclude_keys="blue-0")
    assert hits(several.post("/search", json=fields)) == hits(by_form)


def test_a_key_for_some_collections_searches_in_no_others(data: Path) -> None:
    keys = ApiKeys.parse(["read@red+small:reads-two-of-them-only", "read:reads-all-that-there-is"])
    with serving(data, keys=keys) as service:
        service.headers = {"Authorization": "Bearer reads-two-of-them-only"}
        assert {name for name, _ in names(service.search(QUERY, collections="red,small", k=100))} == {"red", "small"}
        refused = service.search(QUERY, collections="red,blue")
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert "'blue'" in refused.json()["detail"]
        assert service.search(QUERY, collections="red,none").status_code == 403, "nor is it told what there is"


def test_what_no_collection_has_is_refused_with_its_place(several: Service) -> None:
    for fields, place in (
        ({"filter": "prize < 3"}, "filter, column 1"),
        ({"facets": "price,prize"}, "facets.prize"),
        ({"group_by": "size"}, "group_by"),
    ):
        answer = several.search(QUERY, collections=ALL, **fields)
        assert (answer.status_code, answer.json()["code"]) == (422, "filter-invalid"), answer.text
        assert answer.json()["errors"][0]["field"] == place
    assert "collection 'red': group_by" in answer.json()["detail"], "it says which collection lacks the column"


def test_a_collection_that_cannot_be_searched_fails_the_request_by_its_name(data: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(data, tmp_path / "data"))
    spec = age_encoder(copied, "blue")
    aged = replace(calibration(0.3, 0.5, spec), encoder_digest=spec.digest)
    store_calibration(CollectionLayout.of(copied / "collections", "blue"), spec, aged)
    with serving(copied) as service:
        gone = service.search(QUERY, collections=ALL)
        assert (gone.status_code, gone.json()["code"]) == (409, "encoder-mismatch")
        assert gone.json()["detail"].startswith("collection 'blue': ")
        assert gone.json()["errors"][0]["field"] == "collections"
        unknown = service.search(QUERY, collections="red,green")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "collection-not-found")
        assert "green" in unknown.json()["detail"]
        assert len(hits(service.search(QUERY, collections="red,small"))) == 10


def test_a_damaged_snapshot_is_searched_again_once_a_newer_one_is_there(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = Path(shutil.copytree(data, tmp_path / "data"))
    source = tmp_path / "blue.jsonl"
    (tmp_path / "new.png").write_bytes(encode_png(make_picture(77)))
    source.write_text('{"path": "new.png", "key": "blue-new"}\n', encoding="utf-8")
    run, turns = CollectionsSearch.run, [1, 2]

    async def run_damaged(search: CollectionsSearch) -> MergedResult:
        """The first time, the snapshot is damaged, and the indexer publishes: nothing else runs meanwhile."""
        if turns and turns.pop(0) == 1:
            assert index(copied, "blue", source) == 2
            raise CollectionFailedError("blue", SnapshotDamagedError("it lacks rows", subject=str(copied)))
        return await run(search)

    monkeypatch.setattr(CollectionsSearch, "run", run_damaged)
    with serving(copied) as service:
        answer = service.search(QUERY, collections="red,blue", k=100)
        assert answer.json()["snapshot"] == {"red": 1, "blue": 2}
        assert ("blue", "blue-new") in names(answer)

        async def stay_damaged(_search: CollectionsSearch) -> MergedResult:
            raise CollectionFailedError("blue", SnapshotDamagedError("it lacks rows", subject=str(copied)))

        monkeypatch.setattr(CollectionsSearch, "run", stay_damaged)
        damaged = service.search(QUERY, collections="red,blue")
        assert (damaged.status_code, damaged.json()["code"]) == (503, "snapshot-damaged")
        assert damaged.json()["detail"].startswith("collection 'blue': the collection's snapshot is damaged")
        assert str(copied) not in damaged.text


def test_rows_that_are_missing_are_told_with_their_collection(
    several: Service, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = Searcher.records

    def lose_rows(searcher: Searcher, ids: Sequence[int]) -> dict[int, ItemRecord]:
        if searcher.snapshot.manifest.collection == "blue":
            raise SnapshotDamagedError("the catalogue lacks rows", subject=str(searcher.snapshot.folder))
        return records(searcher, ids)

    monkeypatch.setattr(Searcher, "records", lose_rows)
    choices: list[dict[str, Any]] = [{}, {"dedupe": "true"}, {"group_by": "product_id"}]
    for fields in choices:
        damaged = several.search(QUERY, collections="red,blue", **fields)
        assert (damaged.status_code, damaged.json()["code"]) == (503, "snapshot-damaged")
        assert damaged.json()["detail"].startswith("collection 'blue': ")
    assert len(hits(several.search(QUERY, collections="red,small"))) == 10
