"""A service that starts with nothing, while an indexer fills it, changes it, and is killed: what a visitor sees."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from urllib.parse import urljoin

import httpx
import numpy as np
import pytest

from tests.e2e.conftest import write_pictures
from tests.e2e.processes import PATIENCE, Program, Served
from tests.e2e.wire import END, Wire, file_head
from tests.helpers.wheel import packaged

ITEMS = 12
TYPES = {
    "": {"text/html"},
    ".js": {"text/javascript", "application/javascript"},
    ".css": {"text/css"},
    ".svg": {"image/svg+xml"},
}
NAMES = {"http://www.w3.org/2000/svg"}
"""What looks like an address and is none."""
REFERENCE = r"""["'(]((?:static/|\.{1,2}/)[\w./-]+)"""
KILLED = """
import os, signal
from pathlib import Path
from indexer.__main__ import main
replace = Path.replace
def killed_instead(path, target):
    if Path(target).name == "current.json":
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(path, target)
Path.replace = killed_instead
main()
"""


@dataclass(frozen=True)
class Shop:
    """A service, and the folder of pictures that it serves under the name ``shop``."""

    served: Served
    folder: Path
    data: Path
    program: Program
    while_empty: dict[str, httpx.Response]

    def search(self, picture: Path) -> httpx.Response:
        """The answer to ``/search`` with a file."""
        return self.served.post("/search", image=picture)


@pytest.fixture(scope="module")
def shop(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Started on a data folder that is not there, and then filled by the indexer."""
    tmp = tmp_path_factory.mktemp("shop")
    folder, data = tmp / "pictures", tmp / "data"
    first, second, *_ = write_pictures(folder, ITEMS)
    served = program.serve(tmp / "log", "--data", data, "--port", "0")
    try:
        served.wait_until_ready()
        while_empty = {
            "page": served.get("/"),
            "search": served.post("/search", image=first),
            "compare": served.post("/compare", image_a=first, image_b=second),
            "collections": served.get("/collections"),
        }
        assert program.index(folder, "shop", data)["items"] == ITEMS
        served.until(lambda: served.get("/collections/shop").status_code == 200, "the new collection is served")
        yield Shop(served, folder, data, program, while_empty)
    finally:
        served.stop()


def test_with_nothing_indexed_it_starts_and_says_what_to_run(shop: Shop) -> None:
    assert shop.while_empty["page"].status_code == 200
    assert shop.while_empty["collections"].json() == {"collections": []}
    refused = shop.while_empty["search"]
    assert (refused.status_code, refused.json()["code"]) == (404, "collection-not-found")
    assert "python -m indexer index ~/Pictures --collection pictures" in refused.json()["detail"]
    assert shop.while_empty["compare"].status_code == 200


def test_what_is_indexed_and_what_is_served_is_the_default_encoder_on_one_runtime(shop: Shop) -> None:
    assert shop.served.get("/collections/shop").json()["encoder"]["name"] == "bundled-int8"
    assert shop.served.get("/health").json()["runtime"].split()[0] == "onnxruntime"


def test_every_indexed_picture_finds_itself(shop: Shop) -> None:
    for path in sorted(shop.folder.iterdir()):
        found = shop.search(path)
        assert found.headers["x-snapshot"] == "1"
        best = found.json()["results"][0]
        assert (best["rank"], best["key"]) == (1, path.name)
        assert best["score"] == pytest.approx(1, abs=1e-4)


def test_comparing_gives_the_inner_product_of_the_embeddings(shop: Shop) -> None:
    first, second, *_ = sorted(shop.folder.iterdir())
    vectors = [np.array(shop.served.post("/embed", image=path).json()["vector"]) for path in (first, second)]
    found = shop.served.post("/compare", image_a=first, image_b=second).json()
    assert found["score"] == pytest.approx(vectors[0] @ vectors[1], abs=1e-5)
    same = shop.served.post("/compare", image_a=first, image_b=first).json()
    assert same["score"] == pytest.approx(1, abs=1e-4)
    assert same["similar"] is True


def test_an_indexed_picture_and_its_thumbnail_can_be_fetched(shop: Shop) -> None:
    hit = shop.search(shop.folder / "003.jpg").json()["results"][0]
    assert shop.served.get(hit["image_url"]).content == (shop.folder / "003.jpg").read_bytes()
    thumbnail = shop.served.get(hit["thumbnail_url"])
    assert (thumbnail.headers["content-type"], thumbnail.content[:3]) == ("image/jpeg", b"\xff\xd8\xff")


def test_the_page_and_all_that_it_loads_come_from_here_and_run_under_its_policy(shop: Shop) -> None:
    policy = shop.served.get("/").headers["content-security-policy"].split("; ")
    assert {"default-src 'self'", "script-src 'self'", "object-src 'none'", "frame-ancestors 'none'"} <= set(policy)
    assert not [word for word in ("unsafe", "http", "*") if word in " ".join(policy)]
    paths, found = ["/"], {}
    while paths:
        path = paths.pop()
        answer = shop.served.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-type"].split(";")[0] in TYPES[Path(path).suffix], path
        assert set(re.findall(r"https?://[^\s\"'`<>)]+", answer.text)) <= NAMES, path
        found[path] = answer.text
        targets = {urljoin(path, target) for target in re.findall(REFERENCE, answer.text)}
        paths += targets - set(found) - set(paths)
    scripts = {name.removeprefix("service") for name in packaged() if name.startswith("service/static/js/")}
    assert set(found) >= scripts != set()


def test_the_reference_of_the_api_comes_from_here(shop: Shop) -> None:
    page = shop.served.get("/docs")
    assert "default-src 'self'" in page.headers["content-security-policy"].split("; ")
    targets = re.findall(r'\b(?:src|href)="([^"]+)"', page.text)
    assert len(targets) >= 3
    for target in targets:
        assert re.match("[a-z/]+[^:]*$", target), "a path here"
        assert shop.served.get(urljoin("/docs", target)).status_code == 200, target
    assert shop.served.get("/openapi.json").json()["paths"]["/search"]["post"]["operationId"] == "search"


def test_an_upload_never_touches_a_disk(shop: Shop) -> None:
    sent = 24 << 20  # more than the system keeps for a connection, so most of it has reached the service
    with Wire(shop.served.port) as wire:
        wire.begin("/search", f"Content-Length: {30 << 20}")
        wire.send(file_head("image") + bytes(sent))
        files = shop.served.until(lambda: _files_open_for_writing(shop.served.pid), "its log is open, at least")
        ours = [path for path in files if not path.is_relative_to(shop.data.parent)]
        assert ours == []
        wire.send(bytes((30 << 20) - sent - len(file_head("image")) - len(END)) + END)
        assert wire.answer().json()["code"] == "unsupported-format"


def _files_open_for_writing(pid: int) -> list[Path]:
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            flags = re.findall(r"^flags:\s+(\d+)$", Path(f"/proc/{pid}/fdinfo/{entry.name}").read_text(), re.MULTILINE)
            if S_ISREG(entry.stat().st_mode) and int(flags[0], 8) & (os.O_WRONLY | os.O_RDWR):
                found.append(entry.readlink())
        except FileNotFoundError:
            continue  # closed meanwhile
    return found


def _visit(shop: Shop, key: str, by_key: bool, seen: list[httpx.Response], enough: threading.Event) -> None:
    """Search again and again with the same picture, on one connection."""
    content = (shop.folder / key).read_bytes()
    with httpx.Client(base_url=shop.served.url, timeout=PATIENCE, trust_env=False) as client:
        while not enough.wait(0.5):
            if by_key:
                seen.append(client.post("/search", data={"key": key}))
            else:
                seen.append(client.post("/search", files={"image": ("query.jpg", content)}))


@contextmanager
def _visitors(shop: Shop, keys: list[str]) -> Iterator[list[list[httpx.Response]]]:
    """Clients that search with these pictures for the length of the block, and the answers that each has.

    Every other one sends its picture, the rest its key.
    """
    answers: list[list[httpx.Response]] = [[] for _ in keys]
    enough = threading.Event()
    with ThreadPoolExecutor(len(keys)) as pool:
        visits = [pool.submit(_visit, shop, key, bool(one % 2), answers[one], enough) for one, key in enumerate(keys)]
        try:
            shop.served.until(lambda: all(answers), "every client has an answer")
            yield answers
        finally:
            enough.set()
        for visit in visits:
            visit.result()


def test_under_load_a_killed_publish_changes_nothing_and_the_next_is_served_without_a_failed_request(
    shop: Shop,
) -> None:
    before = int(shop.search(shop.folder / "000.jpg").headers["x-snapshot"])
    queried = [f"{client // 2:03d}.jpg" for client in range(16)]
    with _visitors(shop, queried) as answers:
        (new,) = write_pictures(shop.folder, 1, start=200)
        (shop.folder / "011.jpg").unlink()
        killed = shop.program.run("-c", KILLED, "index", shop.folder, "-c", "shop", "--data", shop.data)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        newest = sorted(shop.data.glob("collections/shop/snapshots/*/manifest.json"))[-1].parent
        assert int(newest.name) > before, "all was written but the pointer"
        assert shop.served.post("/collections/shop/refresh").json()["snapshot"] == before
        found = shop.search(new)
        assert (found.status_code, found.headers["x-snapshot"]) == (200, str(before))
        assert "200.jpg" not in {hit["key"] for hit in found.json()["results"]}
        assert shop.served.get("/health").json()["status"] == "ok"

        after = shop.program.index(shop.folder, "shop", shop.data)["snapshot"]
        assert after > before
        shop.served.until(
            lambda: all(seen[-1].headers["x-snapshot"] == str(after) for seen in answers), "all see the new snapshot"
        )
    for key, seen in zip(queried, answers, strict=True):
        assert {answer.status_code for answer in seen} == {200}
        snapshots = [int(answer.headers["x-snapshot"]) for answer in seen]
        assert snapshots == sorted(snapshots)
        assert set(snapshots) == {before, after}
        assert [answer.json()["snapshot"] for answer in seen] == snapshots
        best = {answer.json()["results"][0]["key"] for answer in seen if answer.json()["query"]["key"] is None}
        assert best <= {key}
    hit = shop.search(new).json()["results"][0]
    assert hit["key"] == "200.jpg"
    assert hit["score"] == pytest.approx(1, abs=1e-4)
    gone = shop.served.get("/collections/shop/items/011.jpg")
    assert (gone.status_code, gone.json()["code"]) == (404, "item-not-found")
