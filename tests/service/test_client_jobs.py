"""Jobs and uploads by ``lookalike.client``, over the real application and real processes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from lookalike.client import AsyncClient, Client, InvalidRequestError, JobAnswer, NotFoundError
from lookalike.client import uploads as client_uploads
from tests.conftest import running_on
from tests.helpers.archives import picture_files, zip_of
from tests.service.harness import Service, serving
from tests.service.test_client import ADDRESS, PortalTransport, client_of, run_async


@pytest.fixture(scope="module", autouse=True)
def users_runtime() -> Iterator[None]:
    """Encoders run as users run them, which starts fastest: each job is a process of its own."""
    with running_on():
        yield


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service over an empty data folder."""
    with serving(tmp_path_factory.mktemp("jobs") / "data") as running:
        yield running


class Breaking(PortalTransport):
    """A connection that breaks when the second piece of an upload is under way."""

    pieces = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "PATCH":
            self.pieces += 1
            if self.pieces == 2:
                raise httpx2.ReadError("it broke", request=request)
        return super().handle_request(request)


def test_a_zip_is_sent_in_pieces_indexed_and_followed(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_uploads, "PIECE_BYTES", 4000)
    archive = zip_of(picture_files(4) | {"broken.jpg": b"no picture"})
    (tmp_path / "pictures.zip").write_bytes(archive)
    transport = Breaking(service)
    with Client(ADDRESS, transport=transport) as client:
        upload = client.create_upload(tmp_path / "pictures.zip")
        assert (upload.filename, upload.length, upload.complete) == ("pictures.zip", len(archive), True)
        assert transport.pieces == -(-len(archive) // 4000) + 1
        job = client.create_job("fresh", "index", upload=upload.id, mode="replace", exclude=["note.txt", "*.tmp"])
        jobs = list(client.follow_job(job.id))
        assert (jobs[-1].state, jobs[-1].rejected) == ("succeeded", {"unsupported-format": 1})
        assert all(not before.is_final for before in jobs[:-1])
        assert client.get_job(job.id) == jobs[-1]
        assert client.get_collection("fresh").count == 4
        assert b"broken.jpg" in client.get_job_report(job.id, format="csv")
        assert json.loads(client.get_job_report(job.id))["job"] == job.id
        assert [row.id for row in client.list_jobs(state="succeeded", limit=1).jobs] == [job.id]
        assert [row.id for row in client.iter_jobs("fresh", limit=1)] == [job.id]
        assert client.list_collection_jobs("fresh").jobs[0].kind == "index"
        assert client.cancel_job(job.id).state == "succeeded", "a finished one stays"


def test_so_it_is_with_an_event_loop(service: Service) -> None:
    archive = zip_of(picture_files(2))

    async def work(client: AsyncClient) -> list[JobAnswer]:
        upload = await client.create_upload(io.BytesIO(archive), filename="two.zip")
        job = await client.create_job("two", "index", upload=upload.id)
        return [event async for event in client.follow_job(job.id)]

    assert run_async(service, work)[-1].state == "succeeded"


def test_a_job_whose_answer_was_lost_is_begun_once(service: Service) -> None:
    class Lossy(PortalTransport):
        """The answer to the first request that begins a job is lost."""

        count = 0

        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            response = super().handle_request(request)
            if request.method == "POST" and request.url.path.endswith("/jobs"):
                self.count += 1
                if self.count == 1:
                    raise httpx2.ReadError("it was lost", request=request)
            return response

    transport = Lossy(service)
    with Client(ADDRESS, transport=transport) as client:
        client.put_collection("once")
        job = client.create_job("once", "duplicates")
        assert transport.count == 2
        assert [row.id for row in client.iter_jobs("once")] == [job.id]
        assert list(client.follow_job(job.id))[-1].is_final


def test_what_is_refused_is_told(service: Service) -> None:
    with client_of(service) as client:
        with pytest.raises(NotFoundError, match="job-not-found"):
            list(client.follow_job("0" * 16))
        with pytest.raises(NotFoundError, match="job-not-found"):
            client.get_job("0" * 16)
        with pytest.raises(InvalidRequestError, match="field-invalid"):
            client.create_job("fresh", "reorder")
        upload = client.create_upload(io.BytesIO(b"no zip"))
        client.delete_upload(upload.id)
        with pytest.raises(NotFoundError, match="upload-not-found"):
            client.get_upload(upload.id)
