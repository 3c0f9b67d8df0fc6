"""Filters of the search: chosen from the columns of a collection, counted, kept in the address, and told as text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.conftest import running_on
from tests.page.conftest import visiting
from tests.page.shop import ask
from tests.page.visitor import PHONE, Visitor, Windows, cards, shown_keys
from tests.page.wares import CATEGORIES, KEYS, PRICES, is_sold, product_of, serving_wares

PLACE = "#/search?collection=wares&key=ware-00"


@pytest.fixture(scope="module")
def wares_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service over the wares."""
    with running_on(), serving_wares(tmp_path_factory.mktemp("filters") / "wares") as address:
        yield address


@pytest.fixture
def visitor(windows: Windows, wares_address: str) -> Iterator[Visitor]:
    """Somebody who visits that service."""
    yield from visiting(windows, wares_address)


def filtered(**tests: object) -> str:
    """The place of the search with a filter."""
    return f"{PLACE}&filter={quote(json.dumps(tests))}"


def panel(page: Page, name: str) -> Locator:
    """The open panel of a column, opened by the keyboard."""
    summary = page.locator(".filter-bar summary", has_text=name)
    summary.press("Enter")
    return page.locator(".disclosure[open] .popup")


def keys_where(condition: object) -> set[str]:
    """Keys, but for that of the query, whose number passes."""
    assert callable(condition)
    return {key for number, key in enumerate(KEYS) if number and condition(number)}


def expect_keys(page: Page, keys: set[str]) -> None:
    """Exactly these are the hits."""
    expect(cards(page)).to_have_count(len(keys))
    expect(page.locator(".stale")).to_have_count(0)
    assert set(shown_keys(page)) == keys


def test_values_are_ticked_with_their_counts(visitor: Visitor) -> None:
    page = visitor.open(PLACE)
    choices = panel(page, "category").locator(".choice")
    counts = {"mug": 5, "tea pot": 4, "bowl": 3}
    expect(choices).to_have_text([f"{name}{count}" for name, count in counts.items()])
    page.get_by_role("checkbox", name="tea pot").press("Space")
    expect_keys(page, keys_where(lambda number: CATEGORIES[number] == "tea pot"))
    page.get_by_role("checkbox", name="bowl").press("Space")
    expect_keys(page, keys_where(lambda number: CATEGORIES[number] != "mug"))
    expect(page.locator(".passing")).to_have_text("7 of 12 pictures pass")
    expect(page.get_by_role("checkbox", name="bowl")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".disclosure[open]")).to_have_count(0)
    expect(page.get_by_label("category, 2 chosen")).to_be_focused()


def test_counts_are_those_of_what_passes_the_other_filters(visitor: Visitor) -> None:
    page = visitor.open(filtered(price={"lte": 30}))
    cheap = [number for number, price in enumerate(PRICES) if price <= 30]
    mugs = sum(CATEGORIES[number] == "mug" for number in cheap)
    expect(panel(page, "category").locator(".choice")).to_have_text([f"mug{mugs}", f"tea pot{len(cheap) - mugs}"])
    page.get_by_role("checkbox", name="mug").press("Space")
    expect(page.locator(".passing")).to_have_text(f"{mugs} of 12 pictures pass")
    # What is ticked in a column does not count against its other values.
    page.get_by_role("button", name="Done").press("Enter")
    expect(panel(page, "category").locator(".choice")).to_have_text([f"mug{mugs}", f"tea pot{len(cheap) - mugs}"])


def test_numbers_dates_and_truth_are_filtered_too(visitor: Visitor) -> None:
    page = visitor.open(PLACE)
    bounds = panel(page, "price")
    bounds.get_by_label("From").fill("20")
    bounds.get_by_label("To", exact=True).fill("45")
    bounds.get_by_label("To", exact=True).press("Enter")
    expect_keys(page, keys_where(lambda number: 20 <= PRICES[number] <= 45))
    days = panel(page, "added")
    days.get_by_label("Up to and with").fill("2024-05-08")
    days.get_by_label("Up to and with").press("Tab")
    expect_keys(page, keys_where(lambda number: 20 <= PRICES[number] <= 45 and number < 8))
    panel(page, "sale").get_by_role("checkbox", name="yes").press("Space")
    expect_keys(page, keys_where(lambda number: 20 <= PRICES[number] <= 45 and number < 8 and is_sold(number)))
    chips = page.get_by_role("list", name="Active filters").locator(".chip")
    expect(chips).to_have_text(["price: 20 to 45", "added: up to 2024-05-08", "sale: yes"])


def test_bounds_the_wrong_way_round_are_refused_in_place(visitor: Visitor) -> None:
    page = visitor.open(PLACE)
    bounds = panel(page, "price")
    bounds.get_by_label("From").fill("45")
    bounds.get_by_label("To", exact=True).fill("20")
    bounds.get_by_label("To", exact=True).press("Enter")
    words = "“From” must not be above “to”."
    expect(bounds.get_by_label("To", exact=True)).to_have_js_property("validationMessage", words)
    expect(page).not_to_have_url(re.compile("lte%22"))


def test_chips_are_removed_by_keyboard_and_the_address_follows(visitor: Visitor) -> None:
    page = visitor.open(filtered(category={"in": ["mug", "bowl"]}, tags={"in": ["blue"]}))
    expect_keys(page, keys_where(lambda number: CATEGORIES[number] in {"mug", "bowl"} and number >= 4))
    page.get_by_role("button", name="Remove the filter category: mug").press("Enter")
    expect_keys(page, keys_where(lambda number: CATEGORIES[number] == "bowl"))
    expect(page.get_by_role("button", name="Remove the filter category: bowl")).to_be_focused()
    expect(page).to_have_url(re.compile(re.escape(quote('{"category":{"in":["bowl"]}', safe=""))))
    page.get_by_role("button", name="Clear all").press("Enter")
    expect_keys(page, set(KEYS[1:]))
    expect(page).not_to_have_url(re.compile("filter="))
    expect(page.locator(".active-filters")).to_be_hidden()


def test_the_text_of_a_filter_means_the_same_to_the_api(visitor: Visitor, wares_address: str) -> None:
    page = visitor.open(
        filtered(
            category={"in": ["tea pot", "mug"]},
            price={"gte": 10, "lte": 55},
            sale={"in": [False]},
            added={"lt": "2024-05-09"},
        )
    )
    code = page.locator(".filter-text code")
    text = 'category in ("tea pot", mug) and price >= 10 and price <= 55 and sale = false and added < 2024-05-09'
    expect(code).to_have_text(text)
    page.locator(".passing", has_text="pass").wait_for()
    fields = {"collection": "wares", "key": "ware-00", "k": "50", "filter": text}
    expected = ask(wares_address, "/search", fields)
    expect(page.locator(".passing")).to_have_text(f"{expected['passing']} of 12 pictures pass")
    assert shown_keys(page) == [hit["key"] for hit in expected["results"]]


def test_a_condition_of_ones_own_goes_with_the_others(visitor: Visitor) -> None:
    page = visitor.open(filtered(category={"in": ["mug"]}))
    more = panel(page, "More")
    more.get_by_label("A condition of your own").fill("price < 10 or price > 20")
    more.get_by_label("A condition of your own").press("Enter")
    expect_keys(page, keys_where(lambda number: CATEGORIES[number] == "mug" and not 10 <= PRICES[number] <= 20))
    expect(page.locator(".filter-text code")).to_have_text("category = mug and (price < 10 or price > 20)")
    more.get_by_label("A condition of your own").fill("prize < 10")
    visitor.forgive_failures()
    more.get_by_label("A condition of your own").press("Enter")
    expect(page.locator(".notice.problem")).to_contain_text("did you mean 'price'?")


def test_a_column_of_many_values_is_searched_for_one(visitor: Visitor) -> None:
    page = visitor.open()
    values = [{"value": f"colour {number:03d}", "count": 1} for number in range(60)]

    def many(route: Route) -> None:
        limit = int(re.findall(r"limit=(\d+)", route.request.url)[0])
        facet = {"values": values[:limit], "distinct": len(values)}
        route.fulfill(json={"collection": "wares", "snapshot": 1, "count": 60, "facets": {"maker": facet}})

    page.route("**/facets?*", many)
    page.goto(visitor.address + PLACE)
    makers = panel(page, "maker")
    expect(makers.locator(".choice")).to_have_count(20)
    expect(makers).to_contain_text("40 more: find them by name.")
    makers.get_by_label("Find a value").fill("R 04")
    expect(makers.locator(".choice")).to_have_count(10)
    expect(makers.locator(".choice-name").first).to_have_text("colour 040")
    makers.get_by_label("Find a value").fill("maker 0")
    expect(makers).to_contain_text("No value like that.")
    page.unroute("**/facets?*")
    makers.get_by_role("button", name="All that begin with “maker 0”").press("Enter")
    expect_keys(page, keys_where(lambda number: number < 10))
    expect(page.locator(".chip")).to_have_text("maker: maker 0 …")


def test_one_hit_a_product_and_the_others_of_it_one_click_away(visitor: Visitor) -> None:
    page = visitor.open(PLACE)
    panel(page, "Arrange").get_by_label("One hit for each").select_option("product_id")
    expect(cards(page)).to_have_count(5)
    # All but that of the query, whose pictures whoever looks at it knows.
    products = [product_of(KEYS.index(key)) for key in shown_keys(page)]
    assert sorted(products) == [f"product-{number}" for number in range(1, 6)]
    page.keyboard.press("Escape")
    card = cards(page).filter(has_text="All of product-3")
    card.get_by_role("button", name="Show all pictures of product-3").press("Enter")
    expect_keys(page, {"ware-06", "ware-07"})
    expect(page.locator(".chip")).to_have_text("product_id: product-3")
    page.go_back()
    expect(cards(page)).to_have_count(5)


def test_variety_and_no_file_twice_are_asked_for(visitor: Visitor, wares_address: str) -> None:
    page = visitor.open(PLACE)
    options = panel(page, "Arrange")
    with page.expect_request("**/search") as request:
        options.get_by_role("slider", name="Variety").press("End")
    assert 'name="diversity"\r\n\r\n0.9' in (request.value.post_data or "")
    expect(page.locator(".stale")).to_have_count(0)
    with page.expect_request("**/search") as request:
        options.get_by_role("checkbox", name="Leave out the same file twice").press("Space")
    assert 'name="dedupe"\r\n\r\ntrue' in (request.value.post_data or "")
    expect(page).to_have_url(re.compile("diversity=0.9.*dedupe=1"))
    fields = {"collection": "wares", "key": "ware-00", "k": "20", "diversity": "0.9", "dedupe": "true"}
    expect(page.locator(".stale")).to_have_count(0)
    assert shown_keys(page) == [hit["key"] for hit in ask(wares_address, "/search", fields)["results"]]


def test_more_hits_come_below_without_doubles(visitor: Visitor, wares_address: str) -> None:
    page = visitor.open(f"{PLACE}&k=5")
    expect(cards(page)).to_have_count(5)
    page.get_by_role("button", name="Show more").press("Enter")
    expect(cards(page)).to_have_count(10)
    expect(cards(page).nth(5).locator(".tile")).to_be_focused()
    page.get_by_role("button", name="Show more").press("Enter")
    expect(cards(page)).to_have_count(11)
    expect(page.get_by_role("button", name="Show more")).to_be_hidden()
    expect(page.locator(".results .end")).to_have_text("That is all there is: 11 pictures.")
    fields = {"collection": "wares", "key": "ware-00", "k": "20"}
    assert shown_keys(page) == [hit["key"] for hit in ask(wares_address, "/search", fields)["results"]]


def test_on_a_phone_a_panel_comes_from_below_and_goes_with_a_tap_elsewhere(visitor: Visitor) -> None:
    page = visitor.open(PLACE, **PHONE)
    cards(page).first.wait_for()
    page.locator(".filter-bar summary", has_text="category").tap()
    popup = page.locator(".disclosure[open] .popup")
    expect(popup.locator(".choice")).to_have_count(3)
    box = popup.bounding_box()
    assert box is not None
    assert (box["x"], box["width"]) == (0, 390)
    page.touchscreen.tap(195, 60)
    expect(popup).to_be_hidden()
