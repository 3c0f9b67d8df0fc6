"""Dialogs are alike: where the focus is and returns to, and what closes them."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.page.visitor import Visitor

SEARCH, COLLECTION = "#/search?collection=shop&key=plain-02", "#/collections?name=shop"
OPENERS = {
    "Details of Second title": SEARCH,
    "Copy link": SEARCH,
    "Edit Second title": COLLECTION,
    "New collection": "#/collections",
    "Delete …": f"{COLLECTION}&part=about",
}


def opened(visitor: Visitor, name: str) -> tuple[Page, Locator, Locator]:
    """A page, the button of this name, and the dialog that it has opened."""
    page = visitor.open()
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('not allowed')); }")
    page.evaluate("(hash) => { location.hash = hash; }", OPENERS[name])
    opener = page.get_by_role("button", name=name)
    opener.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    return page, opener, dialog


@pytest.mark.parametrize("name", OPENERS)
def test_a_dialog_takes_the_focus_and_escape_gives_it_back(visitor: Visitor, name: str) -> None:
    page, opener, dialog = opened(visitor, name)
    assert dialog.evaluate("(dialog) => dialog.contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(opener).to_be_focused()


@pytest.mark.parametrize("name", OPENERS)
def test_only_a_click_beside_a_dialog_closes_it(visitor: Visitor, name: str) -> None:
    page, opener, dialog = opened(visitor, name)
    box = dialog.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 4, box["y"] + 4)
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(4, 4)
    page.mouse.up()
    expect(dialog).to_be_visible()
    page.mouse.click(4, 4)
    expect(dialog).to_have_count(0)
    expect(opener).to_be_focused()
