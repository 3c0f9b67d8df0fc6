"""Every failure that the service has a code for, provoked by a real request, or listed with why none can."""

from __future__ import annotations

import asyncio
import errno
import re
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest

from lookalike.catalogue.database import Database
from lookalike.collection import picture_store
from lookalike.collection.layout import CollectionLayout
from lookalike.encoder.runtimes import torch_runtime
from lookalike.errors import ImageError, coded_errors
from lookalike.images import encode_png
from lookalike.map.stored_map import FILE as MAP_FILE
from lookalike.options import ImageLimits
from lookalike.testing import jpeg_bytes, make_picture
from service.errors import request_errors
from service.http.problems import INDEXER_CODES, JOB_CODES, STATUS
from service.search_cursor import SearchCursor
from service.settings import ApiKeys
from service.stored_answers import StoredAnswers
from tests.helpers.raw_files import dng
from tests.service.conftest import Shop
from tests.service.damaged_collections import write_damaged_collections
from tests.service.harness import MULTIPART, Service, Trickle, item_path, part, serving, starting

PICTURE = encode_png(make_picture(1))
JPEG = jpeg_bytes(1)
READ = {"Authorization": "Bearer reading-is-all-i-may-do"}

UNREACHABLE = {
    "key-invalid": "only the indexer reads keys from a source; an item without one does not come to be",
    "key-duplicate": "only the indexer reads keys from a source",
    "source-empty": "only the indexer counts what a source has",
    "source-shrunk": "only the indexer counts what a source has",
    "pattern-invalid": "only the indexer lists a source",
    "download-failed": "only the indexer downloads",
    "operator-unavailable": "the service goes on with the plain formula and says so in /health",
    "pairs-insufficient": "only the indexer calibrates",
    "quantised-too-far": "only the indexer rounds an encoder to int8",
    "recall-too-low": "only the indexer builds and measures an index",
    "labels-missing": "only the indexer asks for labels",
    "export-invalid": "only the indexer exports",
    "output-exists": "only the indexer writes where it is told",
    "layout-unavailable": "only the indexer lays out maps",
    "job-failed": "only in the problem of a job, see test_job_runs",
    "job-abandoned": "only in the problem of a job, see test_job_runs",
}


@dataclass
class World:
    """Everything that can go wrong at once; what is expensive is made when it is first asked for."""

    shop: Shop
    service: Service
    folder: Path
    stack: ExitStack
    made: dict[str, Any] = field(default_factory=dict)

    def serving(self, name: str, data: Path, **options: Any) -> Service:
        """An application of that name, which runs until the tests are over."""
        if name not in self.made:
            self.made[name] = self.stack.enter_context(serving(data, **options))
        running: Service = self.made[name]
        return running

    @property
    def strict(self) -> Service:
        """With keys, and with limits that are soon reached."""
        keys = ApiKeys.parse([f"read:{READ['Authorization'].split()[1]}"])
        limits = ImageLimits(max_bytes=60_000, max_pixels=10_000)
        strict = self.serving("strict", self.shop.data, keys=keys, limits=limits, capacity=4)
        strict.headers = READ
        return strict

    @property
    def damaged(self) -> Service:
        """Over a data folder in which every collection came to harm."""
        if "damaged" not in self.made:
            self.serving("damaged", write_damaged_collections(self.folder / "damaged"))
        damaged: Service = self.made["damaged"]
        return damaged

    def over_catalogue(self, change: Callable[[Path], object]) -> httpx.Response:
        """A search in the shop after something happened to its catalogue."""
        data = Path(shutil.copytree(self.shop.data, self.folder / change.__name__))
        change(data / "catalogue.db")
        with serving(data) as service:
            return service.search(key="plain-0", collection="shop")


@pytest.fixture(scope="module")
def world(shop: Shop, service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(shop, service, tmp_path_factory.mktemp("world"), stack)


Provocation = Callable[[World], httpx.Response]
PROVOKED: dict[str, tuple[int, Provocation]] = {}


def provokes(code: str, status: int) -> Callable[[Provocation], Provocation]:
    """Registers what gets this code and status."""

    def register(provocation: Provocation) -> Provocation:
        assert code not in PROVOKED
        PROVOKED[code] = (status, provocation)
        return provocation

    return register


def search_with(code: str, status: int, **options: Any) -> None:
    """Registers a search in the shop."""
    provokes(code, status)(lambda world: world.service.post("/search", **options))


def ask(code: str, status: int, path: str, method: str = "GET", **options: Any) -> None:
    """Registers a plain request to the shop."""
    provokes(code, status)(lambda world: world.service.request(method, path, **options))


def request_damaged(code: str, status: int, path: str) -> None:
    """Registers a plain request to the service with damaged collections."""
    provokes(code, status)(lambda world: world.damaged.get(path))


search_with("form-invalid", 400, content=b"--x\r\nno form", headers={"content-type": "multipart/form-data; boundary=x"})
search_with("host-not-allowed", 400, files={"image": PICTURE}, headers={"Host": "pictures.example.org"})
search_with("media-type-unsupported", 415, content=b"<key>plain-0</key>", headers={"content-type": "text/xml"})
search_with("unsupported-format", 415, files={"image": b"dear diary"})
search_with("raw-without-preview", 415, files={"image": dng(make_picture(1), previews=())})
search_with("field-invalid", 422, files={"image": PICTURE}, data={"k": "0"})
search_with("filter-invalid", 422, data={"key": "plain-0", "filter": "colur = red"})
search_with("scores-not-comparable", 409, data={"key": "plain-0", "collection": "shop", "collections": "shop"})
search_with("image-missing", 422, data={"k": "3"})
search_with("image-empty", 422, files={"image": b""})
search_with("image-truncated", 422, files={"image": JPEG[: len(JPEG) // 2]})
search_with("image-corrupt", 422, files={"image": PICTURE[:45] + b"\xff" * 60 + PICTURE[105:]})
search_with("collection-not-found", 404, data={"key": "plain-0", "collection": "no-such"})
ask("not-found", 404, "/nowhere")
ask("method-not-allowed", 405, "/search", method="DELETE")
ask("item-not-found", 404, item_path("no-such.jpg"))
ask("duplicates-not-searched", 404, "/collections/shop/duplicates")
ask("map-not-made", 404, "/collections/shop/map")
ask("tags-unavailable", 422, "/tags", "POST", files={"image": PICTURE}, data={"encoder": "bundled-resnet18"})
two = {"image_a": PICTURE, "image_b": PICTURE}
ask("encoder-unknown", 404, "/compare", "POST", files=two, data={"encoder": "resnet1800"})
ask("encoder-not-installed", 409, "/compare", "POST", files=two, data={"encoder": "resnet50"})
ask("encoder-options-invalid", 422, "/compare", "POST", files=two, data={"input_size": "100"})


@provokes("map-unusable", 409)
def a_damaged_map(world: World) -> httpx.Response:
    data = Path(shutil.copytree(world.shop.data, world.folder / "damaged-map"))
    (data / "collections" / "shop" / MAP_FILE).write_bytes(b"PK")
    with serving(data) as service:
        return service.get("/collections/shop/map")


request_damaged("collection-not-ready", 503, "/collections/not-ready")
request_damaged("snapshot-damaged", 503, "/collections/damaged/items")
request_damaged("index-damaged", 503, item_path("000.jpg", "similar", "index"))
request_damaged("snapshot-not-found", 503, "/collections/gone")
request_damaged("vectors-invalid", 503, "/collections/engine")
request_damaged("calibration-invalid", 503, "/collections/calibration")
request_damaged("calibration-mismatch", 409, "/collections/calibration-of-another")
request_damaged("entry-missing", 404, item_path("000.jpg", "image", "entries"))
request_damaged("entry-outside", 404, item_path("001.jpg", "image", "entries"))
request_damaged("entry-unreadable", 503, item_path("002.jpg", "thumbnail", "entries"))
provokes("item-changed", 409)(
    lambda world: world.damaged.post(
        "/compare", data={"image_a": "004.jpg", "image_b": "003.jpg", "collection": "entries", "explain": "true"}
    )
)
request_damaged("source-not-found", 503, item_path("000.jpg", "image", "no-source"))
request_damaged("source-unsupported", 503, item_path("000.jpg", "image", "other-source"))
request_damaged("manifest-invalid", 503, item_path("entries/000.jpg", "image", "list"))
request_damaged("archive-unsafe", 503, item_path("000.jpg", "image", "unsafe"))
request_damaged("archive-damaged", 503, item_path("000.jpg", "thumbnail", "torn"))


@provokes("encoder-mismatch", 409)
def _(world: World) -> httpx.Response:
    return world.damaged.search(PICTURE, collection="mismatch")


@provokes("weights-invalid", 500)
def _(world: World) -> httpx.Response:
    return world.damaged.post("/compare", files=two, data={"encoder": "resnet50"})


@provokes("encoding-failed", 500)
def _(world: World) -> httpx.Response:
    return world.damaged.post("/compare", files=two, data={"encoder": "test_resnet"})


@provokes("unauthorized", 401)
def _(world: World) -> httpx.Response:
    return world.strict.get("/collections", headers={"Authorization": "Bearer a-key-of-my-own-making"})


@provokes("forbidden", 403)
def _(world: World) -> httpx.Response:
    return world.strict.post("/collections/shop/refresh")


@provokes("body-too-large", 413)
def _(world: World) -> httpx.Response:
    return world.strict.search(b"x" * 200_000)


@provokes("image-too-large", 413)
def _(world: World) -> httpx.Response:
    return world.strict.search(JPEG + b"x" * 60_000)


@provokes("too-many-pixels", 413)
def _(world: World) -> httpx.Response:
    return world.strict.search(encode_png(make_picture(1, size=(101, 100))))


@provokes("upload-timeout", 408)
def _(world: World) -> httpx.Response:
    begun = part("image", PICTURE, "a.png")
    impatient = world.serving("impatient", world.shop.data, upload_timeout=0.05)
    return impatient.post("/search", content=Trickle(begun, b"", go_on=asyncio.Event()), headers=MULTIPART)


@provokes("overloaded", 429)
def _(world: World) -> httpx.Response:
    with world.strict.services.admission.permit(4):
        return world.strict.search(PICTURE)


@provokes("deadline-exceeded", 504)
def _(world: World) -> httpx.Response:
    return world.serving("hurried", world.shop.data, request_timeout=0.0).search(PICTURE)


@provokes("starting", 503)
def _(world: World) -> httpx.Response:
    go_on, load = threading.Event(), torch_runtime.load_torch_encoder

    def load_later(*arguments: Any, **options: Any) -> Any:
        assert go_on.wait(60)
        return load(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch_runtime, "load_torch_encoder", load_later)
        with starting(world.shop.data) as service:
            response = service.get("/ready")
            assert service.get("/collections").json()["code"] == "starting", "an empty list would be wrong"
            go_on.set()
            service.wait_until_ready()
    return response


@provokes("catalogue-unavailable", 503)
def _(world: World) -> httpx.Response:
    def overwritten(path: Path) -> None:
        path.write_bytes(b"no database" * 1000)

    return world.over_catalogue(overwritten)


@provokes("catalogue-outdated", 503)
def _(world: World) -> httpx.Response:
    def of_tomorrow(path: Path) -> None:
        with sqlite3.connect(path) as database:
            database.execute("UPDATE alembic_version SET version_num = 'tomorrow'")
        database.close()

    return world.over_catalogue(of_tomorrow)


@provokes("catalogue-locked", 503)
def _(world: World) -> httpx.Response:
    held = sqlite3.connect(":memory:")

    def locked(path: Path) -> None:
        held.execute("ATTACH ? AS catalogue", (str(path),))
        held.execute("PRAGMA catalogue.locking_mode = EXCLUSIVE")
        held.execute("UPDATE catalogue.collections SET run = run")
        held.commit()

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(Database.open.__func__.__kwdefaults__, "lock_timeout_s", 0.05)  # type: ignore[attr-defined]
        response = world.over_catalogue(locked)
    held.close()
    return response


@provokes("internal", 500)
def _(world: World) -> httpx.Response:
    def planted() -> NoReturn:
        raise RuntimeError(f"a mistake in {world.folder}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.service.services.encoders, "encoder_rows", planted)
        return world.service.get("/encoders")


@provokes("collection-name-invalid", 422)
def _(world: World) -> httpx.Response:
    return world.service.request("PUT", "/collections/No Name")


@provokes("collection-exists", 409)
def _(world: World) -> httpx.Response:
    return world.service.request("PUT", "/collections/shop", data={"encoder": "bundled-int8"})


def _changed(world: World) -> Service:
    """Over a shop of its own, which may be changed."""
    if "changed" not in world.made:
        world.serving("changed", Path(shutil.copytree(world.shop.data, world.folder / "changed")))
    running: Service = world.made["changed"]
    return running


@provokes("collection-busy", 409)
def _(world: World) -> httpx.Response:
    service = _changed(world)
    with CollectionLayout.of(service.settings.places.collections_dir, "shop").hold_lock():
        return service.request("DELETE", "/collections/shop?confirm=shop")


@provokes("collection-pinned", 409)
def _(world: World) -> httpx.Response:
    service = _changed(world)
    layout = CollectionLayout.of(service.settings.places.collections_dir, "shop")
    layout.point_to(1, pinned=True)
    try:
        return service.request("DELETE", item_path("plain-0"))
    finally:
        layout.point_to(1)


@provokes("version-mismatch", 412)
def _(world: World) -> httpx.Response:
    return _changed(world).request("DELETE", item_path("plain-0"), headers={"if-match": '"another"'})


ask("snapshot-unknown", 404, "/collections/shop/pin", "PUT", data={"snapshot": "9"})
ask("calibration-missing", 404, "/collections/shop/calibration")
ask("column-conflict", 409, "/collections/shop", "PATCH", data={"columns": '{"colour": "number"}'})


@provokes("metadata-invalid", 422)
def _(world: World) -> httpx.Response:
    service = _changed(world)
    assert service.request("PATCH", "/collections/shop", data={"columns": '{"price": "number"}'}).status_code == 200
    return service.request("PATCH", item_path("plain-0"), data={"metadata": '{"price": "59.90"}'})


@provokes("idempotency-mismatch", 422)
def _(world: World) -> httpx.Response:
    service, headers = _changed(world), {"idempotency-key": "mismatch"}
    service.request("PATCH", item_path("plain-0"), data={"metadata": '{"n": 1}'}, headers=headers)
    return service.request("PATCH", item_path("plain-0"), data={"metadata": '{"n": 2}'}, headers=headers)


@provokes("idempotency-running", 409)
def _(world: World) -> httpx.Response:
    service = _changed(world)

    async def never(*_: object, **__: object) -> None:
        """Nobody stores the answer."""

    def send() -> httpx.Response:
        headers = {"idempotency-key": "running"}
        return service.request("PATCH", item_path("plain-0"), data={"metadata": '{"n": 1}'}, headers=headers)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StoredAnswers, "finish", never)
        send()
    return send()


@provokes("disk-full", 503)
def _(world: World) -> httpx.Response:
    return _refused_write(world, OSError(errno.ENOSPC, "No space left on device"))


@provokes("data-path-invalid", 503)
def _(world: World) -> httpx.Response:
    return _refused_write(world, PermissionError(errno.EACCES, "Permission denied"))


def _refused_write(world: World, error: OSError) -> httpx.Response:
    def refuse(*_: object) -> NoReturn:
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(picture_store, "write_atomically", refuse)
        return _changed(world).request("PUT", item_path("new"), files={"image": ("a.png", PICTURE)})


@provokes("source-not-allowed", 403)
def _(world: World) -> httpx.Response:
    return _changed(world).post("/collections/new/jobs", data={"kind": "index", "path": "/etc"})


def _upload(world: World) -> str:
    """The path of an upload of which half has arrived."""
    headers = _PIECE | {"Upload-Length": "8"}
    path: str = _changed(world).post("/uploads", content=b"half", headers=headers).headers["location"]
    return path


_PIECE = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}


@provokes("upload-not-found", 404)
def _(world: World) -> httpx.Response:
    return _changed(world).get(f"/uploads/{'0' * 32}")


@provokes("upload-incomplete", 409)
def _(world: World) -> httpx.Response:
    upload_id = _upload(world).rpartition("/")[2]
    return _changed(world).post("/collections/new/jobs", data={"kind": "index", "upload": upload_id})


@provokes("upload-offset-mismatch", 409)
def _(world: World) -> httpx.Response:
    headers = _PIECE | {"Upload-Offset": "5"}
    return _changed(world).request("PATCH", _upload(world), content=b"x", headers=headers)


@provokes("upload-version-unsupported", 412)
def _(world: World) -> httpx.Response:
    return _changed(world).get(_upload(world), headers={"Tus-Resumable": "0.1"})


@provokes("upload-locked", 423)
def _(world: World) -> httpx.Response:
    path = _upload(world)
    with _changed(world).services.upload_store.lock(path.rpartition("/")[2]):
        return _changed(world).request("DELETE", path)


@provokes("storage-insufficient", 507)
def _(world: World) -> httpx.Response:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("service.jobs.upload_store.RESERVED_BYTES", 1 << 60)
        return _changed(world).post("/uploads", content=b"x")


@provokes("cursor-outdated", 409)
def _(world: World) -> httpx.Response:
    service = _changed(world)
    search = {"key": "plain-0", "collection": "shop", "k": "1"}
    cursor = SearchCursor.parse(service.post("/search", data=search).json()["next_cursor"])
    older = replace(cursor, generation=cursor.generation - 1)
    return service.post("/search", data=search | {"cursor": str(older)})


@provokes("job-not-found", 404)
def _(world: World) -> httpx.Response:
    return _changed(world).get("/jobs/0123456789abcdef")


@provokes("report-missing", 404)
def _(world: World) -> httpx.Response:
    service = _changed(world)
    job_path = service.post("/collections/shop/jobs", data={"kind": "evaluate"}).headers["location"]
    service.request("DELETE", job_path)
    return service.get(f"{job_path}/report")


def test_every_code_is_provoked_or_told_why_it_cannot_be() -> None:
    assert set(PROVOKED) | set(UNREACHABLE) == set(STATUS)
    assert set(PROVOKED) & set(UNREACHABLE) == set()
    assert set(UNREACHABLE) == INDEXER_CODES | JOB_CODES, "docs/api.md leaves the first ones out"
    assert {error.code for error in coded_errors()} | {error.code for error in request_errors()} == set(STATUS)


UPLOAD_CODES = {error.code for error in coded_errors(ImageError)}
"""Codes of pictures that cannot be used: the response names the form's field that they came in."""


@pytest.mark.parametrize("code", PROVOKED)
def test_a_failure_says_what_it_is_and_nothing_that_is_nobodys_business(world: World, code: str) -> None:
    status, provocation = PROVOKED[code]
    response = provocation(world)
    problem = response.json()
    assert (problem["code"], response.status_code) == (code, status)
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert list(problem) == ["type", "title", "status", "detail", "instance", "code", "request_id", "errors"]
    assert (problem["type"], problem["title"], problem["status"]) == ("about:blank", HTTPStatus(status).phrase, status)
    assert problem["instance"] == response.request.url.raw_path.decode().partition("?")[0]
    assert problem["request_id"] == response.headers["x-request-id"]
    assert 16 <= len(problem["detail"]) <= 400, "a sentence"
    for wrong in problem["errors"]:
        assert list(wrong) == ["field", "code", "message"]
    names_fields = {"field-invalid", "filter-invalid", "metadata-invalid"} | UPLOAD_CODES
    assert bool(problem["errors"]) == (code in names_fields)
    assert ("retry-after" in response.headers) == (status in {429, 503} or code == "idempotency-running")
    assert ("allow" in response.headers) == (status == 405)
    assert ("www-authenticate" in response.headers) == (status == 401)
    for nobodys in ("Traceback", 'File "', "site-packages", ".py", str(world.folder), str(world.shop.data)):
        assert nobodys not in response.text


def test_a_request_that_brings_an_id_finds_it_in_the_problem(world: World) -> None:
    problem = world.service.get("/nowhere", headers={"X-Request-ID": "mine-1"})
    assert problem.json()["request_id"] == problem.headers["x-request-id"] == "mine-1"
    for bad in ("", "x" * 65, "a b", "a;b", "ä"):
        new_id = world.service.get("/nowhere", headers={"X-Request-ID": bad.encode()}).headers["x-request-id"]
        assert re.fullmatch(r"[0-9a-f]{16}", new_id)


def test_a_collection_with_an_impossible_name_is_not_there(world: World) -> None:
    for name in ("..", "%2e%2e", "A", "a%2Fb", "x" * 65, "%00", "-", "a%20b"):
        refused = world.service.get(f"/collections/{name}/items/plain-0/image")
        assert refused.status_code == 404, name


def test_after_all_this_the_others_are_still_served(world: World) -> None:
    assert world.service.search(PICTURE).status_code == 200
    assert world.damaged.get("/ready").status_code == 200
    assert world.damaged.get(item_path("003.jpg", "image", "entries")).status_code == 200
    assert world.damaged.search(PICTURE, collection="torn").status_code == 200, "the vectors are whole"
