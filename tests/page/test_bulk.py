"""Many pictures at once: a folder in batches, an archive in pieces with a job; rejected files with their reasons."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from lookalike.images import encode_jpeg
from lookalike.testing import make_picture
from tests.conftest import running_on
from tests.page.conftest import visiting
from tests.page.shop import SIZE, ask
from tests.page.visitor import Named, Visitor, Windows, answer_problem, drop, jpeg
from tests.page.wares import KEYS, serving_wares

PLACE = "#/collections?name=wares&part=add"


@pytest.fixture(scope="module")
def wares_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service over wares of its own, which grow from test to test."""
    with running_on(), serving_wares(tmp_path_factory.mktemp("bulk") / "wares") as address:
        yield address


@pytest.fixture
def visitor(windows: Windows, wares_address: str) -> Iterator[Visitor]:
    """Somebody who visits that service."""
    yield from visiting(windows, wares_address)


def some_pictures(first: int, count: int) -> list[Named]:
    """New pictures as files."""
    return [
        jpeg(encode_jpeg(make_picture(first + number, SIZE), 90), f"new-{first + number}.jpg")
        for number in range(count)
    ]


def make_folder(folder: Path, first: int) -> Path:
    """A folder with pictures, one of them below another folder, a file that is broken, and one that is no picture."""
    (folder / "deep").mkdir(parents=True)
    for number, name in enumerate(("one.jpg", "two.jpg", "deep/three.jpg")):
        (folder / name).write_bytes(encode_jpeg(make_picture(first + number, SIZE), 90))
    (folder / "broken.jpg").write_bytes(b"this is no picture")
    (folder / "notes.txt").write_text("words", encoding="utf-8")
    return folder


def make_zip(path: Path, first: int) -> Path:
    """An archive of such a folder."""
    folder = make_folder(path.parent / f"of-{path.stem}", first)
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, file.relative_to(folder).as_posix())
    return path


def keys_of(address: str) -> set[str]:
    """The keys of the collection."""
    return {item["key"] for item in ask(address, "/collections/wares/items?limit=500")["items"]}


def newest_job(page: Page) -> Locator:
    """The job of an archive that is being sent, once it is done."""
    expect(page.locator(".bulk:visible")).to_have_count(0)
    job = page.locator(".job").first
    expect(job.locator(".verdict")).to_have_text("done", timeout=90_000)
    return job


def test_a_folder_is_sent_and_its_rejected_files_are_told(visitor: Visitor, wares_address: str, tmp_path: Path) -> None:
    page = visitor.open(PLACE)
    page.locator("input[webkitdirectory]").set_input_files(make_folder(tmp_path / "holiday", 300))
    panel = page.locator(".bulk:visible")
    expect(panel).to_contain_text("Add 4 pictures")
    expect(panel).to_contain_text("1 file that is no picture is left out.")
    expect(panel.get_by_role("button", name="Start")).to_be_focused()
    panel.get_by_role("button", name="Start").press("Enter")
    expect(panel.locator(".progress-words")).to_have_text("3 pictures added, 1 rejected.")
    expect(panel.get_by_role("button", name="Done")).to_be_focused()
    assert {"one.jpg", "two.jpg", "deep/three.jpg"} <= keys_of(wares_address)
    panel.get_by_text("1 file rejected").click()
    row = panel.locator(".rejected tbody tr")
    expect(row).to_contain_text("broken.jpg")
    expect(row).to_contain_text("This kind of file cannot be read.")
    with page.expect_download() as download:
        panel.get_by_role("button", name="Save as CSV").click()
    download.value.save_as(tmp_path / "rejected.csv")
    text = (tmp_path / "rejected.csv").read_bytes().decode("utf-8-sig")
    (rejected,) = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    assert (rejected["key"], rejected["code"]) == ("broken.jpg", "unsupported-format")
    assert "0-broken.jpg" not in rejected["message"]
    panel.get_by_role("button", name="Done").press("Enter")
    expect(page.locator(".dropzone")).to_be_visible()


def test_a_folder_can_be_sent_as_one_archive(visitor: Visitor, wares_address: str, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "trip", 310)
    (folder / "one.jpg").rename(folder / "größe.jpg")
    page = visitor.open(PLACE)
    page.locator("input[webkitdirectory]").set_input_files(folder)
    panel = page.locator(".bulk:visible")
    panel.get_by_role("radio", name="As one archive").check()
    panel.get_by_role("button", name="Start").press("Enter")
    expect(panel).to_contain_text("Index wares.zip")
    panel.get_by_role("button", name="Send it").press("Enter")
    job = newest_job(page)
    assert "größe.jpg" in keys_of(wares_address)
    expect(job).to_contain_text("1 file rejected")


def test_several_dropped_pictures_can_be_paused_and_stopped(visitor: Visitor, wares_address: str) -> None:
    page = visitor.open()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/collections/wares/items", hold)
    page.goto(f"{visitor.address}{PLACE}")
    drop(page, *some_pictures(320, 20))
    panel = page.locator(".bulk:visible")
    expect(panel).to_contain_text("Add 20 pictures")
    panel.get_by_role("button", name="Start").press("Enter")
    _wait_for(page, held, 1)
    panel.get_by_role("button", name="Pause").press("Enter")
    expect(panel.locator(".progress-words")).to_contain_text("Paused.")
    held[0].continue_()
    expect(panel.locator(".progress-words")).to_have_text("Paused. 16 of 20")
    page.wait_for_timeout(300)
    assert len(held) == 1, "the rest is sent while it is paused"
    panel.get_by_role("button", name="Go on").press("Enter")
    _wait_for(page, held, 2)
    panel.get_by_role("button", name="Stop").press("Enter")
    held[1].continue_()
    expect(panel.locator(".progress-words")).to_have_text("Stopped after 20 pictures. What was added stays.")
    assert {f"new-{number}.jpg" for number in range(320, 340)} <= keys_of(wares_address)


def test_after_a_lost_connection_the_rest_is_sent(visitor: Visitor, wares_address: str) -> None:
    visitor.forgive_failures()
    page = visitor.open()
    page.route("**/collections/wares/items", lambda route: route.abort("connectionreset"))
    page.goto(f"{visitor.address}{PLACE}")
    drop(page, *some_pictures(350, 3))
    panel = page.locator(".bulk:visible")
    panel.get_by_role("button", name="Start").press("Enter")
    expect(panel.locator(".notice.problem")).to_contain_text("The service cannot be reached")
    page.unroute("**/collections/wares/items")
    panel.get_by_role("button", name="Try again").press("Enter")
    expect(panel.locator(".progress-words")).to_have_text("3 pictures added.")
    assert {f"new-{number}.jpg" for number in range(350, 353)} <= keys_of(wares_address)


def test_no_picture_counts_twice_after_a_break_between_single_ones(visitor: Visitor, wares_address: str) -> None:
    visitor.forgive_failures()
    page = visitor.open()
    requests: list[Route] = []

    def refuse_the_batch_and_break_at_the_second(route: Route) -> None:
        requests.append(route)
        if len(requests) == 1:
            answer_problem(route, 413, "body-too-large", "too large together")
        elif len(requests) == 3:
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/collections/wares/items", refuse_the_batch_and_break_at_the_second)
    page.goto(f"{visitor.address}{PLACE}")
    drop(page, *some_pictures(360, 3))
    panel = page.locator(".bulk:visible")
    panel.get_by_role("button", name="Start").press("Enter")
    expect(panel.locator(".notice.problem")).to_contain_text("The service cannot be reached")
    panel.get_by_role("button", name="Try again").press("Enter")
    expect(panel.locator(".progress-words")).to_have_text("3 pictures added.")
    assert {f"new-{number}.jpg" for number in range(360, 363)} <= keys_of(wares_address)


def test_an_archive_becomes_a_job_with_progress_and_report(
    visitor: Visitor, wares_address: str, tmp_path: Path
) -> None:
    page = visitor.open(PLACE)
    page.locator(".add input[multiple]").set_input_files(make_zip(tmp_path / "more.zip", 400))
    panel = page.locator(".bulk:visible")
    expect(panel).to_contain_text("Index more.zip")
    expect(panel.get_by_role("radio", name="They are added")).to_be_checked()
    panel.get_by_role("button", name="Send it").press("Enter")
    job = newest_job(page)
    expect(job).to_contain_text("The collection has")
    job.locator("summary", has_text="1 file rejected").click()
    expect(job.locator(".rejected tbody tr")).to_contain_text("broken.jpg")
    assert {"one.jpg", "deep/three.jpg", *KEYS[:3]} <= keys_of(wares_address)
    page.reload()
    expect(page.locator(".job .verdict").first).to_have_text("done")
    expect(page.locator(".job").first).to_contain_text("1 file rejected")


def test_a_job_is_followed_again_after_a_break_and_its_report_is_asked_for_again(visitor: Visitor) -> None:
    visitor.forgive_failures()
    page = visitor.open()
    running = {
        **{"id": "0123456789abcdef", "collection": "wares", "kind": "index", "options": {}, "state": "running"},
        **{"cancel_requested": False, "stage": "encoding", "done": 1, "total": 4, "rate": None, "seconds_left": None},
        **{"rejected": {}, "created_at": "2024-05-01T12:00:00Z", "started_at": "2024-05-01T12:00:00Z"},
        **{"finished_at": None, "starts": 1, "problem": None, "summary": None, "report": None},
    }
    ended = {**running, "state": "succeeded", "summary": {}, "report": "/jobs/0123456789abcdef/report"}
    rejected = {"key": "broken.jpg", "verdict": "rejected", "code": "image-corrupt", "message": "it is broken"}
    page.route("**/collections/wares/jobs?*", lambda route: route.fulfill(json={"jobs": [running]}))
    page.route("**/jobs/*/events", lambda route: route.abort("connectionreset"))
    page.goto(f"{visitor.address}{PLACE}")
    job = page.locator(".job")
    expect(job.locator(".notice.wait")).to_contain_text("The service cannot be reached")
    expect(job.locator(".notice.wait")).to_contain_text("Trying again in")
    page.route("**/jobs/*/report", lambda route: route.abort("connectionreset"))
    page.unroute("**/jobs/*/events")
    page.route("**/jobs/*/events", lambda route: _tell(route, ended))
    expect(job.locator(".verdict")).to_have_text("done")
    expect(job.locator(".notice.wait")).to_have_count(0)
    expect(job.locator(".notice.problem")).to_contain_text("The service cannot be reached")
    page.unroute("**/jobs/*/report")
    page.route("**/jobs/*/report", lambda route: route.fulfill(json={"rows": [rejected]}))
    job.get_by_role("button", name="Try again").press("Enter")
    expect(job.locator("summary")).to_have_text("1 file rejected")
    expect(job.locator(".notice:visible")).to_have_count(0)


def _tell(route: Route, job: dict[str, Any]) -> None:
    route.fulfill(body=f"data: {json.dumps(job)}\n\n", headers={"Content-Type": "text/event-stream"})


def test_an_archive_goes_on_where_it_stopped_after_the_page_was_closed(
    visitor: Visitor, wares_address: str, tmp_path: Path
) -> None:
    visitor.forgive_failures()
    archive = tmp_path / "large.zip"
    make_zip(archive, 420)
    with zipfile.ZipFile(archive, "a") as more:
        more.writestr("filler.bin", bytes(9_000_000))
    page = visitor.open()
    pieces: list[str] = []

    def first_only(route: Route) -> None:
        pieces.append(route.request.headers["upload-offset"])
        if len(pieces) == 1:
            route.continue_()
        else:
            route.abort("connectionreset")

    page.route(
        re.compile(r"/uploads/\w+$"),
        lambda route: first_only(route) if route.request.method == "PATCH" else route.continue_(),
    )
    page.goto(f"{visitor.address}{PLACE}")
    page.locator(".add input[multiple]").set_input_files(archive)
    page.get_by_role("button", name="Send it").press("Enter")
    expect(page.locator(".bulk .notice.wait")).to_contain_text("Trying again in")
    assert pieces[:2] == ["0", "8000000"]
    page.close()
    page = visitor.open(PLACE)
    page.locator(".add input[multiple]").set_input_files(archive)
    expect(page.locator(".bulk:visible")).to_contain_text("This file was begun before: going on after 8 MB.")
    with page.expect_request(lambda request: request.method == "PATCH") as request:
        page.get_by_role("button", name="Send it").press("Enter")
    assert request.value.headers["upload-offset"] == "8000000"
    newest_job(page)


def test_an_archive_that_has_arrived_is_not_sent_again_for_its_job(
    visitor: Visitor, wares_address: str, tmp_path: Path
) -> None:
    visitor.forgive_failures()
    archive = make_zip(tmp_path / "arrived.zip", 440)
    page = visitor.open()
    page.route("**/collections/wares/jobs", lambda route: route.abort("connectionreset"))
    page.goto(f"{visitor.address}{PLACE}")
    page.locator(".add input[multiple]").set_input_files(archive)
    page.get_by_role("button", name="Send it").press("Enter")
    expect(page.locator(".bulk .notice.problem")).to_contain_text("The service cannot be reached")
    page.close()
    page = visitor.open()
    uploads = re.compile(r"/uploads/\w+$")
    page.route(uploads, lambda route: route.abort("connectionreset"))
    page.goto(f"{visitor.address}{PLACE}")
    with page.expect_event("requestfailed"):
        page.locator(".add input[multiple]").set_input_files(archive)
    page.unroute(uploads)
    page.get_by_role("button", name="Cancel").press("Enter")
    page.locator(".add input[multiple]").set_input_files(archive)
    expect(page.locator(".bulk:visible")).to_contain_text("This file was begun before: going on after ")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method) if "/uploads" in request.url else None)
    page.get_by_role("button", name="Send it").press("Enter")
    newest_job(page)
    assert sent == ["HEAD"]
    assert archive.name not in page.evaluate("localStorage.getItem('lookalike-uploads')")


def test_files_without_a_picture_are_refused_in_words(visitor: Visitor) -> None:
    page = visitor.open(PLACE)
    drop(page, ("a.txt", "text/plain", b"words"), ("b.txt", "text/plain", b"words"))
    expect(page.locator(".toast")).to_have_text("There is no picture among these files.")
    expect(page.locator(".dropzone")).to_be_visible()


def _wait_for(page: Page, routes: list[Route], count: int) -> None:
    for _ in range(300):
        if len(routes) >= count:
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"{len(routes)} requests were made, not {count}")
