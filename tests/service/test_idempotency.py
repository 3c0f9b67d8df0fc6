"""Requests with an Idempotency-Key are done once: in one process, in two, and when the first has not ended."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lookalike.catalogue.job_store import JobStore
from lookalike.errors import CatalogueLockedError
from lookalike.images import encode_png
from lookalike.options import Places
from lookalike.testing import make_picture
from service import item_changes
from service.settings import ApiKeys
from tests.e2e.conftest import write_pictures
from tests.service.harness import Service, index, item_path, serving
from tests.service.test_item_changes import Shelf

NEW, OTHER = encode_png(make_picture(800)), encode_png(make_picture(801))
KEY = {"idempotency-key": "key-1"}


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    write_pictures(tmp_path / "pictures", 3)
    index(tmp_path / "data", "shelf", tmp_path / "pictures")
    with serving(tmp_path / "data") as service:
        yield Shelf(service, tmp_path / "data", tmp_path / "pictures")


def is_replay(answer: httpx.Response) -> bool:
    return bool(answer.headers.get("idempotent-replayed") == "true")


def number_of_changes(shelf: Shelf) -> int:
    number: int = shelf.service.get("/collections/shelf").json()["change"]
    return number


def test_the_same_request_gets_the_first_answer(shelf: Shelf) -> None:
    first = shelf.put("a", NEW, KEY, title="A mug", metadata={"n": 1})
    assert (first.status_code, is_replay(first)) == (201, False)
    shelf.patch("a", metadata={"n": 2})
    again = shelf.put("a", NEW, KEY, title="A mug", metadata={"n": 1})
    assert (again.status_code, is_replay(again)) == (201, True)
    assert again.content == first.content
    for name in ("etag", "content-type", "x-snapshot"):
        assert again.headers[name] == first.headers[name]
    assert shelf.get("a").json()["metadata"] == {"n": 2}, "nothing was done again"
    assert number_of_changes(shelf) == 2


@pytest.mark.parametrize("quoted", ['"key-1"', "key-1", ' "key-1" '])
def test_a_key_is_the_same_with_and_without_the_quotation_marks_of_the_draft(shelf: Shelf, quoted: str) -> None:
    shelf.put("a", NEW, KEY)
    assert is_replay(shelf.put("a", NEW, {"idempotency-key": quoted}))


def test_every_write_takes_a_key(shelf: Shelf) -> None:
    batch = [{"op": "put", "key": "b", "image": "b.png"}, {"op": "delete", "key": "nowhere"}]

    def send_batch(headers: dict[str, str]) -> httpx.Response:
        return shelf.service.post(
            "/collections/shelf/items",
            data={"changes": json.dumps(batch)},
            files=[("image", ("b.png", OTHER))],
            headers=headers,
        )

    def put_collection(headers: dict[str, str]) -> httpx.Response:
        return shelf.service.request("PUT", "/collections/more", headers=headers)

    def patch_collection(headers: dict[str, str]) -> httpx.Response:
        return shelf.service.request("PATCH", "/collections/shelf", data={"keep": "4"}, headers=headers)

    writes = (
        lambda headers: shelf.put("a", NEW, headers),
        lambda headers: shelf.patch("a", headers, metadata={"n": 1}),
        lambda headers: shelf.delete("000.jpg", headers),
        send_batch,
        put_collection,
        patch_collection,
    )
    for number, write in enumerate(writes):
        headers = {"idempotency-key": f"write-{number}"}
        first, again = write(headers), write(headers)
        assert first.is_success
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert (is_replay(first), is_replay(again)) == (False, True)


def test_the_key_of_another_request_is_refused(shelf: Shelf) -> None:
    shelf.put("a", NEW, KEY, metadata={"n": 1})
    others = (
        shelf.put("a", OTHER, KEY, metadata={"n": 1}),
        shelf.put("a", NEW, KEY, metadata={"n": 2}),
        shelf.put("a", NEW, KEY),
        shelf.put("b", NEW, KEY, metadata={"n": 1}),
        shelf.put("a", NEW, {**KEY, "if-match": "*"}, metadata={"n": 1}),
        shelf.put("a", NEW, {**KEY, "if-none-match": "*"}, metadata={"n": 1}),
        shelf.patch("a", KEY, metadata={"n": 1}),
        shelf.delete("a", KEY),
    )
    for refused in others:
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency-mismatch")
    assert shelf.list_keys() == ["000.jpg", "001.jpg", "002.jpg", "a"]


@pytest.mark.parametrize("key", ["", " ", '"', 'a"b', "a b", "schön", "k" * 256])
def test_a_key_that_is_none_is_refused_before_anything_is_done(shelf: Shelf, key: str) -> None:
    headers: Any = {"idempotency-key": key.encode("latin-1")}
    refused = shelf.put("a", NEW, headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "field-invalid")
    assert [error["field"] for error in refused.json()["errors"]] == ["idempotency-key"]
    assert shelf.get("a").status_code == 404


def test_a_refusal_is_an_answer_too(shelf: Shelf) -> None:
    first = shelf.patch("later", KEY, metadata={"n": 1})
    assert (first.status_code, first.json()["code"]) == (404, "item-not-found")
    shelf.put("later", NEW)
    again = shelf.patch("later", KEY, metadata={"n": 1})
    assert (again.status_code, is_replay(again)) == (404, True)
    assert again.headers["content-type"] == "application/problem+json"
    assert again.json() == first.json()


def test_what_may_go_better_the_next_time_is_not_stored(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.service.request("PUT", "/collections/shelf/pin", data={"snapshot": "1"})
    assert shelf.put("a", NEW, KEY).status_code == 409
    shelf.service.request("DELETE", "/collections/shelf/pin")

    def fail(*_arguments: object) -> Any:
        raise CatalogueLockedError("somebody has it")

    with monkeypatch.context() as patch:
        patch.setattr(item_changes, "_apply", fail)
        assert shelf.put("a", NEW, KEY).status_code == 503
    with monkeypatch.context() as patch:
        patch.setattr(item_changes, "_apply", lambda *_arguments: 1 / 0)
        assert shelf.put("a", NEW, KEY).status_code == 500
    made = shelf.put("a", NEW, KEY)
    assert (made.status_code, is_replay(made)) == (201, False)


class Gate:
    """Holds changes back until it is opened."""

    def __init__(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entered, self.open = service.call(self._events)
        change_items = item_changes.change_items

        async def wait_and_change(*arguments: Any) -> Any:
            self.entered.set()
            await self.open.wait()
            return await change_items(*arguments)

        monkeypatch.setattr("service.routes.item_changes.change_items", wait_and_change)

    @staticmethod
    async def _events() -> tuple[asyncio.Event, asyncio.Event]:
        return asyncio.Event(), asyncio.Event()


async def put(service: Service, picture: bytes = NEW) -> httpx.Response:
    return await service.ask(
        "PUT", item_path("a", collection="shelf"), files={"image": ("a.png", picture)}, headers=KEY
    )


def test_while_the_first_is_worked_on_the_second_is_told_so(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(shelf.service, monkeypatch)

    async def send() -> list[httpx.Response]:
        first = asyncio.create_task(put(shelf.service))
        await gate.entered.wait()
        second = await put(shelf.service)
        other = await put(shelf.service, OTHER)
        gate.open.set()
        return [await first, second, other, await put(shelf.service)]

    first, second, other, third = shelf.service.call(send)
    assert (second.status_code, second.json()["code"], second.headers["retry-after"]) == (
        409,
        "idempotency-running",
        "1",
    )
    assert other.json()["code"] == "idempotency-mismatch"
    assert (first.status_code, third.status_code, is_replay(third)) == (201, 201, True)
    assert number_of_changes(shelf) == 1


def test_what_a_client_that_left_has_asked_for_is_done_and_answered_when_it_asks_again(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(shelf.service, monkeypatch)

    async def leave() -> None:
        sent: list[Any] = []
        request = httpx.Request("PUT", "http://localhost" + item_path("a", collection="shelf"), files={"image": NEW})
        messages: list[dict[str, Any]] = [{"type": "http.request", "body": request.read(), "more_body": False}]

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop()
            await gate.entered.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = {**KEY, "host": "localhost", "content-type": request.headers["content-type"]}
        path = item_path("a", collection="shelf")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "PUT",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        left = asyncio.create_task(shelf.service.app(scope, receive, send))
        await gate.entered.wait()
        await asyncio.sleep(0.1)
        gate.open.set()
        await left
        assert sent == []

    shelf.service.call(leave)
    shelf.service.wait_for(lambda: shelf.service.services.admission.in_flight == 0, "the work ends")
    again = shelf.service.call(put_named, shelf.service)
    assert (again.status_code, again.json()["status"], is_replay(again)) == (201, "created", True)
    assert number_of_changes(shelf) == 1


async def put_named(service: Service) -> httpx.Response:
    """As the client that left had sent it: httpx calls a file without a name ``upload``."""
    return await service.ask("PUT", item_path("a", collection="shelf"), files={"image": NEW}, headers=KEY)


def test_a_request_that_took_too_long_is_done_once_and_answered_when_it_comes_again(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(shelf.data, request_timeout=0.3) as hasty, monkeypatch.context() as patch:
        impatient, gate = Shelf(hasty, shelf.data, shelf.pictures), Gate(hasty, patch)
        late = impatient.put("a", NEW, KEY)
        assert (late.status_code, late.json()["code"]) == (504, "deadline-exceeded")
        meanwhile = impatient.put("a", NEW, KEY)
        assert (meanwhile.status_code, meanwhile.json()["code"]) == (409, "idempotency-running")
        admissions = (hasty.services.admission, hasty.services.uploads)
        assert all(admission.in_flight > 0 for admission in admissions), "the work goes on, and so does what it takes"
        hasty.call(open_gate, gate)
        hasty.wait_for(lambda: not any(admission.in_flight for admission in admissions), "the work ends")
        again = impatient.put("a", NEW, KEY)
        assert (again.status_code, again.json()["status"], is_replay(again)) == (201, "created", True)
        assert number_of_changes(impatient) == 1


async def open_gate(gate: Gate) -> None:
    gate.open.set()


def test_two_requests_for_a_job_of_which_the_first_took_too_long_begin_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pictures(tmp_path / "pictures", 1)
    added, go_on, add = threading.Event(), threading.Event(), JobStore.add

    def add_slowly(self: JobStore, *arguments: Any, **options: Any) -> Any:
        record = add(self, *arguments, **options)
        added.set()
        assert go_on.wait(10)
        return record

    monkeypatch.setattr(JobStore, "add", add_slowly)
    allowed = (tmp_path / "pictures",)
    with serving(tmp_path / "data", request_timeout=0.5, allow_sources=allowed, max_jobs=0) as service:
        fields = {"kind": "index", "path": str(allowed[0])}

        def begin() -> httpx.Response:
            return service.post("/collections/shop/jobs", data=fields, headers=KEY)

        assert begin().status_code == 504
        assert added.wait(10)
        assert begin().status_code == 409
        go_on.set()
        service.wait_for(lambda: begin().status_code == 202, "the first answer is stored")
        assert is_replay(begin())
        assert len(service.get("/jobs").json()["jobs"]) == 1


def test_a_defect_of_work_that_outlives_its_request_is_logged(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, log_lines: Any
) -> None:
    with serving(shelf.data, request_timeout=0.3) as hasty, monkeypatch.context() as patch:
        gate = Gate(hasty, patch)
        patch.setattr(item_changes, "_apply", lambda *_arguments: 1 / 0)
        assert Shelf(hasty, shelf.data, shelf.pictures).put("a", NEW, KEY).status_code == 504
        hasty.call(open_gate, gate)
        hasty.wait_for(lambda: hasty.services.admission.in_flight == 0, "the work ends")
    assert [line["error"] for line in log_lines() if line["event"] == "failed"] == ["ZeroDivisionError"]
    assert shelf.put("a", NEW, KEY).status_code == 201, "its key is free again"


def test_a_service_that_stops_leaves_the_key_of_work_that_does_not_end_to_its_lease(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.stored_answers._STOP_SECONDS", 0.1)
    with serving(shelf.data, request_timeout=0.3) as hasty, monkeypatch.context() as patch:
        Gate(hasty, patch)
        assert Shelf(hasty, shelf.data, shelf.pictures).put("a", NEW, KEY).status_code == 504
    assert shelf.put("a", NEW, KEY).json()["code"] == "idempotency-running"


def test_two_processes_do_it_once_and_a_dead_ones_work_is_done_anew(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(shelf.data) as second:
        other = Shelf(second, shelf.data, shelf.pictures)
        first = shelf.put("a", NEW, KEY)
        again = other.put("a", NEW, KEY)
        assert (again.content, is_replay(again)) == (first.content, True)
        monkeypatch.setattr("service.stored_answers.LEASE_SECONDS", 0.0)

        async def die(*_arguments: object) -> None:
            """What a process does not do that is killed between the change and its answer."""

        key = {"idempotency-key": "key-2"}
        with monkeypatch.context() as patch:
            patch.setattr("service.stored_answers.StoredAnswers.finish", die)
            assert shelf.put("b", OTHER, key).json()["status"] == "created"
        retried = other.put("b", OTHER, key)
        assert (retried.status_code, retried.json()["status"], is_replay(retried)) == (200, "replaced", False)
        assert sorted(other.list_keys()) == ["000.jpg", "001.jpg", "002.jpg", "a", "b"]
        assert is_replay(shelf.put("b", OTHER, key))


def test_keys_belong_to_the_api_key_that_they_were_sent_with(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", 1)
    index(tmp_path / "data", "shelf", tmp_path / "pictures")
    keys = ApiKeys.parse(["write:" + "v" * 20, "write:" + "w" * 20])
    with serving(tmp_path / "data", places=Places(tmp_path / "data"), keys=keys) as service:
        shelf = Shelf(service, tmp_path / "data", tmp_path / "pictures")
        one, two = ({**KEY, "authorization": "Bearer " + letter * 20} for letter in "vw")
        assert shelf.put("a", NEW, one).status_code == 201
        mine = shelf.put("b", OTHER, two)
        assert (mine.status_code, is_replay(mine)) == (201, False)
        assert is_replay(shelf.put("a", NEW, one))
