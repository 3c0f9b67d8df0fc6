"""A search in several collections at once: chosen with the keyboard, ranked by confidence, each hit with its own."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.page.shop import OTHERS, Shop, ask
from tests.page.visitor import PHONE, Visitor, cards, drop, first_card, jpeg, shown_keys


def tick(page: Page, name: str) -> None:
    """Tick another collection with the keyboard."""
    page.locator(".others summary").press("Enter")
    page.get_by_role("checkbox", name=name).press("Space")


def test_hits_of_two_collections_say_whose_they_are(visitor: Visitor, address: str, tmp_path: Path) -> None:
    page = visitor.open("#/search?collection=shop&key=plain-02")
    expect(cards(page)).to_have_count(17)
    expect(page.locator(".card-origin")).to_have_count(0)
    tick(page, "other (3)")
    expect(cards(page).filter(has_text="in other")).to_have_count(len(OTHERS))
    expect(page.get_by_role("checkbox", name="other (3)")).to_be_focused()
    answer = ask(address, "/search", {"key": "plain-02", "collection": "shop", "collections": "shop,other", "k": "20"})
    assert shown_keys(page) == [hit["key"] for hit in answer["results"]]
    expect(page.locator(".others summary")).to_have_text("and in other")
    expect(page.get_by_role("checkbox", name="Look for copies")).to_be_hidden()
    expect(page.locator("#minimum")).to_be_hidden()
    expect(page.locator(".card-votes")).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    download.value.save_as(tmp_path / "hits.csv")
    text = (tmp_path / "hits.csv").read_bytes().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert {row["collection"] for row in rows} == {"shop", "other"}
    page.reload()
    expect(cards(page).filter(has_text="in other")).to_have_count(len(OTHERS))


def test_a_hit_of_another_collection_is_gone_on_from_and_compared(visitor: Visitor, shop: Shop) -> None:
    page = visitor.open("#/search?collection=shop&also=other", **PHONE)
    drop(page, jpeg(shop.pictures["plain-05"]))
    first_card(page, "plain-05")
    card = cards(page).filter(has_text="other-1")
    card.get_by_role("button", name="Compare").press("Enter")
    expect(page.locator(".zone").nth(0)).to_contain_text("mine.jpg")
    expect(page.locator(".zone").nth(1)).to_contain_text("other-1")
    expect(page.locator(".answer-word")).to_be_visible()
    page.go_back()
    first_card(page, "plain-05")
    card.get_by_role("link").press("Enter")
    expect(page.locator(".query-name")).to_have_text("other-1")
    expect(page.get_by_label("Collection", exact=True)).to_have_value("other")
    expect(cards(page).filter(has_text="in shop").first).to_be_visible()
    cards(page).filter(has_text="plain-05").get_by_role("button", name="Compare").press("Enter")
    expect(page.locator(".zone").nth(0)).to_contain_text("other-1")
    expect(page.locator(".zone").nth(1)).to_contain_text("plain-05")


def test_details_and_more_pages_are_of_all_collections(visitor: Visitor) -> None:
    page = visitor.open("#/search?collection=shop&also=other&key=plain-02&k=16")
    expect(cards(page)).to_have_count(16)
    page.get_by_role("button", name="Show more").press("Enter")
    expect(cards(page)).to_have_count(20)
    page.get_by_role("button", name="Details of other-2").press("Enter")
    dialog = page.get_by_role("dialog", name="other-2")
    expect(dialog).to_contain_text("SHA-256")
    expect(dialog.get_by_role("link", name="Search from this")).to_have_attribute(
        "href", "#/search?collection=other&also=shop&k=16&key=other-2"
    )


def test_collections_without_a_common_scale_are_explained(visitor: Visitor) -> None:
    page = visitor.open("#/search?collection=shop&also=nothing-of-that-name&key=plain-02")
    visitor.forgive_failures()
    expect(page.locator(".notice.problem")).to_contain_text("nothing-of-that-name")
    page.locator(".others summary").press("Enter")
    page.get_by_role("checkbox", name="nothing-of-that-name").press("Space")
    expect(cards(page)).to_have_count(17)
