"""Collections whose first run failed or was cancelled: they can be made, removed and indexed, and stand in no way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from lookalike.catalogue.records import NO_SOURCE, CollectionSettings, ItemDraft, NewItem, SourceRecord
from lookalike.collection.builder import Builder, BuildOptions, CollectionEncoder
from lookalike.collection.layout import CollectionLayout
from lookalike.options import EncoderRequest, Places
from lookalike.wiring import INDEX_TYPES, default_encoder, load_encoder, open_catalogue
from tests.e2e.conftest import write_pictures
from tests.service.harness import Service, index, serving

NAME = "shelf"
PATH = f"/collections/{NAME}"


def begin_run(data: Path) -> None:
    """What a first run leaves that is stopped after it has encoded a picture."""
    places = Places(data, encoders=data / "encoders")
    request = EncoderRequest(default_encoder())
    spec = load_encoder(request, places.encoders_dir).spec
    layout = CollectionLayout.of(places.collections_dir, NAME)
    options = BuildOptions(CollectionSettings("auto", 3, 1_000_000, 1_000_000))
    source = SourceRecord(NO_SOURCE, str(layout.pictures))
    catalogue = open_catalogue(places)
    draft = ItemDraft("a.png", "a.png", "0" * 64, 10, 4, 4, "PNG")
    with Builder.open(layout, catalogue, source, CollectionEncoder(request, spec), INDEX_TYPES, options) as (run, _):
        run.store([NewItem(draft, np.eye(1, spec.dimension, dtype=np.float32)[0])])
    catalogue.close()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with serving(tmp_path / "data") as running:
        yield running


@pytest.fixture
def data(service: Service) -> Path:
    return service.settings.places.data


def put(service: Service) -> tuple[int, int]:
    """The status of PUT, and how many items the collection has."""
    answer = service.request("PUT", PATH, data={"encoder": default_encoder()})
    return answer.status_code, answer.json()["count"]


def rows(data: Path) -> list[str]:
    catalogue = open_catalogue(Places(data))
    try:
        return [record.name for record in catalogue.collections()]
    finally:
        catalogue.close()


def test_it_is_made_anew_and_empty_by_put(service: Service, data: Path) -> None:
    begin_run(data)
    assert service.get(PATH).json()["code"] == "collection-not-ready"
    assert put(service) == (201, 0)
    assert put(service) == (200, 0)
    assert [path.name for path in (data / "collections").iterdir()] == [NAME]


def test_it_is_deleted_for_good(service: Service, data: Path) -> None:
    begin_run(data)
    deleted = service.request("DELETE", f"{PATH}?confirm={NAME}")
    assert (deleted.status_code, deleted.json()["restorable"]) == (200, False), deleted.text
    assert service.get(PATH).status_code == 404
    assert (rows(data), list((data / "collections").iterdir())) == ([], [])
    assert service.post(f"{PATH}/restore").status_code == 404


def test_one_that_was_deleted_before_is_restored_once_it_is_away(service: Service, data: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", 2)
    index(data, NAME, tmp_path / "pictures")
    assert service.request("DELETE", f"{PATH}?confirm={NAME}").json()["restorable"] is True
    begin_run(data)
    assert service.post(f"{PATH}/restore").status_code == 409
    assert service.request("DELETE", f"{PATH}?confirm={NAME}").status_code == 200
    restored = service.post(f"{PATH}/restore")
    assert (restored.status_code, restored.json()["count"]) == (200, 2), restored.text


def test_a_fold_says_at_once_that_there_is_nothing_to_fold(
    service: Service, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fold(_name: str) -> bool:
        raise AssertionError("no process is started")

    monkeypatch.setattr(service.services.folding, "fold", fold)
    begin_run(data)
    refused = service.post(f"{PATH}/fold")
    assert (refused.status_code, refused.json()["code"]) == (503, "collection-not-ready")


def test_while_an_indexer_works_on_it_nothing_is_removed(service: Service, data: Path) -> None:
    begin_run(data)
    with CollectionLayout.of(data / "collections", NAME).hold_lock():
        for method, path in (("PUT", PATH), ("DELETE", f"{PATH}?confirm={NAME}")):
            refused = service.request(method, path)
            assert (refused.status_code, refused.json()["code"]) == (409, "collection-busy"), method
    assert rows(data) == [NAME]


def test_what_is_published_while_a_removal_waits_for_its_lock_stays(
    service: Service, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pictures(tmp_path / "pictures", 2)
    begin_run(data)
    hold_lock = CollectionLayout.hold_lock

    @contextmanager
    def publish_first(layout: CollectionLayout) -> Iterator[None]:
        monkeypatch.setattr(CollectionLayout, "hold_lock", hold_lock)
        index(data, NAME, tmp_path / "pictures")
        with layout.hold_lock():
            yield

    monkeypatch.setattr(CollectionLayout, "hold_lock", publish_first)
    deleted = service.request("DELETE", f"{PATH}?confirm={NAME}")
    assert (deleted.status_code, deleted.json()["restorable"]) == (200, True), deleted.text
    assert service.post(f"{PATH}/restore").json()["count"] == 2


@pytest.mark.parametrize(("runs", "losses"), [(1, ("snapshots",)), (2, ("snapshots", "current.json"))])
def test_a_folder_without_snapshots_says_nothing_of_whether_there_were_some(
    service: Service, data: Path, tmp_path: Path, runs: int, losses: tuple[str, ...]
) -> None:
    """As after a restore that left the folders of snapshots out: the pointer, and the rows, still tell of them."""
    for number in range(runs):
        write_pictures(tmp_path / "pictures", 2 + number)
        index(data, NAME, tmp_path / "pictures")
    root = data / "collections" / NAME
    for lost in losses:
        (root / lost).rename(tmp_path / lost)
    (root / "snapshots").mkdir()
    assert service.request("DELETE", f"{PATH}?confirm={NAME}").json()["restorable"] is True


@pytest.mark.parametrize(("lost", "code"), [("current.json", "collection-exists"), ("snapshots", "snapshot-not-found")])
def test_what_was_published_is_never_removed(
    service: Service, data: Path, tmp_path: Path, lost: str, code: str
) -> None:
    """A pointer or all snapshots may be lost; the rows, and what people said of items, are still there."""
    write_pictures(tmp_path / "pictures", 2)
    index(data, NAME, tmp_path / "pictures")
    root = data / "collections" / NAME
    (root / lost).rename(tmp_path / lost)
    service.call(service.services.snapshots.poll_all)
    assert service.request("PUT", PATH).json()["code"] == code
    assert rows(data) == [NAME]
    deleted = service.request("DELETE", f"{PATH}?confirm={NAME}")
    assert (deleted.status_code, deleted.json()["restorable"]) == (200, True), deleted.text
    (hidden,) = (data / "collections").iterdir()
    (tmp_path / lost).rename(hidden / lost)
    restored = service.post(f"{PATH}/restore")
    assert (restored.status_code, restored.json()["count"]) == (200, 2), restored.text
