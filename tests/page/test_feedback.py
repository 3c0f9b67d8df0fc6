"""More like this, less like this: what is said of hits moves the search, is shown, and can be taken back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import running_on
from tests.page.conftest import visiting
from tests.page.shop import ask
from tests.page.visitor import Visitor, Windows, cards, shown_keys
from tests.page.wares import KEYS, serving_wares

PLACE = "#/search?collection=wares&key=ware-00"
FIELDS = {"collection": "wares", "key": "ware-00", "k": "20"}


@pytest.fixture(scope="module")
def wares_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service over the wares."""
    with running_on(), serving_wares(tmp_path_factory.mktemp("feedback") / "wares") as address:
        yield address


@pytest.fixture
def visitor(windows: Windows, wares_address: str) -> Iterator[Visitor]:
    """Somebody who visits that service."""
    yield from visiting(windows, wares_address)


def expect_hits(page: Page, address: str, **votes: list[str]) -> None:
    """The hits are those of the service with these votes, in its order."""
    fields = FIELDS | {name: json.dumps(keys) for name, keys in votes.items()}
    hits = [hit["key"] for hit in ask(address, "/search", fields)["results"]]
    expect(cards(page)).to_have_count(len(hits))
    expect(page.locator(".stale")).to_have_count(0)
    assert shown_keys(page) == hits


def test_a_disliked_hit_goes_and_pushes_others_away(visitor: Visitor, wares_address: str) -> None:
    page = visitor.open(PLACE)
    expect(cards(page)).to_have_count(len(KEYS) - 1)
    disliked = shown_keys(page)[0]
    number = KEYS.index(disliked)
    page.get_by_role("button", name=f"Less like this: Ware {number}", exact=True).press("Enter")
    expect_hits(page, wares_address, unlike_keys=[disliked])
    assert disliked not in shown_keys(page)
    expect(page.get_by_role("list", name="Less like").locator("li")).to_have_count(1)
    expect(page.locator(".results-head h2")).to_be_focused()
    page.get_by_role("button", name=f"No longer less like this: {disliked}").press("Enter")
    expect_hits(page, wares_address)
    expect(page.locator(".feedback")).to_be_hidden()


def test_liked_hits_move_the_search_and_back_undoes_it(visitor: Visitor, wares_address: str) -> None:
    page = visitor.open(PLACE)
    expect(cards(page)).to_have_count(len(KEYS) - 1)
    first, second = shown_keys(page)[-2:]
    page.get_by_role("button", name=f"More like this: Ware {KEYS.index(first)}", exact=True).press("Enter")
    expect_hits(page, wares_address, like_keys=[first])
    page.get_by_role("button", name=f"More like this: Ware {KEYS.index(second)}", exact=True).press("Enter")
    expect_hits(page, wares_address, like_keys=[first, second])
    expect(page.get_by_role("list", name="More like").locator("li")).to_have_count(2)
    page.go_back()
    expect_hits(page, wares_address, like_keys=[first])
    page.get_by_role("button", name="Forget all").press("Enter")
    expect_hits(page, wares_address)


def test_votes_are_in_the_address_and_another_picture_forgets_them(visitor: Visitor, wares_address: str) -> None:
    votes = f"like={quote(json.dumps(['ware-05']))}&unlike={quote(json.dumps(['ware-06']))}"
    page = visitor.open(f"{PLACE}&{votes}")
    expect_hits(page, wares_address, like_keys=["ware-05"], unlike_keys=["ware-06"])
    cards(page).first.locator(".tile").click()
    expect(page).not_to_have_url(re.compile("like="))
    expect(page.locator(".feedback")).to_be_hidden()
