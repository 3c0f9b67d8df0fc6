"""Changing a collection with the page: adding, editing, removing and putting back; making and deleting one."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from lookalike.images import encode_jpeg
from lookalike.testing import make_picture
from tests.conftest import running_on
from tests.page.conftest import visiting
from tests.page.shop import SIZE, ask
from tests.page.visitor import Visitor, Windows, drop, jpeg
from tests.page.wares import KEYS, serving_wares

READ_KEY, WRITE_KEY = "a-key-for-reading-wares", "a-key-for-writing-wares"
PLACE = "#/collections?name=wares"


@pytest.fixture(scope="module")
def wares_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service over wares of its own, which these tests change; each leaves what the others look at."""
    with running_on(), serving_wares(tmp_path_factory.mktemp("items") / "wares") as address:
        yield address


@pytest.fixture
def visitor(windows: Windows, wares_address: str) -> Iterator[Visitor]:
    """Somebody who visits that service."""
    yield from visiting(windows, wares_address)


def new_picture(seed: int) -> bytes:
    """A picture that no ware has."""
    return encode_jpeg(make_picture(seed, SIZE), 92)


def browsed(page: Page) -> Locator:
    """The pictures of the collection that are shown."""
    return page.locator(".browser .card:visible")


def row(page: Page, column: str) -> Locator:
    """The row of a column in the form."""
    return page.locator(".meta-row", has=page.locator(f'input[readonly][value="{column}"]'))


def test_a_dropped_picture_is_checked_and_added_with_its_fields(visitor: Visitor, wares_address: str) -> None:
    page = visitor.open(f"{PLACE}&part=add")
    drop(page, jpeg(new_picture(900), "blue jug.jpg"))
    expect(page.get_by_role("textbox", name="Key", exact=True)).to_have_value("blue jug")
    expect(page.get_by_role("textbox", name="Key", exact=True)).to_be_focused()
    expect(page.locator(".check-text")).to_have_text(re.compile("^It is new"))
    page.get_by_label("Title").fill("A blue jug")
    page.get_by_label("Value of category").fill("jug")
    page.get_by_label("Value of price").fill("12.5")
    page.get_by_label("Value of sale").select_option("true")
    page.get_by_label("Value of tags").fill("blue, hand made")
    page.get_by_role("button", name="Add it").press("Enter")
    expect(page.locator(".add .notice.message")).to_contain_text("A blue jug is added, and found by searches.")
    item = ask(wares_address, "/collections/wares/items/blue%20jug")
    assert item["title"] == "A blue jug"
    assert item["metadata"] == {"category": "jug", "price": 12.5, "sale": True, "tags": ["blue", "hand made"]}
    page.get_by_role("link", name="Search from it").click()
    expect(page.locator(".query-name")).to_have_text("A blue jug")
    page.goto(f"{visitor.address}{PLACE}")
    expect(browsed(page)).to_have_count(len(KEYS) + 1)
    page.get_by_role("button", name="Remove A blue jug").press("Enter")
    expect(browsed(page)).to_have_count(len(KEYS))


def test_a_picture_that_is_there_already_is_recognised(visitor: Visitor) -> None:
    page = visitor.open(f"{PLACE}&part=add")
    drop(page, jpeg(encode_jpeg(make_picture(203, SIZE), 92), "again.jpg"))
    expect(page.locator(".check-text")).to_have_text("The very same file is here already:")
    expect(page.locator(".check-matches a").first).to_contain_text("Ware 3: same file, score 1.000")
    page.get_by_role("button", name="Cancel").press("Enter")
    expect(page.locator(".dropzone")).to_be_visible()
    expect(page.locator(".dropzone input").first).to_be_focused()


def test_a_key_that_is_taken_is_told_and_its_fields_stay(visitor: Visitor, wares_address: str) -> None:
    before = ask(wares_address, "/collections/wares/items/ware-09")
    page = visitor.open(f"{PLACE}&part=add")
    drop(page, jpeg(new_picture(901), "ware-09.jpg"))
    expect(page.locator(".add-form")).to_contain_text("There is a picture with this key, Ware 9: it would be replaced.")
    expect(page.get_by_label("Value of maker")).to_have_value("maker 09 of many")
    page.get_by_role("button", name="Replace it").press("Enter")
    expect(page.locator(".add .notice.message")).to_contain_text("Ware 9 is added")
    after = ask(wares_address, "/collections/wares/items/ware-09")
    assert after["metadata"] == before["metadata"]
    assert after["content_digest"] != before["content_digest"]


def test_metadata_are_edited_and_only_what_changed_is_sent(visitor: Visitor, wares_address: str) -> None:
    page = visitor.open(PLACE)
    page.get_by_role("button", name="Edit Ware 5").press("Enter")
    dialog = page.get_by_role("dialog", name="Edit Ware 5")
    dialog.get_by_label("Value of price").fill("7")
    dialog.get_by_role("button", name="Leave out maker").press("Enter")
    dialog.get_by_role("button", name="Add a column").press("Enter")
    dialog.get_by_label("Name of the column").last.fill("shelf")
    dialog.get_by_label("Type of new column").select_option("number")
    dialog.get_by_label("Value of shelf").fill("3")
    with page.expect_request("**/items/ware-05") as request:
        dialog.get_by_label("Value of shelf").press("Enter")
    assert request.value.method == "PATCH"
    assert '{"price":7,"shelf":3,"maker":null}' in (request.value.post_data or "")
    expect(dialog).to_have_count(0)
    metadata = ask(wares_address, "/collections/wares/items/ware-05")["metadata"]
    assert (metadata["price"], metadata["shelf"], metadata["tags"]) == (7, 3, ["blue"])
    assert "maker" not in metadata
    expect(browsed(page).filter(has_text="Ware 5").locator("a")).to_be_focused()


def test_somebody_elses_change_is_not_overwritten(visitor: Visitor) -> None:
    visitor.forgive_failures()
    page = visitor.open(PLACE)
    page.get_by_role("button", name="Edit Ware 7").press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Value of price")).to_have_value("40")
    page.evaluate(
        """async () => {
          const body = new URLSearchParams({ metadata: JSON.stringify({ price: 41 }) });
          await fetch("collections/wares/items/ware-07", { method: "PATCH", body });
        }"""
    )
    dialog.get_by_label("Value of price").fill("42")
    dialog.get_by_role("button", name="Save").press("Enter")
    expect(dialog.locator(".notice")).to_contain_text("Somebody else has changed this picture since.")


def test_what_was_removed_is_put_back_as_it_was(visitor: Visitor, wares_address: str) -> None:
    before = ask(wares_address, "/collections/wares/items/ware-02")
    page = visitor.open(PLACE)
    page.get_by_role("button", name="Remove Ware 2").press("Enter")
    expect(page.locator(".bar-notice .notice")).to_contain_text("Ware 2 was removed.")
    expect(page.get_by_role("button", name="Put it back")).to_be_focused()
    keys = {item["key"] for item in ask(wares_address, "/collections/wares/items")["items"]}
    assert "ware-02" not in keys
    page.get_by_role("button", name="Put it back").press("Enter")
    expect(browsed(page).filter(has_text="Ware 2").locator("a")).to_be_focused()
    after = ask(wares_address, "/collections/wares/items/ware-02")
    assert after == before


def test_what_could_not_be_put_back_is_asked_for_first(visitor: Visitor) -> None:
    visitor.forgive_failures()
    page = visitor.open()
    page.route("**/items/ware-03/image", lambda route: route.fulfill(status=503, body=""))
    page.goto(f"{visitor.address}{PLACE}")
    page.get_by_role("button", name="Remove Ware 3").press("Enter")
    dialog = page.get_by_role("dialog", name="Remove Ware 3?")
    expect(dialog).to_contain_text("this page could not put it back")
    expect(dialog.get_by_role("button", name="Keep it")).to_be_focused()
    dialog.get_by_role("button", name="Keep it").press("Enter")
    expect(browsed(page).filter(has_text="Ware 3")).to_have_count(1)
    expect(page.locator(".bar-notice .notice:visible")).to_have_count(0)


def test_pictures_are_browsed_by_filter(visitor: Visitor) -> None:
    page = visitor.open(PLACE)
    page.locator(".filter-bar summary", has_text="category").press("Enter")
    page.get_by_role("checkbox", name="bowl").press("Space")
    expect(browsed(page)).to_have_count(3)
    expect(page.locator(".passing")).to_have_text("3 of 12 pictures pass")
    page.keyboard.press("Escape")
    page.reload()
    expect(browsed(page)).to_have_count(3)
    page.get_by_role("button", name="Remove the filter category: bowl").press("Enter")
    expect(browsed(page)).to_have_count(len(KEYS))


def test_a_collection_is_made_filled_and_deleted(visitor: Visitor, wares_address: str) -> None:
    page = visitor.open("#/collections")
    page.get_by_role("button", name="New collection").press("Enter")
    dialog = page.get_by_role("dialog", name="New collection")
    dialog.get_by_label("Name").fill("jugs")
    dialog.get_by_label("Name").press("Enter")
    expect(page).to_have_url(re.compile("name=jugs&part=add"))
    drop(page, jpeg(new_picture(910), "jug-1.jpg"))
    page.get_by_role("button", name="Add it").press("Enter")
    expect(page.locator(".collection-head")).to_contain_text("1 picture, 1 changed since the last snapshot")
    page.get_by_role("link", name="About").click()
    page.get_by_role("button", name="Delete …").press("Enter")
    dialog = page.get_by_role("dialog", name="Delete jugs?")
    dialog.get_by_label("Type jugs to go on").fill("jug")
    dialog.get_by_role("button", name="Delete it").press("Enter")
    expect(dialog.get_by_label("Type jugs to go on")).to_have_js_property("validationMessage", "That is not the name.")
    dialog.get_by_label("Type jugs to go on").fill("jugs")
    dialog.get_by_role("button", name="Delete it").press("Enter")
    expect(page.locator(".toast")).to_have_text("The collection jugs is out of service.")
    expect(page.locator(".shelf-card")).to_have_count(1)
    assert [each["name"] for each in ask(wares_address, "/collections")["collections"]] == ["wares"]


def test_a_key_that_may_only_read_is_exchanged_for_one_that_may_write(
    windows: Windows, tmp_path_factory: pytest.TempPathFactory
) -> None:
    keys = f"read:{READ_KEY},write:{WRITE_KEY}"
    folder = tmp_path_factory.mktemp("locked") / "wares"
    with running_on(), serving_wares(folder, LOOKALIKE_API_KEYS=keys) as address:
        for someone in visiting(windows, address):
            someone.forgive_failures()
            page = someone.open(PLACE)
            _give_key(page, READ_KEY)
            expect(browsed(page)).to_have_count(len(KEYS))
            page.get_by_role("button", name="Edit Ware 1", exact=True).press("Enter")
            editor = page.get_by_role("dialog", name="Edit Ware 1")
            editor.get_by_label("Title").fill("Another title")
            editor.get_by_role("button", name="Save").press("Enter")
            expect(page.get_by_role("dialog").last).to_contain_text("The key that you gave may not do that.")
            _give_key(page, WRITE_KEY)
            expect(page.locator(".toast")).to_have_text("Another title is saved.")


def _give_key(page: Page, key: str) -> None:
    page.locator("dialog input[type=password]").fill(key)
    page.get_by_role("button", name="Use the key").press("Enter")
