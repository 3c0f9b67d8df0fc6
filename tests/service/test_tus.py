"""Uploads by the tus protocol and in one request: streamed to the disk, resumed, limited, and removed in time."""

from __future__ import annotations

import asyncio
import base64
import errno
import json
import os
import resource
import shutil
import threading
import time
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lookalike.options import MEBIBYTE
from service.errors import StorageInsufficientError
from service.jobs import upload_store
from service.jobs.upload_store import EXPIRY_SECONDS, UploadFile
from tests.service.harness import Service, Trickle, serving

TUS = {"Tus-Resumable": "1.0.0"}
PIECE = TUS | {"Content-Type": "application/offset+octet-stream"}
CONTENT = bytes(range(256)) * 40


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with serving(tmp_path / "data", max_upload_bytes=20_000) as running:
        yield running


def metadata(**values: str) -> str:
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in values.items())


def create(service: Service, length: int = len(CONTENT), metadata: str = "") -> httpx.Response:
    headers = {"Upload-Length": str(length), "Upload-Metadata": metadata}
    return service.post("/uploads", headers=TUS | headers)


def send(service: Service, path: str, offset: int, content: Any) -> httpx.Response:
    return service.request("PATCH", path, content=content, headers=PIECE | {"Upload-Offset": str(offset)})


def files(service: Service) -> list[str]:
    return sorted(path.name for path in (service.settings.places.data / "uploads").glob("*"))


def stored(service: Service, path: str) -> bytes:
    upload_id = path.rpartition("/")[2]
    return (service.settings.places.data / "uploads" / f"{upload_id}.zip").read_bytes()


def break_off(
    service: Service, method: str, path: str, headers: dict[str, str], messages: list[dict[str, Any]]
) -> None:
    """A request whose client leaves after these messages, without an answer."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (name.lower().encode(), value.encode()) for name, value in (headers | {"Host": "localhost"}).items()
        ],
    }

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send_nothing(_message: Any) -> None:
        raise AssertionError("there is nobody to answer")

    async def leave() -> None:
        await service.app(scope, receive, send_nothing)

    service.call(leave)


def test_the_service_says_what_it_can_do(service: Service) -> None:
    answer = service.request("OPTIONS", "/uploads")
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == answer.headers["tus-resumable"] == "1.0.0"
    assert answer.headers["tus-extension"] == "creation,creation-with-upload,termination,expiration"
    assert answer.headers["tus-max-size"] == "20000"


def test_an_upload_comes_in_pieces(service: Service) -> None:
    created = create(service, metadata=metadata(filename="Schöne Bilder.ZIP", filetype="application/zip"))
    assert (created.status_code, created.headers["upload-offset"]) == (201, "0")
    path = created.headers["location"]
    assert path == f"/uploads/{created.json()['id']}"
    assert created.json()["filename"] == "Schöne Bilder.ZIP"
    assert created.headers["upload-expires"].endswith(" GMT")
    first = send(service, path, 0, CONTENT[:3000])
    assert (first.status_code, first.headers["upload-offset"], first.content) == (204, "3000", b"")
    head = service.request("HEAD", path, headers=TUS)
    assert (head.status_code, head.headers["upload-offset"], head.headers["upload-length"]) == (200, "3000", "10240")
    assert head.headers["cache-control"] == "no-store"
    assert send(service, path, 3000, CONTENT[3000:]).headers["upload-offset"] == "10240"
    answer = service.get(path).json()
    assert (answer["complete"], answer["offset"], answer["length"]) == (True, 10240, 10240)
    assert stored(service, path) == CONTENT


def test_the_first_piece_may_come_with_the_creation(service: Service) -> None:
    headers = PIECE | {"Upload-Length": str(len(CONTENT))}
    created = service.post("/uploads", headers=headers, content=CONTENT[:50])
    assert (created.status_code, created.headers["upload-offset"]) == (201, "50")


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("PUT", "/uploads/pictures.zip", {}),
        ("POST", "/uploads", {"Content-Type": "application/x-www-form-urlencoded"}),
        ("POST", "/uploads?filename=pictures.zip", {"Content-Type": "application/zip"}),
    ],
)
def test_a_file_is_sent_in_one_request(service: Service, method: str, path: str, headers: dict[str, str]) -> None:
    sent = service.request(method, path, content=CONTENT, headers=headers)
    assert (sent.status_code, sent.json()["complete"]) == (201, True), sent.text
    assert stored(service, sent.headers["location"]) == CONTENT


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("100%2541.zip", "100%41.zip"),
        ("50%25%20off.zip", "50% off.zip"),
        ("sch%C3%B6n%20%E6%97%A5%E6%9C%AC.zip", "schön 日本.zip"),
        ("%25E6%2597%25A5.zip", "%E6%97%A5.zip"),
        ("a%2Fb.zip", "b.zip"),
    ],
)
def test_the_name_of_a_file_is_decoded_once(service: Service, sent: str, name: str) -> None:
    answer = service.request("PUT", f"/uploads/{sent}", content=CONTENT)
    assert (answer.status_code, answer.json().get("filename")) == (201, name), answer.text


def test_the_name_of_a_file_that_is_no_utf_8_is_refused(service: Service) -> None:
    refused = service.request("PUT", "/uploads/sch%F6n.zip", content=CONTENT)
    assert (refused.status_code, refused.json()["code"]) == (404, "not-found")
    assert "UTF-8" in refused.json()["detail"]


def test_a_piece_that_does_not_begin_at_the_end_is_refused(service: Service) -> None:
    path = create(service).headers["location"]
    send(service, path, 0, CONTENT[:100])
    for offset in (0, 99, 101):
        refused = send(service, path, offset, b"x")
        assert (refused.status_code, refused.json()["code"]) == (409, "upload-offset-mismatch")
    assert service.get(path).json()["offset"] == 100


def test_what_arrived_before_the_connection_was_lost_stays(service: Service) -> None:
    path = create(service).headers["location"]

    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": CONTENT[:700], "more_body": True},
        {"type": "http.disconnect"},
    ]
    break_off(service, "PATCH", path, PIECE | {"Upload-Offset": "0"}, messages)
    assert service.get(path).json()["offset"] == 700
    assert send(service, path, 700, CONTENT[700:]).status_code == 204
    assert stored(service, path) == CONTENT


def test_nothing_beyond_the_announced_length_is_taken(service: Service) -> None:
    path = create(service, 100).headers["location"]
    refused = send(service, path, 0, b"x" * 101)
    assert (refused.status_code, refused.json()["code"]) == (413, "body-too-large")
    chunked = send(service, path, 0, Trickle(b"x" * 60, b"x" * 60))
    assert chunked.status_code == 413
    assert service.get(path).json()["offset"] <= 100


def test_only_one_request_writes_an_upload(service: Service) -> None:
    path = create(service).headers["location"]

    async def both() -> tuple[httpx.Response, httpx.Response, httpx.Response]:
        go_on = asyncio.Event()
        headers = PIECE | {"Upload-Offset": "0"}
        body = Trickle(CONTENT[:10], CONTENT[10:], go_on=go_on)
        slow = asyncio.create_task(service.ask("PATCH", path, content=body, headers=headers))
        while body.fetched < 1:
            await asyncio.sleep(0.01)
        quick = await service.ask("PATCH", path, content=CONTENT, headers=headers)
        removed = await service.ask("DELETE", path, headers=TUS)
        go_on.set()
        return quick, removed, await slow

    quick, removed, slow = service.call(both)
    assert (quick.status_code, quick.json()["code"]) == (423, "upload-locked")
    assert removed.status_code == 423
    assert slow.status_code == 204
    assert stored(service, path) == CONTENT


def test_an_upload_that_stalls_is_ended_and_can_be_resumed(tmp_path: Path) -> None:
    with serving(tmp_path / "data", upload_timeout=0.2) as service:
        path = create(service).headers["location"]

        async def stall() -> httpx.Response:
            body = Trickle(CONTENT[:10], CONTENT[10:], go_on=asyncio.Event())
            return await service.ask("PATCH", path, content=body, headers=PIECE | {"Upload-Offset": "0"})

        stalled = service.call(stall)
        assert (stalled.status_code, stalled.json()["code"]) == (408, "upload-timeout")
        assert service.get(path).json()["offset"] == 10


@pytest.mark.parametrize(
    "headers", [{}, {"Upload-Offset": "-1"}, {"Upload-Offset": "ten"}, {"Upload-Offset": "9" * 30}]
)
def test_an_offset_has_to_be_a_number(service: Service, headers: dict[str, str]) -> None:
    path = create(service).headers["location"]
    refused = service.request("PATCH", path, content=b"x", headers=PIECE | headers)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "upload-offset")


def test_what_is_no_tus_is_refused(service: Service) -> None:
    path = create(service).headers["location"]
    other_version = service.request("PATCH", path, headers=PIECE | {"Tus-Resumable": "0.2.2", "Upload-Offset": "0"})
    assert (other_version.status_code, other_version.json()["code"]) == (412, "upload-version-unsupported")
    assert other_version.headers["tus-version"] == "1.0.0"
    other_type = service.request("PATCH", path, content=b"x", headers=TUS | {"Upload-Offset": "0"})
    assert other_type.status_code == 415
    form = service.post("/uploads", files={"file": ("a.zip", CONTENT)})
    assert (form.status_code, form.json()["code"]) == (415, "media-type-unsupported")
    assert "-T pictures.zip" in form.json()["detail"]
    deferred = service.post("/uploads", headers=TUS | {"Upload-Defer-Length": "1"})
    assert deferred.status_code == 422
    garbled = create(service, metadata="filename ***")
    assert (garbled.status_code, garbled.json()["errors"][0]["field"]) == (422, "upload-metadata")
    no_length = service.post("/uploads", content=Trickle(b"a", b"b"))
    assert (no_length.status_code, no_length.json()["errors"][0]["field"]) == (422, "content-length")


@pytest.mark.parametrize("name", ["pictures.exe", "pictures", "../../etc/passwd", "a.zip.sh"])
def test_a_file_that_is_no_source_is_refused(service: Service, name: str) -> None:
    refused = service.post("/uploads", params={"filename": name}, content=b"x")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "filename")
    assert files(service) == []


def test_a_name_leads_nowhere(service: Service) -> None:
    sent = service.post("/uploads", params={"filename": "..\\../x/evil\n.zip"}, content=CONTENT)
    assert sent.status_code == 201
    assert sent.json()["filename"] == "evil\\n.zip"
    assert {name.partition(".")[0] for name in files(service)} == {sent.json()["id"]}
    for path in ("/uploads/..%2F..%2Fetc", "/uploads/" + "a" * 32, "/uploads/ABC"):
        assert service.get(path).json()["code"] == "upload-not-found"


def test_an_upload_is_removed_on_request(service: Service) -> None:
    path = create(service).headers["location"]
    assert service.request("DELETE", path, headers=TUS).status_code == 204
    assert files(service) == []
    for method in ("GET", "DELETE"):
        gone = service.request(method, path, headers=TUS)
        assert (gone.status_code, gone.json()["code"]) == (404, "upload-not-found")


def test_clients_that_can_only_post_say_which_method_they_mean(service: Service) -> None:
    path = create(service, 3).headers["location"]
    headers = PIECE | {"Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert service.post(path, headers=headers, content=b"abc").headers["upload-offset"] == "3"
    assert service.post(path, headers=TUS).status_code == 405
    assert service.post(path, headers=TUS | {"X-HTTP-Method-Override": "DELETE"}).status_code == 204


def test_an_upload_has_its_limits(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    too_large = create(service, 20_001)
    assert (too_large.status_code, too_large.json()["code"]) == (413, "body-too-large")
    monkeypatch.setattr(upload_store, "MAX_OPEN", 2)
    assert [create(service, 10).status_code for _ in range(3)] == [201, 201, 429]


def test_uploads_that_are_complete_take_no_place_of_those_under_way(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_store, "MAX_OPEN", 2)
    assert [service.post("/uploads", content=CONTENT).status_code for _ in range(3)] == [201] * 3
    assert [create(service, 10).status_code for _ in range(3)] == [201, 201, 429]


def test_the_disk_never_has_more_uploads_than_a_creation_can_look_at(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_store, "MAX_STORED", 2)
    assert [service.post("/uploads", content=CONTENT).status_code for _ in range(3)] == [201, 201, 429]


def test_a_creation_whose_first_piece_is_refused_leaves_nothing(service: Service) -> None:
    headers = PIECE | {"Upload-Length": "100"}
    for body in (b"x" * 101, Trickle(b"x" * 60, b"x" * 60)):
        refused = service.post("/uploads", headers=headers, content=body)
        assert (refused.status_code, refused.json()["code"], files(service)) == (413, "body-too-large", [])


def test_a_creation_that_breaks_off_leaves_nothing_because_nobody_was_told_its_path(service: Service) -> None:
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": CONTENT[:700], "more_body": True},
        {"type": "http.disconnect"},
    ]
    break_off(service, "POST", "/uploads", PIECE | {"Upload-Length": "10240"}, messages)
    assert (messages, files(service)) == ([], [])


def test_room_on_the_disk_is_looked_for_before_anything_is_sent(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, upload_store.RESERVED_BYTES + 15_000))
    assert create(service, 10_000).status_code == 201
    refused = create(service, 10_000)
    assert (refused.status_code, refused.json()["code"]) == (507, "storage-insufficient"), "the first one needs it"


def test_a_disk_that_is_full_in_the_middle_is_told(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    path = create(service).headers["location"]

    class Full:
        def write(self, _data: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write = UploadFile.write

    def full(self: UploadFile, pieces: list[bytes]) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(self, "_file", Full())
            write(self, pieces)

    with monkeypatch.context() as patch:
        patch.setattr(UploadFile, "write", full)
        refused = send(service, path, 0, CONTENT)
    assert (refused.status_code, refused.json()["code"]) == (507, "storage-insufficient")
    assert send(service, path, 0, CONTENT).status_code == 204


def test_a_disk_that_fills_up_in_the_middle_of_a_write_has_each_byte_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system writes ``room`` bytes into a file and refuses the rest; right afterwards there is room again."""
    content, room = os.urandom(4 * MEBIBYTE), 2 * MEBIBYTE + MEBIBYTE // 2
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    write = UploadFile.write

    def write_until_full(self: UploadFile, pieces: list[bytes]) -> None:
        try:
            write(self, pieces)
        except StorageInsufficientError:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            raise

    with serving(tmp_path / "data") as service:
        path = create(service, len(content)).headers["location"]
        pieces = [content[at : at + 700_000] for at in range(0, len(content), 700_000)]
        with monkeypatch.context() as patch:
            patch.setattr(UploadFile, "write", write_until_full)
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
            try:
                refused = send(service, path, 0, Trickle(*pieces))
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert (refused.status_code, refused.json()["code"]) == (507, "storage-insufficient")
        assert stored(service, path) == content[:room]
        assert service.request("HEAD", path).headers["upload-offset"] == str(room)
        assert send(service, path, room, content[room:]).status_code == 204
        assert stored(service, path) == content


def test_a_request_that_is_cancelled_in_the_middle_of_a_write_leaves_each_byte_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = os.urandom(3 * MEBIBYTE)
    writing, go_on, write = threading.Event(), threading.Event(), UploadFile.write

    def slow(self: UploadFile, pieces: list[bytes]) -> None:
        writing.set()
        assert go_on.wait(10)
        write(self, pieces)

    with serving(tmp_path / "data") as service:
        path = create(service, len(content)).headers["location"]

        async def cancel() -> httpx.Response:
            body = Trickle(content[:MEBIBYTE], content[MEBIBYTE:], go_on=asyncio.Event())
            headers = PIECE | {"Upload-Offset": "0"}
            first = asyncio.create_task(service.ask("PATCH", path, content=body, headers=headers))
            await asyncio.to_thread(writing.wait)
            first.cancel()
            await asyncio.sleep(0.1)
            meanwhile = await service.ask("PATCH", path, content=content, headers=headers)
            go_on.set()
            await asyncio.wait({first})
            assert first.cancelled()
            return meanwhile

        with monkeypatch.context() as patch:
            patch.setattr(UploadFile, "write", slow)
            meanwhile = service.call(cancel)
        assert (meanwhile.status_code, meanwhile.json()["code"]) == (423, "upload-locked")
        assert stored(service, path) == content[:MEBIBYTE]
        assert send(service, path, MEBIBYTE, content[MEBIBYTE:]).status_code == 204
        assert stored(service, path) == content


def test_expired_uploads_are_removed_apart_from_those_that_a_job_needs(service: Service) -> None:
    old, used, new = (create(service, 10).json()["id"] for _ in range(3))
    folder = service.settings.places.data / "uploads"
    long_ago = time.time() - EXPIRY_SECONDS - 60
    for upload_id in (old, used):
        info = folder / f"{upload_id}.json"
        info.write_text(json.dumps(json.loads(info.read_text()) | {"created_at": long_ago}))
        os.utime(folder / f"{upload_id}.zip", (long_ago, long_ago))
    (folder / "left-over.tmp").touch()
    os.utime(folder / "left-over.tmp", (long_ago, long_ago))
    assert service.services.upload_store.remove_expired({used}) == 1
    assert {name.partition(".")[0] for name in files(service)} == {used, new}


def test_uploads_survive_a_restart(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as service:
        path = create(service).headers["location"]
        send(service, path, 0, CONTENT[:123])
    with serving(tmp_path / "data") as service:
        assert service.request("HEAD", path).headers["upload-offset"] == "123"
        assert send(service, path, 123, CONTENT[123:]).status_code == 204
        assert stored(service, path) == CONTENT
