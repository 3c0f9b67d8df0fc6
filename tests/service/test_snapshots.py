"""What is published while the service runs: taken up between two requests, or refused and told of."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from lookalike.collection.layout import CollectionLayout
from lookalike.testing import jpeg_bytes
from service.open_snapshot import OpenSnapshot
from tests.e2e.conftest import write_pictures
from tests.service.harness import Service, index, serving, starting

NEW = jpeg_bytes(50)


@dataclass(frozen=True)
class Stand:
    """A running service over a collection ``stand`` of its own, whose snapshots a test may publish and damage."""

    service: Service
    data: Path
    source: Path

    def publish(self, *, start: int = 50) -> int:
        """One more picture."""
        write_pictures(self.source, 1, start=start)
        return index(self.data, "stand", self.source)

    def damage(self, generation: int) -> None:
        path = CollectionLayout.of(self.data / "collections", "stand").snapshot(generation) / "index.bin"
        path.write_bytes(path.read_bytes()[:-1])

    def roll_back(self, generation: int) -> None:
        CollectionLayout.of(self.data / "collections", "stand").point_to(generation)

    def look(self) -> None:
        """Look for new snapshots, as the service does every second."""
        self.service.call(self.service.services.snapshots.poll_all)

    @property
    def serves(self) -> int | None:
        generation: int | None = self.service.get("/health").json()["collections"].get("stand")
        return generation

    def keys(self, **fields: object) -> list[str]:
        answer = self.service.search(NEW, k=1000, **fields).json()
        return sorted(hit["key"] for hit in answer["results"])


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    """It looks for new snapshots only when a test tells it to."""
    monkeypatch.setattr("service.snapshots._POLL_SECONDS", 3600.0)
    write_pictures(tmp_path / "pictures", 3)
    index(tmp_path / "data", "stand", tmp_path / "pictures")
    with serving(tmp_path / "data") as service:
        yield Stand(service, tmp_path / "data", tmp_path / "pictures")


def test_a_new_snapshot_is_served_without_anybody_asking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.snapshots._POLL_SECONDS", 0.01)
    write_pictures(tmp_path / "pictures", 2)
    index(tmp_path / "data", "stand", tmp_path / "pictures")
    with serving(tmp_path / "data") as service:
        stand = Stand(service, tmp_path / "data", tmp_path / "pictures")
        assert stand.serves == 1
        assert stand.publish() == 2
        service.wait_for(lambda: stand.serves == 2, "snapshot 2 serves")
        best = service.search(NEW, k=1)
        assert best.headers["x-snapshot"] == "2"
        assert best.json()["results"][0]["key"] == "050.jpg"


def test_refresh_serves_a_new_snapshot_at_once(stand: Stand) -> None:
    stand.publish()
    assert stand.serves == 1
    refreshed = stand.service.post("/collections/stand/refresh")
    assert (refreshed.status_code, refreshed.json()["snapshot"], refreshed.json()["count"]) == (200, 2, 4)
    assert refreshed.headers["x-snapshot"] == "2"
    assert stand.keys() == ["000.jpg", "001.jpg", "002.jpg", "050.jpg"]


def test_a_rollback_is_followed(stand: Stand) -> None:
    stand.publish()
    stand.look()
    assert len(stand.keys()) == 4
    stand.roll_back(1)
    stand.look()
    assert (stand.serves, stand.keys()) == (1, ["000.jpg", "001.jpg", "002.jpg"])


def test_a_request_in_flight_keeps_the_snapshot_it_began_with(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    service, prepare = stand.service, stand.service.services.decoder_pool.prepare

    async def scenario() -> tuple[httpx.Response, httpx.Response]:
        arrived, go_on = asyncio.Event(), asyncio.Event()

        async def held(*arguments: Any, **options: Any) -> Any:
            arrived.set()
            await go_on.wait()
            return await prepare(*arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(service.services.decoder_pool, "prepare", held)
            slow = asyncio.create_task(service.ask("POST", "/search", files={"image": NEW}))
            await arrived.wait()
        await asyncio.to_thread(stand.publish)
        await service.services.snapshots.poll_all()
        quick = await service.ask("POST", "/search", files={"image": NEW})
        go_on.set()
        return await slow, quick

    slow, quick = service.call(scenario)
    assert (slow.status_code, slow.json()["snapshot"], len(slow.json()["results"])) == (200, 1, 3)
    assert (quick.status_code, quick.json()["snapshot"], len(quick.json()["results"])) == (200, 2, 4)


def count_closes(held: OpenSnapshot) -> list[int]:
    """How often a snapshot was closed, as the length of a list."""
    closes, close = [], held.close

    def counted() -> None:
        closes.append(1)
        close()

    held.close = counted  # type: ignore[method-assign]  # the way to look at it from outside
    return closes


def test_an_old_snapshot_is_closed_once_when_its_last_request_has_ended(stand: Stand) -> None:
    snapshots = stand.service.services.snapshots

    async def scenario() -> None:
        async with AsyncExitStack() as first_lease, AsyncExitStack() as second_lease:
            snapshot = await first_lease.enter_async_context(snapshots.lease("stand"))
            assert await second_lease.enter_async_context(snapshots.lease(None)) is snapshot
            closes = count_closes(snapshot)
            await asyncio.to_thread(stand.publish)
            await snapshots.poll_all()
            async with snapshots.lease("stand") as newest:
                assert newest.generation == 2
                assert closes == []
            await first_lease.aclose()
            assert closes == []
            assert snapshot.collection.item("000.jpg").draft.key == "000.jpg", "who holds it can still read it"
            await second_lease.aclose()
            assert closes == [1]

    stand.service.call(scenario)


def test_an_old_snapshot_that_nobody_holds_is_closed_at_once_and_once(stand: Stand) -> None:
    held = stand.service.services.snapshots.current("stand")
    assert held is not None
    closes = count_closes(held)
    stand.look()
    assert closes == []
    stand.publish()
    stand.look()
    stand.look()
    assert closes == [1]


def test_a_damaged_new_snapshot_leaves_the_old_one_serving_and_is_told_of(stand: Stand) -> None:
    stand.damage(stand.publish())
    stand.look()
    health = stand.service.get("/health")
    assert health.status_code == 200
    assert (health.json()["status"], health.json()["problems"]) == ("degraded", ["stand: snapshot-damaged"])
    assert health.json()["collections"] == {"stand": 1}
    assert stand.keys() == ["000.jpg", "001.jpg", "002.jpg"]
    assert stand.service.get("/ready").status_code == 200
    (row,) = stand.service.get("/collections").json()["collections"]
    assert (row["ready"], row["snapshot"], row["problem"]["code"]) == (True, 1, "snapshot-damaged")
    assert str(stand.data) not in row["problem"]["detail"]
    refused = stand.service.post("/collections/stand/refresh")
    assert (refused.status_code, refused.json()["code"]) == (503, "snapshot-damaged")


def test_after_a_damaged_snapshot_the_next_good_one_is_served(stand: Stand) -> None:
    stand.damage(stand.publish())
    stand.look()
    assert stand.publish(start=51) >= 2
    stand.look()
    assert stand.service.get("/health").json()["status"] == "ok"
    assert stand.keys() == ["000.jpg", "001.jpg", "002.jpg", "050.jpg", "051.jpg"]


def test_one_damaged_collection_does_not_keep_the_others_from_being_noticed(stand: Stand, tmp_path: Path) -> None:
    """A file that the disk does not give out: /proc/self/mem is there, has no bytes, and fails to be read."""
    write_pictures(tmp_path / "more", 1)
    index(stand.data, "a-bad-one", tmp_path / "more")
    snapshot = stand.data / "collections/a-bad-one/snapshots/00000001"
    size = (snapshot / "vectors.npy").stat().st_size
    (snapshot / "vectors.npy").unlink()
    (snapshot / "vectors.npy").symlink_to("/proc/self/mem")
    manifest = (snapshot / "manifest.json").read_text()
    (snapshot / "manifest.json").write_text(manifest.replace(f'"bytes": {size}', '"bytes": 0'))
    stand.publish()
    stand.look()
    assert stand.serves == 2
    refused = stand.service.search(NEW, collection="a-bad-one")
    assert (refused.status_code, refused.json()["code"]) == (503, "snapshot-damaged")


def test_a_collection_comes_and_goes_while_the_service_runs(stand: Stand, tmp_path: Path) -> None:
    assert stand.service.search(NEW, collection="second").status_code == 404
    write_pictures(tmp_path / "more", 1, start=50)
    index(stand.data, "second", tmp_path / "more")
    first = stand.service.search(NEW, collection="second")
    assert (first.status_code, first.json()["collection"], first.headers["x-snapshot"]) == (200, "second", "1")
    rows = stand.service.get("/collections").json()["collections"]
    assert [row["name"] for row in rows] == ["second", "stand"]
    (unclear,) = stand.service.search(NEW).json()["errors"]
    assert (unclear["field"], unclear["message"]) == ("collection", "name a collection; there are: second, stand")
    held = stand.service.services.snapshots.current("second")
    assert held is not None
    closes = count_closes(held)
    shutil.rmtree(stand.data / "collections/second")
    stand.look()
    assert closes == [1]
    response = stand.service.search(NEW, collection="second")
    assert (response.status_code, response.json()["code"]) == (404, "collection-not-found")
    assert stand.service.search(NEW).status_code == 200, "only one is left"


def test_a_cursor_of_an_older_snapshot_is_refused_with_the_way_out(stand: Stand) -> None:
    cursor = stand.service.get("/collections/stand/items?limit=1").json()["next_cursor"]
    stand.publish()
    stand.look()
    refused = stand.service.get("/collections/stand/items", params={"cursor": cursor})
    assert (refused.status_code, refused.json()["code"]) == (409, "cursor-outdated")
    assert refused.json()["detail"] == (
        "the cursor belongs to snapshot 1, but snapshot 2 is current: start again without a cursor"
    )


def test_a_service_that_can_no_longer_look_for_snapshots_is_not_ready(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_self: object) -> None:
        raise RuntimeError("a mistake of ours")

    with monkeypatch.context() as patch:
        patch.setattr("service.snapshots.Snapshots.poll_all", broken)
        with starting(stand.data) as service:
            service.wait_for(lambda: service.get("/ready").json()["code"] == "internal", "it is found out")
            assert service.get("/health").status_code == 200, "it lives, and whoever runs it may restart it"


def test_a_defect_in_one_poll_does_not_end_the_polling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log_lines: Any
) -> None:
    monkeypatch.setattr("service.snapshots._POLL_SECONDS", 0.01)
    write_pictures(tmp_path / "pictures", 2)
    index(tmp_path / "data", "stand", tmp_path / "pictures")
    failures: list[str] = []

    async def broken() -> None:
        failures.append("secret words")
        raise RuntimeError("secret words")

    with serving(tmp_path / "data") as service:
        stand = Stand(service, tmp_path / "data", tmp_path / "pictures")
        with monkeypatch.context() as patch:
            patch.setattr(service.services.snapshots, "poll_all", broken)
            service.wait_for(lambda: len(failures) > 2, "it is tried again")
            health = service.get("/health").json()
            assert (health["status"], health["problems"]) == (
                "degraded",
                ["polling for new snapshots fails, and is tried again; the log has why"],
            )
        stand.publish()
        service.wait_for(lambda: stand.serves == 2, "snapshot 2 serves")
        assert service.get("/health").json()["status"] == "ok"
    logged = [line for line in log_lines() if line["event"] == "background work failed"]
    assert [(line["work"], line["error"]) for line in logged] == [("polling for new snapshots", "RuntimeError")]
    assert "test_snapshots.py" in json.dumps(logged), "with its trace"


@pytest.mark.parametrize(
    ("loop", "method", "pause"),
    [("folding", "_is_due", "service.folding._LOOK_SECONDS"), ("jobs", "_look", "service.jobs.runner._LOOK_SECONDS")],
)
def test_a_defect_does_not_end_folding_or_jobs(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, log_lines: Any, loop: str, method: str, pause: str
) -> None:
    calls: list[object] = []

    def broken(*arguments: object) -> Any:
        calls.append(arguments)
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(pause, 0.01)
    with serving(stand.data) as service:
        monkeypatch.setattr(getattr(service.services, loop), method, broken)
        service.wait_for(lambda: len(calls) > 2, "it is tried again")
        assert service.get("/ready").status_code == 200
        assert service.get("/health").json()["status"] == "degraded"
    assert len([line for line in log_lines() if line["event"] == "background work failed"]) == 1


def test_two_polls_at_once_close_what_is_gone_once(stand: Stand, tmp_path: Path) -> None:
    snapshots = stand.service.services.snapshots
    write_pictures(tmp_path / "more", 1, start=50)
    names = ("second", "third", "fourth")
    for name in names:
        index(stand.data, name, tmp_path / "more")
    stand.look()
    closes = [count_closes(held) for name in names if (held := snapshots.current(name)) is not None]
    for name in names:
        shutil.rmtree(stand.data / "collections" / name)

    async def poll_three_times() -> None:
        await asyncio.gather(*(snapshots.poll_all() for _ in range(3)))

    stand.service.call(poll_three_times)
    assert closes == [[1]] * 3
    assert snapshots.names() == ["stand"]


def test_a_collection_that_comes_while_the_folder_is_listed_stays(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots = stand.service.services.snapshots
    write_pictures(tmp_path / "more", 1, start=50)
    list_names = snapshots._names_on_disk

    def list_and_index() -> list[str]:
        names = list_names()
        index(stand.data, "second", tmp_path / "more")
        return names

    async def poll_both() -> None:
        await asyncio.gather(snapshots.poll_all(), snapshots.poll("second"))

    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "_names_on_disk", list_and_index)
        stand.service.call(poll_both)
    assert snapshots.current("second") is not None


def test_a_collection_that_goes_while_it_is_opened_leaves_nothing_open(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots = stand.service.services.snapshots
    write_pictures(tmp_path / "more", 1, start=50)
    index(stand.data, "second", tmp_path / "more")
    opened: list[OpenSnapshot] = []
    open_snapshot = snapshots._open

    def open_and_remove(name: str) -> OpenSnapshot:
        opened.append(open_snapshot(name))
        shutil.rmtree(stand.data / "collections" / name)
        return opened[-1]

    async def poll() -> list[list[int]]:
        polling = asyncio.create_task(snapshots.poll("second"))
        while not opened:
            await asyncio.sleep(0.001)
        closes = [count_closes(snapshot) for snapshot in opened]
        await asyncio.gather(polling, snapshots.poll_all(), snapshots.poll("second"))
        return closes

    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "_open", open_and_remove)
        assert stand.service.call(poll) == [[1]]
    assert snapshots.names() == ["stand"]
