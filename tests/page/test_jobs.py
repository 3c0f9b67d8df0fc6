"""Jobs on a whole collection: begun with their options, followed, and leading to what came of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.conftest import running_on
from tests.page.conftest import visiting
from tests.page.shop import ask
from tests.page.visitor import PHONE, Visitor, Windows
from tests.page.wares import KEYS, serving_wares

PLACE = "#/collections?name=wares&part=jobs"


@pytest.fixture(scope="module")
def wares_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service over wares of its own."""
    with running_on(), serving_wares(tmp_path_factory.mktemp("jobs") / "wares") as address:
        yield address


@pytest.fixture
def visitor(windows: Windows, wares_address: str) -> Iterator[Visitor]:
    """Somebody who visits that service."""
    yield from visiting(windows, wares_address)


def begin(page: Page, kind: str) -> Locator:
    """Start a job with the keyboard; its card, once it is over."""
    form = page.get_by_role("form", name=kind)
    form.get_by_role("button", name=f"Start the job: {kind}").press("Enter")
    expect(page.locator(".toast")).to_have_text(f"{kind} is begun.")
    job = page.locator(".job").first
    expect(job.get_by_role("heading")).to_have_text(kind)
    expect(job.locator(".verdict")).to_have_text("done", timeout=90_000)
    expect(form.get_by_role("button")).to_be_focused()
    return job


def newest_job(address: str) -> Any:
    """The newest job, as the service has it."""
    return ask(address, "/jobs?limit=1")["jobs"][0]


def test_duplicates_are_searched_and_lead_to_their_review(visitor: Visitor, wares_address: str) -> None:
    image = httpx.get(f"{wares_address}collections/wares/items/ware-03/image").content
    files = {"image": ("copy.jpg", image, "image/jpeg")}
    httpx.put(f"{wares_address}collections/wares/items/copy-of-3", files=files).raise_for_status()
    visitor.forgive_failures()
    page = visitor.open("#/duplicates/wares")
    page.get_by_role("link", name="To the jobs of the collection").press("Enter")
    form = page.get_by_role("form", name="Search for duplicates")
    form.get_by_label("Look for").select_option("same files")
    form.get_by_label("Neighbours").fill("5")
    job = begin(page, "Search for duplicates")
    assert newest_job(wares_address)["options"] == {"tier": "same-bytes", "neighbours": 5}
    expect(job).to_contain_text("1 picture may go")
    expect(job).to_contain_text("there is 1 group to review.")
    job.get_by_role("link", name="Review the groups").press("Enter")
    expect(page.locator(".group h2")).to_have_text("Group 1 of 1")
    httpx.delete(f"{wares_address}collections/wares/items/copy-of-3").raise_for_status()


def test_a_search_is_evaluated_on_a_phone_and_its_report_is_saved(
    visitor: Visitor, wares_address: str, tmp_path: Path
) -> None:
    page = visitor.open(PLACE, **PHONE)
    expect(page.get_by_role("link", name="Jobs")).to_be_in_viewport(ratio=1)
    form = page.get_by_role("form", name="Evaluate")
    form.get_by_label("Labels").select_option("category")
    job = begin(page, "Evaluate")
    assert newest_job(wares_address)["options"] == {"label": "category"}
    figures = newest_job(wares_address)["summary"]["encoders"][0]
    expect(job).to_contain_text(f"Of {len(KEYS)} pictures with 3 labels")
    expect(job).to_contain_text(f"Mean average precision {figures['mean_average_precision']['value']:.2f}.")
    with page.expect_download() as download:
        job.get_by_role("button", name="Save the report").press("Enter")
    download.value.save_as(tmp_path / "report.csv")
    assert "encoders.0.overall.recall_at_1.value" in (tmp_path / "report.csv").read_text(encoding="utf-8")


def test_the_source_is_indexed_again(visitor: Visitor, wares_address: str) -> None:
    page = visitor.open(PLACE)
    page.get_by_label("Drop what is gone").press("Space")
    job = begin(page, "Index again")
    assert newest_job(wares_address)["options"] == {"allow_removals": True}
    expect(job).to_contain_text(f"The collection has {len(KEYS)} pictures")


def test_a_calibration_that_cannot_be_fitted_says_why(visitor: Visitor, wares_address: str) -> None:
    page = visitor.open(PLACE)
    form = page.get_by_role("form", name="Calibrate")
    form.get_by_label("Labels").select_option("folders that the pictures lie in")
    form.get_by_label("Precision").fill("0.4")
    form.get_by_role("button").press("Enter")
    assert form.get_by_label("Precision").evaluate("(input) => !input.validity.valid")
    form.get_by_label("Precision").fill("0.8")
    form.get_by_role("button").press("Enter")
    job = page.locator(".job").first
    expect(job.locator(".verdict")).to_have_text("failed", timeout=90_000)
    assert newest_job(wares_address)["options"] == {"labels_from_folders": True, "precision": 0.8}
    expect(job).to_contain_text("lie in no folders whose names could be labels")
    expect(job.get_by_role("link", name="Look at the calibration")).to_be_hidden()


def test_a_refused_job_says_so_in_its_place(visitor: Visitor) -> None:
    visitor.forgive_failures()
    page = visitor.open(PLACE)
    page.route("**/collections/wares/jobs", lambda route: route.abort("connectionreset"))
    form = page.get_by_role("form", name="Evaluate")
    form.get_by_role("button").press("Enter")
    expect(form.locator(".notice.problem")).to_contain_text("The service cannot be reached")
