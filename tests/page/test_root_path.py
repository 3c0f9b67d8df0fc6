"""The page below a path of another site, behind a proxy that takes the path off and one that does not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.helpers.stripping_proxy import stripping_proxy
from tests.page.conftest import visiting
from tests.page.shop import Shop, starting
from tests.page.visitor import Visitor, Windows, cards, drop, first_card, jpeg

ROOT = "/shop/images"


@pytest.fixture(scope="module", params=["path taken off", "path as it came"])
def below(shop: Shop, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of the page below the path."""
    encoders = shop.data.parent / "encoders"
    with starting(shop.data, encoders, LOOKALIKE_ROOT_PATH=ROOT, LOOKALIKE_API_KEYS="") as service:
        direct = service.ready().rstrip("/")
        if request.param == "path as it came":
            yield f"{direct}{ROOT}/"
        else:
            with stripping_proxy(direct, ROOT) as address:
                yield f"{address}/"


@pytest.fixture
def guest(windows: Windows, below: str) -> Iterator[Visitor]:
    """Somebody whose browser asks for nothing beside the path: the visitor's own check fails if it does."""
    yield from visiting(windows, below)


def test_the_page_searches_compares_and_shows_pictures_below_a_path(guest: Visitor, shop: Shop) -> None:
    page = guest.open("#/search?collection=shop")
    drop(page, jpeg(shop.pictures["plain-05"]))
    expect(first_card(page, "plain-05").locator(".number")).to_have_text("1.000")
    expect(cards(page).first.locator(".loaded")).to_be_visible()
    compared = guest.open("#/compare?collection=shop&a=plain-03&b=plain-08")
    expect(compared.get_by_role("button", name="Why?")).to_be_visible()
    collections = guest.open("#/collections")
    expect(collections.get_by_text("other", exact=True).first).to_be_visible()


def test_the_reference_is_drawn_below_a_path(guest: Visitor) -> None:
    page = guest.open("")
    page.get_by_role("link", name="API").click()
    expect(page.locator("#operations-search-search")).to_be_visible()
    expect(page.locator(".servers option")).to_have_attribute("value", ROOT)
