"""A collection whose encoder is not here any more: the page says so, and offers only what works."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.helpers.old_encoder import OLD_WEIGHTS, age_encoder
from tests.page.conftest import visiting
from tests.page.shop import HARD, PLAIN, Shop, ask, starting
from tests.page.visitor import PHONE, Visitor, Windows, cards, drop, first_card, jpeg, paste

TITLE = "This collection cannot be searched with a picture"


@pytest.fixture(scope="module")
def old_address(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service over both collections, of which ``shop`` was made by an encoder that is gone."""
    data = Path(shutil.copytree(shop.data, tmp_path_factory.mktemp("old") / "data"))
    age_encoder(data, "shop")
    with starting(data, shop.data.parent / "encoders") as service:
        yield service.ready()


@pytest.fixture
def visitor(windows: Windows, old_address: str) -> Iterator[Visitor]:
    """Somebody who visits that service."""
    yield from visiting(windows, old_address)


def must_explain(page: Page, address: str) -> None:
    """The banner names the encoder that is gone, and the command."""
    banner = page.locator(".key-only:visible")
    expect(banner).to_contain_text(TITLE)
    expect(banner).to_contain_text(f"was made by bundled-int8 of 608 numbers (weights {OLD_WEIGHTS[:8]})")
    command = ask(address, "/health")["searchable_by_key_only"]["shop"]["command"]
    assert re.fullmatch(r"python -m indexer index \S*manifest\.jsonl --collection shop --reencode", command)
    expect(banner.locator("code")).to_have_text(command)


def test_the_start_offers_pictures_of_the_collection_and_takes_none(
    visitor: Visitor, shop: Shop, old_address: str
) -> None:
    page = visitor.open("#/search?collection=shop")
    must_explain(page, old_address)
    expect(page.locator(".dropzone")).to_be_hidden()
    expect(page.locator("input[type=file]:visible")).to_have_count(0)
    for give in (drop, paste):
        give(page, jpeg(shop.pictures["plain-05"]))
        expect(page.locator(".toast")).to_contain_text("shop cannot be searched with a picture of yours")
        expect(page.locator(".dropzone")).to_be_hidden()
    page.locator(".samples a").first.click()
    expect(cards(page)).to_have_count(len(PLAIN + HARD) - 1)
    must_explain(page, old_address)


def test_a_search_by_key_goes_on_and_offers_only_what_works(visitor: Visitor, old_address: str) -> None:
    page = visitor.open("#/search?collection=shop&key=plain-02")
    expect(cards(page)).to_have_count(len(PLAIN + HARD) - 1)
    must_explain(page, old_address)
    for name in ("Search a part", "New picture", re.compile("Why is it alike")):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    expect(page.locator(".query .pickers")).to_be_hidden()
    cards(page).first.get_by_role("button", name="Compare").click()
    expect(page.locator(".answer-word")).to_be_visible()


def test_the_other_collection_takes_pictures_as_ever(visitor: Visitor, shop: Shop) -> None:
    page = visitor.open("#/search")
    expect(page.get_by_label("Collection")).to_have_value("other")
    expect(page.locator(".key-only:visible")).to_have_count(0)
    mine: FilePayload = {"name": "mine.jpg", "mimeType": "image/jpeg", "buffer": shop.pictures["plain-03"]}
    page.locator(".dropzone input[type=file]").first.set_input_files(mine)
    expect(cards(page)).to_have_count(3)
    page.get_by_label("Collection").select_option("shop")
    expect(page.locator(".key-only:visible")).to_contain_text(TITLE)
    expect(cards(page)).to_have_count(0)
    expect(page.locator(".notice.problem:visible")).to_have_count(0)
    page.get_by_label("Collection").select_option("other")
    expect(cards(page)).to_have_count(3)
    expect(page.locator(".key-only:visible")).to_have_count(0)


def test_the_collections_say_which_one_it_is(visitor: Visitor, shop: Shop, old_address: str) -> None:
    page = visitor.open("#/collections", **PHONE)
    limited = page.locator(".shelf-card", has_text="no search with pictures of yours")
    expect(limited).to_have_count(1)
    limited.get_by_role("link", name="Open shop").click()
    expect(page.locator(".browser .card")).to_have_count(len(PLAIN + HARD))
    must_explain(page, old_address)
    drop(page, jpeg(shop.pictures["plain-05"]))
    expect(page.locator(".toast")).to_contain_text("shop cannot be searched with a picture of yours")
    page.get_by_role("link", name="Search from plain-04").click()
    first_card(page, cards(page).first.get_attribute("data-key") or "")
    expect(page.locator(".query-name")).to_have_text("plain-04")
