"""Snapshots with the page: publishing, going back and staying there; measured recall, and the calibration curve."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.conftest import running_on
from tests.page.conftest import visiting
from tests.page.shop import ask
from tests.page.visitor import PHONE, Visitor, Windows, answer_problem
from tests.page.wares import KEYS, serving_wares

PLACE = "#/collections?name=wares"
CURVE = {"scores": [0.1, 0.5, 0.9], "confidences": [0.02, 0.4, 0.98]}


@pytest.fixture(scope="module")
def wares_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service over wares of its own."""
    with running_on(), serving_wares(tmp_path_factory.mktemp("snapshots") / "wares") as address:
        yield address


@pytest.fixture
def visitor(windows: Windows, wares_address: str) -> Iterator[Visitor]:
    """Somebody who visits that service."""
    yield from visiting(windows, wares_address)


def snapshots(address: str) -> Any:
    """What the service says of them."""
    return ask(address, "/collections/wares/snapshots")


def rows(page: Page) -> list[str]:
    """The numbers of the snapshots in the table."""
    numbers: list[str] = page.locator(".snapshot-table tbody tr").evaluate_all(
        "(rows) => rows.map((row) => row.dataset.snapshot)"
    )
    return numbers


def test_changes_are_published_and_gone_back_from(visitor: Visitor, wares_address: str) -> None:
    before = snapshots(wares_address)["snapshots"][0]["snapshot"]
    page = visitor.open(f"{PLACE}&part=snapshots")
    expect(page.locator(".pending")).to_contain_text("No changes since the last snapshot.")
    expect(page.get_by_role("button", name="Publish now")).to_be_disabled()
    httpx.delete(f"{wares_address}collections/wares/items/ware-11").raise_for_status()
    page.reload()
    expect(page.locator(".pending")).to_contain_text("1 change since the last snapshot.")
    page.get_by_role("button", name="Publish now").press("Enter")
    expect(page.locator(".toast")).to_have_text(f"Snapshot {before + 1} is published.")
    expect(page.locator(".snapshot-table tbody tr")).to_have_count(2)
    assert rows(page) == [str(before + 1), str(before)]
    page.get_by_role("button", name=f"Go back to snapshot {before}").press("Enter")
    dialog = page.get_by_role("dialog", name=f"Go back to snapshot {before}?")
    expect(dialog).to_contain_text(f"It has {len(KEYS)} pictures")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    dialog.get_by_role("button", name="Go back to it").press("Enter")
    expect(page.locator(".pinned")).to_contain_text(f"The collection is pinned to snapshot {before}")
    expect(page.locator(".collection-head")).to_contain_text(f"{len(KEYS)} pictures, pinned")
    pinned = snapshots(wares_address)
    assert pinned["pinned"]
    assert [each["is_current"] for each in pinned["snapshots"]] == [False, True]
    page.get_by_role("link", name="Pictures").click()
    expect(page.locator(".browser .card")).to_have_count(len(KEYS))
    page.get_by_role("link", name="Snapshots").click()
    page.get_by_role("button", name="Take the pin away").press("Enter")
    expect(page.locator(".toast")).to_have_text("The newest snapshot is served again.")
    expect(page.locator(".pinned")).to_be_hidden()
    expect(page.locator(".collection-head")).to_contain_text(f"{len(KEYS) - 1} pictures")
    assert not snapshots(wares_address)["pinned"]


def test_while_pinned_a_change_is_refused_and_the_page_says_why(visitor: Visitor, wares_address: str) -> None:
    visitor.forgive_failures()
    current = snapshots(wares_address)["snapshots"][0]["snapshot"]
    page = visitor.open(f"{PLACE}&part=snapshots")
    page.get_by_role("button", name=f"Pin the collection to snapshot {current}").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Pin it").press("Enter")
    expect(page.locator(".pinned")).to_be_visible()
    page.get_by_role("link", name="Pictures").click()
    page.get_by_role("button", name="Remove Ware 4").press("Enter")
    expect(page.locator(".bar-notice .notice")).to_contain_text("The collection is pinned")
    page.get_by_role("link", name="Snapshots").click()
    page.get_by_role("button", name="Take the pin away").press("Enter")
    expect(page.locator(".pinned")).to_be_hidden()


def test_snapshots_are_there_also_where_the_collection_cannot_be_served(visitor: Visitor) -> None:
    visitor.forgive_failures()
    page = visitor.open()
    page.route(
        "**/collections/wares",
        lambda route: answer_problem(route, 503, "snapshot-damaged", "the index of snapshot 2 is not what was written"),
    )
    page.goto(f"{visitor.address}{PLACE}&part=snapshots")
    expect(page.locator(".notice.problem")).to_contain_text("The index of snapshot 2 is not what was written.")
    expect(page.locator(".snapshot-table tbody tr").first).to_be_visible()
    expect(page.get_by_role("button", name="Publish now")).to_be_disabled()


def test_recall_is_explained(visitor: Visitor, wares_address: str) -> None:
    recall = ask(wares_address, "/collections/wares")["recall"]
    page = visitor.open(f"{PLACE}&part=about")
    panel = page.locator(".panel", has=page.get_by_role("heading", name="Measured recall"))
    expect(panel.locator(".figure")).to_have_text(f"{recall['value']:.3f}")
    expect(panel).to_contain_text(f"Of the true {recall['k']} nearest pictures the index finds {recall['value']:.3f}")
    expect(panel).to_contain_text(f"measured with {recall['queries']} pictures")
    expect(panel).to_contain_text("This index compares every picture, so it misses none.")
    columns = page.locator(".panel", has=page.get_by_role("heading", name="Columns"))
    expect(columns.get_by_role("row", name="price number 11")).to_be_visible()


def test_the_calibration_is_drawn_told_and_a_table(visitor: Visitor) -> None:
    def calibrated(route: Route) -> None:
        answer: dict[str, Any] = route.fetch().json()
        answer |= {"threshold": 0.85, "precision": 0.93, "recall": 0.61, "positives": 300, "negatives": 1200}
        route.fulfill(json=answer | CURVE | {"source": "collection"})

    page = visitor.open()
    page.route("**/calibration", calibrated)
    page.goto(f"{visitor.address}{PLACE}&part=about")
    panel = page.locator(".panel", has=page.get_by_role("heading", name="Calibration"))
    expect(panel).to_contain_text("Fitted to labelled pictures of this collection.")
    expect(panel).to_contain_text("From 0.70 on two pictures count as similar. Of all pairs that reach it 93 % show")
    expect(panel).to_contain_text("Fitted to 1,500 pairs, of which 300 show the same thing.")
    # The threshold 0.85 is the cosine 0.7, half way between the confidences at 0.5 and at 0.9.
    name = "Confidence by score: it rises with the score; at the threshold 0.70 it is 69 %."
    expect(panel.get_by_role("img", name=name)).to_be_visible()
    points = (panel.locator(".curve").get_attribute("points") or "").split()
    heights = [float(point.split(",")[1]) for point in points]
    assert heights == sorted(heights, reverse=True)
    limit = float(panel.locator(".limit").get_attribute("x1") or "")
    assert [float(point.split(",")[0]) for point in points if float(point.split(",")[0]) < limit]
    panel.locator("summary").press("Enter")
    expect(panel.locator(".curve-table .facts > div").nth(3)).to_have_text("0.3021 %")


def test_a_collection_without_a_calibration_says_how_to_get_one(visitor: Visitor) -> None:
    def uncalibrated(route: Route) -> None:
        route.fulfill(json=route.fetch().json() | {"calibration": None})

    page = visitor.open()
    page.route("**/collections/wares", uncalibrated)
    page.goto(f"{visitor.address}{PLACE}&part=about")
    panel = page.locator(".panel", has=page.get_by_role("heading", name="Calibration"))
    expect(panel).to_contain_text("Neither this collection nor its encoder is calibrated")
    expect(panel.locator(".command")).to_have_text("python -m indexer calibrate --collection wares")


def test_on_a_phone_the_table_is_a_list_with_its_labels(visitor: Visitor) -> None:
    page = visitor.open(f"{PLACE}&part=snapshots", **PHONE)
    row = page.locator(".snapshot-table tbody tr").first
    expect(row).to_be_visible()
    label = row.locator("td").first.evaluate("(cell) => getComputedStyle(cell, '::before').content")
    assert label == '"Made"'
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_list_that_is_outdated_begins_anew_and_goes_on_where_one_was(visitor: Visitor, wares_address: str) -> None:
    def shorten(route: Route) -> None:
        route.continue_(url=route.request.url.replace("limit=60", "limit=4"))

    visitor.forgive_failures()
    page = visitor.open()
    page.route("**/items?limit=60*", shorten)
    page.goto(f"{visitor.address}{PLACE}")
    cards = page.locator(".browser .card")
    expect(cards).to_have_count(4)
    httpx.patch(f"{wares_address}collections/wares/items/ware-03", data={"title": "New name"}).raise_for_status()
    httpx.post(f"{wares_address}collections/wares/fold").raise_for_status()
    page.get_by_role("button", name="Load more").press("Enter")
    expect(page.locator(".toast")).to_have_text("The collection has changed since. This is how it is now.")
    keys = cards.evaluate_all("(cards) => cards.map((card) => card.dataset.key)")
    assert len(keys) == len(set(keys)) == ask(wares_address, "/collections/wares")["count"]
    expect(cards.filter(has_text="New name")).to_have_count(1)
    fifth = next(key for key in keys if key not in {"ware-00", "ware-01", "ware-02", "ware-03"})
    expect(page.locator(f'.card[data-key="{fifth}"] a').first).to_be_focused()
    expect(page.locator(".browser .notice:visible")).to_have_count(0)
