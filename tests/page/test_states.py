"""When things are not as one would like: nothing indexed, a key, a busy service, none at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.page.conftest import visiting
from tests.page.shop import Shop, starting
from tests.page.visitor import Visitor, Windows, answer_problem, cards, drop, first_card, jpeg

KEY = "a-key-for-reading-pictures"
PLACE = "#/search?collection=shop&key=plain-02"
BLOB = re.compile("^blob:")


@pytest.fixture(scope="module")
def other_addresses(shop: Shop) -> Iterator[tuple[str, str]]:
    """A service with nothing indexed, and one that asks for a key; they start side by side."""
    empty, encoders = shop.data.parent / "empty", shop.data.parent / "encoders"
    empty.mkdir()
    with (
        starting(empty, encoders) as nothing,
        starting(shop.data, encoders, LOOKALIKE_API_KEYS=f"read:{KEY}") as locked,
    ):
        yield nothing.ready(), locked.ready()


@pytest.fixture
def first_visitor(windows: Windows, other_addresses: tuple[str, str]) -> Iterator[Visitor]:
    """Somebody who looks before anything is indexed."""
    yield from visiting(windows, other_addresses[0])


@pytest.fixture
def stranger(windows: Windows, other_addresses: tuple[str, str]) -> Iterator[Visitor]:
    """Somebody at a service that asks for a key."""
    yield from visiting(windows, other_addresses[1])


def test_with_nothing_indexed_the_page_says_what_to_run_and_compares(first_visitor: Visitor, shop: Shop) -> None:
    page = first_visitor.open()
    expect(page.get_by_role("heading", name="Nothing is indexed yet")).to_be_visible()
    expect(page.locator(".command")).to_have_text("python -m indexer index ~/Pictures --collection pictures")
    page.get_by_role("link", name="Compare two pictures").click()
    drop(page, jpeg(shop.pictures["plain-01"]), jpeg(shop.pictures["plain-01"]))
    expect(page.locator(".answer-word")).to_have_text("Yes")
    page.get_by_role("link", name="Collections").click()
    expect(page.get_by_role("heading", name="Nothing is indexed yet")).to_be_visible()


def test_what_is_indexed_meanwhile_appears_by_itself(first_visitor: Visitor, address: str) -> None:
    page = first_visitor.open(clock=True)
    expect(page.locator(".command")).to_be_visible()
    page.route("**/collections*", lambda route: route.fulfill(response=route.fetch(url=f"{address}collections")))
    page.route("**/items?*", lambda route: route.fulfill(json={"items": [], "next_cursor": None, "snapshot": 1}))
    page.clock.fast_forward(5000)
    expect(page.locator(".dropzone")).to_be_visible()
    expect(page.get_by_label("Collection")).to_contain_text("shop (18)")
    page.unroute_all(behavior="wait")


def test_a_key_is_asked_for_once_and_opens_everything(stranger: Visitor) -> None:
    stranger.forgive_failures()
    page = stranger.open(PLACE)
    asked = page.get_by_role("dialog")
    asked.get_by_label("Key").fill("a wrong one")
    page.keyboard.press("Enter")
    expect(asked).to_contain_text("This key was not accepted.")
    asked.get_by_label("Key").fill(KEY)
    page.keyboard.press("Enter")
    expect(cards(page)).to_have_count(17)
    expect(asked).to_have_count(0)
    expect(cards(page).first.locator(".frame.loaded img")).to_have_attribute("src", BLOB)
    expect(page.locator(".stage .frame.loaded img")).to_have_attribute("src", BLOB)
    assert page.evaluate("localStorage.length") == 0
    page.reload()
    expect(cards(page)).to_have_count(17)
    page.get_by_role("button", name="Forget the key").click()
    page.reload()
    expect(asked).to_be_visible()


def test_without_a_key_the_page_says_so_and_asks_again(stranger: Visitor) -> None:
    stranger.forgive_failures()
    page = stranger.open(PLACE)
    page.get_by_role("dialog").get_by_role("button", name="Not now").click()
    expect(page.locator(".notice.problem")).to_contain_text("The service asks for a key")
    page.get_by_role("button", name="Enter a key").click()
    page.get_by_role("dialog").get_by_label("Key").fill(KEY)
    page.get_by_role("dialog").get_by_role("button", name="Use the key").click()
    expect(cards(page)).to_have_count(17)


def test_a_busy_service_is_asked_again_by_itself(visitor: Visitor) -> None:
    page = _failing_first(visitor, _problem(429, "overloaded", "all busy"))
    expect(page.locator(".notice.wait")).to_contain_text("The service is busy")
    expect(page.locator(".notice.wait")).to_contain_text(re.compile("Trying again in (20|1.) seconds"))
    page.clock.fast_forward(20_000)
    expect(cards(page)).to_have_count(17)
    expect(page.locator(".notice:visible")).to_have_count(0)


def test_a_service_that_stays_busy_is_asked_by_hand(visitor: Visitor) -> None:
    page = _failing_first(visitor, _problem(429, "overloaded", "all busy"), times=2)
    expect(page.locator(".notice.wait")).to_be_visible()
    page.clock.fast_forward(20_000)
    expect(page.locator(".notice.problem")).to_contain_text("All busy.")
    expect(page.locator(".notice.problem")).to_contain_text("Request a-request-id")
    page.get_by_role("button", name="Try again").click()
    expect(cards(page)).to_have_count(17)


def test_a_starting_service_is_waited_for(visitor: Visitor) -> None:
    page = _failing_first(visitor, _problem(503, "starting", "not yet"), times=2)
    for _ in range(2):
        expect(page.locator(".notice.wait")).to_contain_text("The service is starting")
        expect(page.locator(".countdown")).to_have_text(re.compile("Trying again in (20|1[89]) seconds"))
        page.clock.fast_forward(20_000)
    expect(cards(page)).to_have_count(17)


def _problem(status: int, code: str, detail: str) -> Callable[[Route], None]:
    """What answers with this problem, and asks for 20 seconds' patience."""
    return lambda route: answer_problem(route, status, code, detail, **{"Retry-After": "20"})


def test_no_service_at_all(visitor: Visitor) -> None:
    page = _failing_first(visitor, lambda route: route.abort("connectionrefused"))
    expect(page.locator(".notice.problem")).to_contain_text("The service cannot be reached")
    page.get_by_role("button", name="Try again").click()
    expect(cards(page)).to_have_count(17)


def test_a_proxy_that_answers_in_its_own_words(visitor: Visitor) -> None:
    page = _failing_first(visitor, lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"))
    expect(page.locator(".notice.problem")).to_contain_text("It answered with status 502 and no explanation.")


def test_a_broken_picture_is_explained_in_words(visitor: Visitor, shop: Shop) -> None:
    visitor.forgive_failures()
    page = visitor.open("#/search?collection=shop")
    drop(page, jpeg(b"this is no picture at all", "broken.jpg"))
    expect(page.locator(".notice.problem")).to_contain_text("This kind of file cannot be read")
    expect(page.locator(".notice.problem")).to_contain_text("Request ")
    drop(page, jpeg(shop.pictures["plain-05"]))
    first_card(page, "plain-05")
    expect(page.locator(".notice:visible")).to_have_count(0)


def _failing_first(visitor: Visitor, fail: Callable[[Route], None], times: int = 1) -> Page:
    """A search whose first requests fail."""
    visitor.forgive_failures()
    page = visitor.open("#/collections", clock=True)
    page.route("**/search", fail, times=times)
    page.goto(visitor.address + PLACE)
    return page
