"""Exports over HTTP: jobs whose file is downloaded, and what becomes of it."""

from __future__ import annotations

import csv
import io
import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from lookalike.catalogue.job_store import JobRecord, JobState
from lookalike.client import AsyncClient, NotFoundError
from lookalike.images import encode_png
from lookalike.testing import make_picture
from service.jobs.job_files import find_job_file, remove_old_files
from tests.conftest import running_on
from tests.service.harness import Service, serving
from tests.service.test_client import client_of, run_async
from tests.service.test_jobs import begin, do


@pytest.fixture(scope="module", autouse=True)
def users_runtime() -> Iterator[None]:
    with running_on():
        yield


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with a collection of three pictures, of which none is in a snapshot yet."""
    with serving(tmp_path_factory.mktemp("exports") / "data") as running:
        with client_of(running) as client:
            client.put_collection("shop", columns={"price": "number", "a, b": "text"})
            for number in range(3):
                metadata: dict[str, Any] = {"price": 10 * number, "a, b": f"=1+{number}"}
                client.put_item("shop", f"item-{number}", image=encode_png(make_picture(number)), metadata=metadata)
        yield running


def test_an_export_is_downloaded_in_each_format(service: Service) -> None:
    job = do(service, "shop", kind="export", filter="price > 5", fields='["price", "a, b", "path"]')
    assert (job["state"], job["problem"], job["report"]) == ("succeeded", None, None), job
    assert job["options"] == {"filter": "price > 5", "fields": ["price", "a, b", "path"]}
    response = service.get(job["file"])
    assert job["summary"] == {"format": "jsonl", "items": 2, "bytes": len(response.content)}
    rows = [json.loads(line) for line in response.text.splitlines()]
    assert [(row["key"], row["price"], row["a, b"]) for row in rows] == [("item-1", 10, "=1+1"), ("item-2", 20, "=1+2")]
    assert set(rows[0]) == {"key", "price", "a, b", "path", "_vector"}
    assert rows[0]["path"].startswith("stored:")
    assert response.headers["content-type"] == "application/jsonl"
    assert response.headers["content-disposition"] == f'attachment; filename="shop-export-{job["id"]}.jsonl"'
    part = service.get(job["file"], headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, response.content[:10])

    table = do(service, "shop", kind="export", format="csv", filter='{"price": {"lt": 15}}')
    response = service.get(table["file"])
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert [row["key"] for row in csv.DictReader(io.StringIO(response.text, newline=""))] == ["item-0", "item-1"]
    parquet = do(service, "shop", kind="export", format="parquet", vectors=False)
    read = pq.read_table(io.BytesIO(service.get(parquet["file"]).content))
    assert read.column("price").to_pylist() == [0, 10, 20]
    assert "_vector" not in read.column_names


def test_what_cannot_be_exported_is_said_at_once_or_by_the_job(service: Service) -> None:
    for fields, code in (
        ({"format": "fiftyone"}, "field-invalid"),
        ({"filter": "price <"}, "filter-invalid"),
        ({"fields": ""}, "field-invalid"),
        ({"tier": "same-bytes"}, "field-invalid"),
    ):
        response = service.post("/collections/shop/jobs", data={"kind": "export", **fields})
        assert (response.status_code, response.json()["code"]) == (422, code), fields
    assert service.post("/collections/none/jobs", data={"kind": "export"}).status_code == 404
    job = do(service, "shop", kind="export", fields="prise")
    assert (job["state"], job["file"]) == ("failed", None)
    assert job["problem"]["code"] == "filter-invalid"
    assert "did you mean 'price'" in job["problem"]["detail"]
    missing = service.get(f"/jobs/{job['id']}/file")
    assert (missing.status_code, missing.json()["code"]) == (404, "report-missing")


def test_the_client_writes_it_to_a_file_when_all_of_it_has_arrived(service: Service, tmp_path: Path) -> None:
    with client_of(service) as client:
        job = client.create_job("shop", "export", format="csv", fields=["a, b"], filter={"price": {"gt": 5}})
        assert list(client.follow_job(job.id))[-1].file == f"/jobs/{job.id}/file"
        assert client.get_job_file(job.id, tmp_path / "items.csv") == tmp_path / "items.csv"
        with (tmp_path / "items.csv").open(newline="") as file:
            assert [row["a, b"] for row in csv.DictReader(file)] == ["=1+1", "=1+2"]
        with pytest.raises(NotFoundError, match="job-not-found"):
            client.get_job_file("0" * 16, tmp_path / "none")

    async def work(client: AsyncClient) -> Path:
        return await client.get_job_file(job.id, tmp_path / "again.csv")

    assert run_async(service, work).read_bytes() == (tmp_path / "items.csv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.csv", "items.csv"]


def test_a_file_is_kept_for_a_day(service: Service, tmp_path: Path) -> None:
    job = begin(service, "shop", kind="export")
    assert job["file"] is None
    now = datetime.now(UTC)
    record = JobRecord(
        number=1, id="a" * 16, collection="shop", kind="export", options={}, state=JobState.SUCCEEDED,
        is_cancel_requested=False, progress={}, created_at=now, started_at=now, finished_at=now, starts=1,
        problem=None, summary={}, has_report=False,
    )  # fmt: skip
    file = find_job_file(record, "jsonl")
    assert file is not None
    assert (file.name, file.download_name) == ("export.jsonl", f"shop-export-{record.id}.jsonl")
    old = replace(record, finished_at=now - timedelta(hours=25))
    assert find_job_file(old, "jsonl") is None
    for name, hours in (("new", 1), ("old", 25)):
        path = tmp_path / name / "export.parquet"
        path.parent.mkdir()
        path.write_bytes(b"PAR1")
        os.utime(path, (time.time() - hours * 3600,) * 2)
        partial = tmp_path / name / ".export.csv.1.tmp"
        partial.write_text("")
        os.utime(partial, (time.time() - hours * 3600,) * 2)
        (tmp_path / name / "rows.jsonl").write_text("{}")
        os.utime(tmp_path / name / "rows.jsonl", (0, 0))
    remove_old_files(tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")) == [
        "new/.export.csv.1.tmp", "new/export.parquet", "new/rows.jsonl", "old/rows.jsonl",
    ]  # fmt: skip
