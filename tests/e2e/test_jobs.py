"""Uploads and jobs of a service in a process of its own, which is stopped and killed meanwhile, on both databases."""

from __future__ import annotations

import csv
import io
import json
import signal
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.processes import PATIENCE, Program, Served
from tests.helpers.archives import picture_files, zip_of

FINAL = ("succeeded", "failed", "cancelled")
TUS = {"Tus-Resumable": "1.0.0"}
MANY = 500
"""Pictures whose encoding takes seconds, and so is under way when a job says how far it is, as it does every second."""


class Client:
    """A client of a service over one data folder and one database, which may be started again."""

    def __init__(self, program: Program, folder: Path, database_url: str) -> None:
        self._program = program
        self._folder = folder
        self._database_url = database_url
        self._starts = 0
        self.served: Served
        self.start()

    @property
    def data(self) -> Path:
        return self._folder / "data"

    def start(self) -> None:
        """Start a service and wait until it is ready."""
        self._starts += 1
        self.served = self._program.serve(
            self._folder / f"log-{self._starts}",
            *("--data", self.data, "--port", "0"),
            LOOKALIKE_DATABASE_URL=self._database_url,
        )
        self.served.wait_until_ready()

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        return httpx.request(method, self.served.url + path, timeout=PATIENCE, trust_env=False, **options)

    def begin(self, collection: str, **fields: str) -> str:
        response = self.ask("POST", f"/collections/{collection}/jobs", data=fields)
        assert response.status_code == 202, response.text
        job_id: str = response.json()["id"]
        return job_id

    def send(self, content: bytes, name: str = "pictures.zip") -> str:
        response = self.ask("PUT", f"/uploads/{name}", content=content)
        assert response.status_code == 201, response.text
        upload_id: str = response.json()["id"]
        return upload_id

    def until(self, job_id: str, holds: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """The job as soon as something holds of it."""

        def look() -> dict[str, Any] | None:
            job: dict[str, Any] = self.ask("GET", f"/jobs/{job_id}").json()
            return job if holds(job) else None

        job = self.served.until(look, what)
        assert job is not None
        return job

    def ended(self, job_id: str) -> dict[str, Any]:
        return self.until(job_id, lambda job: job["state"] in FINAL, "the job ends")

    def count(self, collection: str) -> int:
        count: int = self.ask("GET", f"/collections/{collection}").json()["count"]
        return count


@pytest.fixture
def client(program: Program, tmp_path: Path, database_url: str) -> Iterator[Client]:
    client = Client(program, tmp_path, database_url)
    yield client
    client.served.stop()


@contextmanager
def events_of(client: Client, job_id: str) -> Iterator[Iterator[dict[str, Any]]]:
    with httpx.stream("GET", f"{client.served.url}/jobs/{job_id}/events", timeout=PATIENCE, trust_env=False) as stream:
        yield (json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: "))


def test_a_zip_that_comes_in_two_pieces_around_a_restart_is_indexed_and_searched(client: Client) -> None:
    files = picture_files(12) | {"broken.jpg": b"no picture at all"}
    content = zip_of(files)
    created = client.ask("POST", "/uploads", headers=TUS | {"Upload-Length": str(len(content))})
    path, half = created.headers["location"], len(content) // 2
    piece = TUS | {"Content-Type": "application/offset+octet-stream"}
    sent = client.ask("PATCH", path, content=content[:half], headers=piece | {"Upload-Offset": "0"})
    assert (sent.status_code, sent.headers["upload-offset"]) == (204, str(half))
    client.served.stop()
    client.start()
    assert client.ask("HEAD", path, headers=TUS).headers["upload-offset"] == str(half)
    early = client.ask("POST", "/collections/shop/jobs", data={"kind": "index", "upload": path.rpartition("/")[2]})
    assert (early.status_code, early.json()["code"]) == (409, "upload-incomplete")
    client.ask("PATCH", path, content=content[half:], headers=piece | {"Upload-Offset": str(half)})
    job_id = client.begin("shop", kind="index", upload=path.rpartition("/")[2])
    with events_of(client, job_id) as events:
        reports = list(events)
    assert (reports[-1]["state"], reports[-1]["rejected"]) == ("succeeded", {"unsupported-format": 1}), reports[-1]
    assert {event["state"] for event in reports[:-1]} <= {"queued", "running"}
    hit = client.served.post("/search", image=files["007.jpg"]).json()["results"][0]
    assert (hit["key"], round(hit["score"], 3)) == ("007.jpg", 1.0)
    assert client.ask("GET", hit["thumbnail_url"]).status_code == 200
    table = client.ask("GET", f"/jobs/{job_id}/report?format=csv").text
    (row,) = csv.DictReader(io.StringIO(table, newline=""))
    assert (row["key"], row["code"]) == ("broken.jpg", "unsupported-format")


def is_encoding(job: dict[str, Any]) -> bool:
    return job["stage"] == "encoding" and (job["done"] or 0) >= 32


def test_a_service_that_is_killed_in_the_middle_of_a_job_finishes_it_after_its_restart(client: Client) -> None:
    job_id = client.begin("shop", kind="index", upload=client.send(zip_of(picture_files(MANY))))
    client.until(job_id, is_encoding, "pictures are encoded")
    client.served.tell(signal.SIGKILL)
    client.served.ended()
    client.served.kill()
    client.start()
    job = client.ended(job_id)
    assert (job["state"], job["starts"]) == ("succeeded", 2), job
    assert client.count("shop") == MANY
    assert job["summary"]["verdicts"]["resumed"] > 0, "what was encoded is not encoded again"


def test_a_job_is_cancelled_and_the_next_one_goes_on(client: Client) -> None:
    client.ended(client.begin("shop", kind="index", upload=client.send(zip_of(picture_files(4)))))
    upload_id = client.send(zip_of(picture_files(MANY)))
    job_id = client.begin("shop", kind="index", upload=upload_id)
    client.until(job_id, is_encoding, "pictures are encoded")
    with events_of(client, job_id) as events:
        next(events)
        assert client.ask("DELETE", f"/jobs/{job_id}").status_code == 200
        last = list(events)[-1]
    assert last["state"] == "cancelled"
    assert client.count("shop") == 4, "what was published is as it was"
    job = client.ended(client.begin("shop", kind="index", upload=upload_id))
    assert (job["state"], client.count("shop")) == ("succeeded", MANY)


def test_a_service_stops_at_once_though_somebody_listens(client: Client) -> None:
    job_id = client.begin("shop", kind="index", upload=client.send(zip_of(picture_files(MANY // 2))))
    with events_of(client, job_id) as events:
        next(events)
        client.served.stop()
        assert all(event["state"] != "succeeded" for event in events), "the stream ends before the job"
    client.start()
    assert client.ended(job_id)["state"] == "succeeded"


def shared_bytes(content: bytes) -> bytes:
    """The archive with its second member said to begin within the first one."""
    data = bytearray(content)
    struct.pack_into("<I", data, data.rfind(b"PK\1\2") + 42, 1)
    return bytes(data)


def many_times(content: bytes) -> bytes:
    """The archive with a member that is said to unpack to four gigabytes."""
    data = bytearray(content)
    struct.pack_into("<I", data, data.find(b"PK\1\2") + 24, 0xFFFFFF00)
    return bytes(data)


def test_hostile_archives_do_no_harm(client: Client) -> None:
    good = zip_of(picture_files(2))
    hostile = {
        "archive-damaged": b"PK\3\4 this is no zip",
        "archive-unsafe": shared_bytes(good),
    }
    for code, content in hostile.items():
        job = client.ended(client.begin("hostile", kind="index", upload=client.send(content)))
        assert (job["state"], job["problem"]["code"]) == ("failed", code), job
        assert str(client.data) not in json.dumps(job)
    bomb = client.ended(client.begin("hostile", kind="index", upload=client.send(many_times(good))))
    assert (bomb["problem"]["code"], "pictures.zip" in bomb["problem"]["detail"]) == ("archive-unsafe", True)
    assert not (client.data / "collections" / "hostile").exists(), "nothing is left of them"
    climbing = zip_of({"../../evil.jpg": b"x", "/etc/evil.jpg": b"x", **picture_files(2)})
    job = client.ended(client.begin("climbing", kind="index", upload=client.send(climbing)))
    assert (job["state"], job["rejected"], client.count("climbing")) == ("succeeded", {"archive-unsafe": 2}, 2)
    assert not list(client.data.parent.rglob("evil*"))
