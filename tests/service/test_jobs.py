"""Jobs over HTTP, run by real processes: what they do to a collection, how far they are, and what they leave."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest

from lookalike.images import encode_png
from lookalike.testing import make_picture
from service.settings import ApiKeys
from tests.conftest import ShareExports, running_on
from tests.e2e.conftest import write_pictures
from tests.helpers.archives import picture_files, zip_of
from tests.service.harness import Service, item_path, serving

FINAL = ("succeeded", "failed", "cancelled")


@pytest.fixture(scope="module", autouse=True)
def users_runtime() -> Iterator[None]:
    """Encoders run as users run them, which starts fastest: each job is a process of its own."""
    with running_on():
        yield


def upload(service: Service, content: bytes, filename: str = "pictures.zip") -> str:
    response = service.post("/uploads", params={"filename": filename}, content=content)
    assert response.status_code == 201, response.text
    upload_id: str = response.json()["id"]
    return upload_id


def begin(service: Service, collection: str, **fields: object) -> dict[str, Any]:
    response = service.post(f"/collections/{collection}/jobs", data=fields)
    assert response.status_code == 202, response.text
    job: dict[str, Any] = response.json()
    assert response.headers["location"] == f"/jobs/{job['id']}"
    return job


def ended(service: Service, job: dict[str, Any]) -> dict[str, Any]:
    def look() -> dict[str, Any]:
        answer: dict[str, Any] = service.get(f"/jobs/{job['id']}").json()
        return answer

    service.wait_for(lambda: look()["state"] in FINAL, f"the job ends: {look()}")
    return look()


def do(service: Service, collection: str, **fields: object) -> dict[str, Any]:
    return ended(service, begin(service, collection, **fields))


def keys(service: Service, collection: str) -> list[str]:
    return [item["key"] for item in service.get(f"/collections/{collection}/items").json()["items"]]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, share_exports: ShareExports) -> Iterator[Service]:
    """A service over an empty data folder, which may index the folder ``allowed`` beside it."""
    folder = tmp_path_factory.mktemp("jobs")
    write_pictures(folder / "allowed" / "pictures", 3)
    (folder / "secret").mkdir()
    write_pictures(folder / "secret", 1)
    (folder / "allowed" / "link").symlink_to(folder / "secret")
    share_exports(folder / "data" / "encoders")
    with serving(folder / "data", allow_sources=(folder / "allowed",)) as running:
        yield running


@pytest.fixture(scope="module")
def allowed(service: Service) -> Path:
    return service.settings.allow_sources[0]


def test_an_uploaded_zip_becomes_a_collection_that_is_searched_and_shown(service: Service) -> None:
    files = picture_files(6) | {"broken.jpg": b"no picture at all", "note.txt": b"text"}
    upload_id = upload(service, zip_of(files))
    job = do(service, "fresh", kind="index", upload=upload_id)
    assert (job["state"], job["problem"]) == ("succeeded", None), job
    assert job["rejected"] == {"unsupported-format": 1}
    assert job["summary"]["items"] == 6
    assert job["summary"]["verdicts"]["rejected"] == 1
    assert (job["starts"], job["kind"], job["options"]) == (1, "index", {"upload": upload_id})
    assert service.get("/collections/fresh").json()["count"] == 6, "the search right after the job sees it"
    best = service.search(files["003.jpg"], collection="fresh", k=1).json()["results"][0]
    assert (best["key"], round(best["score"], 3)) == ("003.jpg", 1.0)
    assert service.get(best["thumbnail_url"]).status_code == 200
    assert service.get(f"/uploads/{upload_id}").status_code == 404, "it has become the collection's source"
    rows = service.get(f"/jobs/{job['id']}/report").json()
    assert (rows["job"], rows["collection"], rows["kind"]) == (job["id"], "fresh", "index")
    (row,) = rows["rows"]
    assert (row["key"], row["verdict"], row["code"]) == ("broken.jpg", "rejected", "unsupported-format")
    table = service.get(job["report"], params={"format": "csv"})
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    assert table.headers["content-disposition"] == f'attachment; filename="fresh-index-{job["id"]}.csv"'
    assert list(csv.DictReader(io.StringIO(table.text, newline=""))) == [row]


@pytest.mark.parametrize(
    ("content", "filename", "code"),
    [
        (b"PK\3\4 this is no zip", "pictures.zip", "archive-damaged"),
        (b"no;such;columns\n1;2;3\n", "pictures.csv", "manifest-invalid"),
    ],
)
def test_an_upload_that_is_damaged_is_the_fault_of_what_was_sent(
    service: Service, content: bytes, filename: str, code: str, allowed: Path
) -> None:
    root = {"images_root": str(allowed)} if filename.endswith(".csv") else {}
    job = do(service, "damaged", kind="index", upload=upload(service, content, filename), **root)
    assert job["state"] == "failed"
    assert (job["problem"]["code"], job["problem"]["status"]) == (code, 422)
    assert job["problem"]["title"] == HTTPStatus(422).phrase


def test_a_second_zip_replaces_the_first_only_if_its_losses_are_agreed_to(service: Service) -> None:
    collection = "twice"
    do(service, collection, kind="index", upload=upload(service, zip_of(picture_files(8))))
    sources = service.settings.places.data / "collections" / collection / "sources"
    (first,) = sources.glob("*.zip")
    smaller = upload(service, zip_of(picture_files(2, start=6) | picture_files(1, start=50)))
    refused = do(service, collection, kind="index", upload=smaller)
    assert (refused["state"], refused["problem"]["code"], refused["problem"]["status"]) == (
        "failed",
        "source-shrunk",
        422,
    )
    assert "pictures.zip has lost 6 of the 8 pictures" in refused["problem"]["detail"]
    assert "send the job again with allow_removals=true" in refused["problem"]["detail"]
    assert str(service.settings.places.data) not in json.dumps(refused)
    assert len(keys(service, collection)) == 8
    assert list(sources.glob("*.zip")) == [first], "what was refused is no source"
    agreed = do(service, collection, kind="index", upload=smaller, allow_removals="true")
    assert agreed["state"] == "succeeded", "the upload is still there after the refusal"
    assert sorted(keys(service, collection)) == ["006.jpg", "007.jpg", "050.jpg"]
    assert service.get(item_path("050.jpg", "thumbnail", collection)).status_code == 200
    assert len(list(sources.glob("*.zip"))) == 2, "the snapshot of the first one is still kept"
    for number in (60, 61):
        files = picture_files(2, start=6) | picture_files(1, start=number)
        again = do(service, collection, kind="index", upload=upload(service, zip_of(files)), allow_removals="true")
        assert again["state"] == "succeeded"
    assert first not in set(sources.glob("*.zip")), "no snapshot is left that was made of it"


def test_a_zip_that_is_added_takes_nothing_away_and_survives_the_next_run(service: Service, allowed: Path) -> None:
    collection = "added"
    do(service, collection, kind="index", path=str(allowed / "pictures"))
    job = do(service, collection, kind="index", mode="add", upload=upload(service, zip_of(picture_files(2, start=70))))
    assert (job["state"], job["summary"]["verdicts"]["indexed"], job["summary"]["items"]) == ("succeeded", 2, 5)
    everything = ["000.jpg", "001.jpg", "002.jpg", "070.jpg", "071.jpg"]
    assert sorted(keys(service, collection)) == everything
    again = do(
        service, collection, kind="index", mode="add", upload=upload(service, zip_of(picture_files(2, start=70)))
    )
    assert again["summary"]["verdicts"]["unchanged"] == 2, "nothing is encoded twice"
    assert do(service, collection, kind="reindex")["state"] == "succeeded"
    assert sorted(keys(service, collection)) == everything
    assert service.get(item_path("071.jpg", "thumbnail", collection)).status_code == 200
    source = service.get(f"/collections/{collection}").json()["source"]
    assert source == {"kind": "folder", "location": str(allowed / "pictures")}


def test_adding_makes_a_collection_and_respects_what_is_said_live(service: Service) -> None:
    collection = "live-first"
    picture = encode_png(make_picture(300))
    job = do(service, collection, kind="index", mode="add", upload=upload(service, zip_of({"a.png": picture})))
    assert job["state"] == "succeeded", job
    service.request("PATCH", item_path("a.png", collection=collection), data={"metadata": '{"price": 5}'})
    other = encode_png(make_picture(301))
    do(service, collection, kind="index", mode="add", upload=upload(service, zip_of({"a.png": other})))
    item = service.get(item_path("a.png", collection=collection)).json()
    assert item["metadata"] == {"price": 5}, "a zip says nothing of it"
    assert service.search(other, collection=collection, k=1).json()["results"][0]["score"] > 0.999
    assert do(service, collection, kind="reindex")["state"] == "succeeded", "it takes the live changes in"


def test_a_table_in_a_zip_is_ignored_and_a_batch_brings_what_it_says(service: Service) -> None:
    files = {"a.png": encode_png(make_picture(310)), "shop.csv": b"path,price\na.png,5\n"}
    job = do(service, "with-table", kind="index", upload=upload(service, zip_of(files)))
    assert (job["state"], job["summary"]["verdicts"]["ignored"]) == ("succeeded", 1)
    path = "/collections/with-table/items"
    changes = '[{"op": "patch", "key": "a.png", "product_id": "p-1", "metadata": {"price": 5}}]'
    assert service.post(path, data={"changes": changes}).status_code == 200
    do(service, "with-table", kind="index", mode="add", upload=upload(service, zip_of(files)))
    item = service.get(f"{path}/a.png").json()
    assert (item["product_id"], item["metadata"]) == ("p-1", {"price": 5})


def test_a_job_that_is_sent_twice_with_one_key_is_begun_once(service: Service, allowed: Path) -> None:
    form = {"kind": "index", "path": str(allowed / "pictures")}
    first, second = (
        service.post("/collections/once/jobs", data=form, headers={"Idempotency-Key": "delivery-7"}) for _ in range(2)
    )
    assert (first.status_code, second.status_code, second.headers["idempotent-replayed"]) == (202, 202, "true")
    assert first.json()["id"] == second.json()["id"]
    assert len(service.get("/collections/once/jobs").json()["jobs"]) == 1
    assert ended(service, first.json())["state"] == "succeeded"


def test_a_manifest_is_uploaded_with_the_folder_of_its_pictures(service: Service, allowed: Path) -> None:
    manifest = b"path,key,price\n000.jpg,sku-0,5\n../../secret/000.jpg,sku-1,6\n"
    upload_id = upload(service, manifest, "shop.csv")
    missing = service.post("/collections/table/jobs", data={"kind": "index", "upload": upload_id})
    assert (missing.status_code, missing.json()["errors"][0]["field"]) == (422, "images_root")
    job = do(service, "table", kind="index", upload=upload_id, images_root=str(allowed / "pictures"))
    assert (job["state"], job["rejected"]) == ("succeeded", {"entry-outside": 1})
    assert service.get(item_path("sku-0", collection="table")).json()["metadata"] == {"price": 5}
    assert do(service, "table", kind="reindex")["state"] == "succeeded"


@pytest.mark.parametrize("path", ["../secret", "link", "../../../etc", "no-such-folder"])
def test_only_folders_that_the_operator_allows_are_read(service: Service, allowed: Path, path: str) -> None:
    refused = service.post("/collections/spy/jobs", data={"kind": "index", "path": str(allowed / path)})
    assert (refused.status_code, refused.json()["code"]) == (403, "source-not-allowed")
    assert (
        refused.json()["detail"] == "path: there is nothing at this path below the folders that --allow-sources names"
    )


def test_duplicates_are_found_and_their_table_is_read_without_the_server_s_paths(service: Service) -> None:
    files = picture_files(4)
    do(service, "copies", kind="index", upload=upload(service, zip_of(files | {"=copy.jpg": files["001.jpg"]})))
    job = do(service, "copies", kind="duplicates", tier="same-bytes")
    assert (job["state"], job["summary"]) == (
        "succeeded",
        {"pictures": 5, "copies": 1, "bytes": len(files["001.jpg"]), "groups": 1, "unreadable": 0},
    )
    text = service.get(f"/jobs/{job['id']}/report?format=csv").text
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert sorted(row["key"] for row in rows) == ["'=copy.jpg", "001.jpg"], "no cell is a formula"
    assert "path" not in rows[0]
    assert str(service.settings.places.data) not in text
    assert len(service.get("/collections/copies/duplicates").json()["groups"]) == 1


def test_class_folders_are_indexed_calibrated_and_evaluated(service: Service) -> None:
    """The source documents' training endpoint: a zip of class folders; and inference with a confidence."""
    files = {}
    for label in range(8):
        base = make_picture(label * 10)
        for number in range(8):
            shifted = base.copy()
            shifted[: 4 + number] = number * 30
            files[f"class {label}/{number}.png"] = encode_png(shifted)
    do(service, "classes", kind="index", upload=upload(service, zip_of(files)))
    job = do(service, "classes", kind="calibrate", labels_from_folders="true", precision="0.8")
    assert job["state"] == "succeeded", job
    figures = {row["name"]: row["value"] for row in service.get(job["report"]).json()["rows"]}
    assert figures["calibration.threshold"] == job["summary"]["calibration"]["threshold"]
    answer = service.search(files["class 3/1.png"], collection="classes", k=3).json()
    assert answer["results"][0]["confidence"] > 0.5
    assert answer["threshold"]["source"].startswith("calibrat")
    evaluated = do(service, "classes", kind="evaluate")
    assert evaluated["state"] == "succeeded", evaluated
    assert evaluated["summary"]["encoders"][0]["recall_at_1"]["value"] > 0.5
    assert evaluated["summary"]["classes"] == 8


def test_the_items_of_a_collection_are_tagged_by_their_stored_vectors(service: Service, allowed: Path) -> None:
    do(service, "named", kind="index", path=str(allowed / "pictures"))
    job = do(service, "named", kind="tag")
    assert (job["state"], job["summary"]["changed"], job["summary"]["items"]) == ("succeeded", 3, 3), job
    assert service.get("/collections/named").json()["auto_tags"] is True
    items = service.get("/collections/named/items").json()["items"]
    assert all(isinstance(item["metadata"]["auto_tags"], list) for item in items)
    do(service, "named", kind="reindex")
    assert do(service, "named", kind="tag")["summary"]["changed"] == 0
    assert do(service, "named", kind="tag", auto_tags="false")["summary"]["changed"] == 3
    assert service.get("/collections/named").json()["auto_tags"] is False


def test_a_collection_without_labels_cannot_be_calibrated_and_says_what_to_do(service: Service, allowed: Path) -> None:
    do(service, "plain", kind="index", path=str(allowed / "pictures"))
    job = do(service, "plain", kind="calibrate", label="no-such-column")
    assert (job["state"], job["problem"]["code"]) == ("failed", "labels-missing")
    assert job["report"] is None
    missing = service.get(f"/jobs/{job['id']}/report")
    assert (missing.status_code, missing.json()["code"]) == (404, "report-missing")


def test_another_encoder_needs_agreement(service: Service, allowed: Path) -> None:
    do(service, "coded", kind="index", path=str(allowed / "pictures"), encoder="bundled-int8")
    refused = do(service, "coded", kind="reindex", encoder="bundled")
    assert (refused["state"], refused["problem"]["code"]) == ("failed", "encoder-mismatch")
    assert "reencode=true" in refused["problem"]["detail"]
    agreed = do(service, "coded", kind="reindex", encoder="bundled", reencode="true")
    assert agreed["state"] == "succeeded"
    assert service.get("/collections/coded").json()["encoder"]["name"] == "bundled"
    unknown = service.post("/collections/coded/jobs", data={"kind": "reindex", "encoder": "resnet18:/etc/passwd"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "encoder-unknown")


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"kind": "index", "uplod": "x"}, "uplod", "did you mean upload?"),
        ({"kind": "duplicates", "reencode": "true"}, "reencode", "the fields are tier, neighbours"),
        ({"kind": "dance"}, "kind", "must be 'index'"),
        ({"upload": "a"}, "kind", "is missing"),
        ({"kind": "index"}, "upload", "send either upload"),
        ({"kind": "index", "upload": "a", "path": "/b"}, "upload", "send either upload"),
        ({"kind": "calibrate", "precision": "0.2"}, "precision", "at least 0.5"),
        ({"kind": "calibrate", "label": "a", "labels_from_folders": "true"}, "label", "exclude each other"),
    ],
)
def test_options_are_checked_before_anything_is_queued(
    service: Service, fields: dict[str, str], field: str, words: str
) -> None:
    refused = service.post("/collections/plain/jobs", data=fields)
    assert refused.status_code == 422, refused.text
    (problem,) = refused.json()["errors"]
    assert problem["field"] == field
    assert words in problem["message"]


@pytest.mark.parametrize(
    "name", ["no-such", "undefined", "a\0b", "base64", "idna", "punycode", "unicode_escape", "Raw_Unicode_Escape"]
)
def test_what_is_no_encoding_of_text_is_refused(service: Service, allowed: Path, name: str) -> None:
    fields = {"kind": "index", "path": str(allowed / "pictures"), "source_encoding": name}
    refused = service.post("/collections/plain/jobs", data=fields)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "source_encoding"), refused.text


@pytest.mark.parametrize("kind", ["reindex", "duplicates", "calibrate", "evaluate"])
def test_jobs_over_a_collection_that_there_is_not_are_refused(service: Service, kind: str) -> None:
    refused = service.post("/collections/nowhere/jobs", data={"kind": kind})
    assert (refused.status_code, refused.json()["code"]) == (404, "collection-not-found")


def test_jobs_are_listed_by_page_and_followed_as_events(service: Service, allowed: Path) -> None:
    jobs = [do(service, "listed", kind="index", path=str(allowed / "pictures")) for _ in range(3)]
    newest_first = [job["id"] for job in reversed(jobs)]
    first = service.get("/collections/listed/jobs?limit=2").json()
    second = service.get("/collections/listed/jobs", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [job["id"] for job in first["jobs"] + second["jobs"]] == newest_first
    assert second["next_cursor"] is None
    assert service.get("/jobs?limit=1").json()["jobs"][0] == jobs[-1]
    failed = do(service, "listed", kind="calibrate")
    assert service.get("/jobs?state=failed&limit=1").json()["jobs"] == [failed]
    job = begin(service, "listed", kind="reindex")
    stream = service.get(f"/jobs/{job['id']}/events", headers={"Last-Event-ID": "7"})
    assert stream.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line[6:]) for line in stream.text.splitlines() if line.startswith("data: ")]
    assert events[0]["state"] in ("queued", "running")
    assert events[-1] == service.get(f"/jobs/{job['id']}").json()
    assert events[-1]["state"] == "succeeded"
    assert (events[-1]["stage"], events[-1]["done"], events[-1]["total"]) == ("encoding", 3, 3)


def test_what_there_is_not_is_told(service: Service) -> None:
    for path in ("/jobs/0123456789abcdef", "/jobs/none", "/jobs/0123456789abcdef/events", "/jobs/none/report"):
        answer = service.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "job-not-found"), path
    assert service.request("DELETE", "/jobs/0123456789abcdef").status_code == 404


def test_who_reads_may_look_and_only_who_writes_may_begin_and_cancel(tmp_path: Path) -> None:
    keys = ApiKeys.parse(["read:reading-is-all-i-may-do", "write:writing-is-what-i-may"])
    read, write = ({"Authorization": f"Bearer {key}"} for key in ("reading-is-all-i-may-do", "writing-is-what-i-may"))

    def statuses(service: Service, headers: dict[str, str]) -> list[int]:
        answers: list[httpx.Response] = [
            service.get("/jobs", headers=headers),
            service.get("/collections/x/jobs", headers=headers),
            service.post("/collections/x/jobs", data={"kind": "reindex"}, headers=headers),
            service.request("DELETE", "/jobs/0123456789abcdef", headers=headers),
            service.post("/uploads", content=b"x", headers=headers),
        ]
        return [answer.status_code for answer in answers]

    with serving(tmp_path, keys=keys) as service:
        assert statuses(service, {}) == [401] * 5
        assert statuses(service, read) == [200, 200, 403, 403, 403]
        assert statuses(service, write) == [200, 200, 404, 404, 201]
        other_site = write | {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
        assert service.post("/uploads", content=b"x", headers=other_site).status_code == 403


def test_who_only_reads_sees_no_folder_of_the_server(tmp_path: Path) -> None:
    keys = ApiKeys.parse(["read:reading-is-all-i-may-do", "write:writing-is-what-i-may"])
    read, write = ({"Authorization": f"Bearer {key}"} for key in ("reading-is-all-i-may-do", "writing-is-what-i-may"))
    folder = tmp_path / "allowed" / "pictures"
    write_pictures(folder, 1)
    (folder / "table.csv").write_text("path,key\n000.jpg,a\n")
    fields = {"kind": "index", "path": str(folder / "table.csv"), "images_root": str(folder)}
    with serving(tmp_path / "data", keys=keys, allow_sources=(tmp_path / "allowed",), max_jobs=0) as service:
        job = service.post("/collections/shop/jobs", data=fields, headers=write).json()
        assert job["options"] == {name: value for name, value in fields.items() if name != "kind"}
        assert service.get(f"/jobs/{job['id']}", headers=write).json() == job
        for path in (f"/jobs/{job['id']}", "/jobs", "/collections/shop/jobs"):
            answer = service.get(path, headers=read)
            assert str(tmp_path) not in answer.text
        assert answer.json()["jobs"][0]["options"] == {"path": "table.csv", "images_root": "pictures"}


def test_a_problem_of_a_job_names_its_fields_and_no_folder_of_the_server(service: Service) -> None:
    folder = service.settings.allow_sources[0] / "shrinking"
    write_pictures(folder, 8)
    do(service, "shrinking", kind="index", path=str(folder))
    for path in sorted(folder.glob("*.jpg"))[1:]:
        path.unlink()
    job = do(service, "shrinking", kind="index", path=str(folder))
    assert job["problem"]["code"] == "source-shrunk"
    assert "send the job again with allow_removals=true" in job["problem"]["detail"]
    assert str(folder.parent) not in json.dumps(job["problem"])
    assert "--" not in job["problem"]["detail"]
