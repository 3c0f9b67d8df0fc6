"""Settings of a collection with the page: declared columns, snapshots that stay; and bringing back a deleted one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.conftest import running_on
from tests.page.conftest import visiting
from tests.page.shop import ask
from tests.page.visitor import PHONE, Visitor, Windows
from tests.page.wares import KEYS, serving_wares

PLACE = "#/collections?name=wares&part=about"


@pytest.fixture(scope="module")
def wares_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service over wares of its own."""
    with running_on(), serving_wares(tmp_path_factory.mktemp("settings") / "wares") as address:
        yield address


@pytest.fixture
def visitor(windows: Windows, wares_address: str) -> Iterator[Visitor]:
    """Somebody who visits that service."""
    yield from visiting(windows, wares_address)


def settings(page: Page) -> Locator:
    """The form of the settings, once it is filled."""
    form = page.get_by_role("form", name="Settings")
    expect(form.get_by_label("Type of category")).to_be_visible()
    return form


def declared(address: str) -> dict[str, list[str]]:
    """The declared columns, as the service has them."""
    columns: list[dict[str, Any]] = ask(address, "/collections/wares")["columns"]
    return {column["name"]: column["types"] for column in columns if column["declared"]}


def test_columns_are_declared_and_one_is_freed_again(visitor: Visitor, wares_address: str) -> None:
    page = visitor.open(PLACE)
    form = settings(page)
    expect(form.get_by_label("Type of price")).to_have_value("")
    expect(form.get_by_label("Type of price").locator("option:checked")).to_have_text("not declared (number)")
    form.get_by_label("Type of price").select_option("number")
    form.get_by_role("button", name="Declare another column").press("Enter")
    expect(form.get_by_label("Name of the column").last).to_be_focused()
    page.keyboard.type("season")
    form.get_by_label("Type of new column").select_option("list of text")
    form.get_by_role("button", name="Save").press("Enter")
    expect(page.locator(".toast")).to_have_text("The settings are saved.")
    assert declared(wares_address) == {"price": ["number"], "season": ["list of text"]}
    expect(form.get_by_label("Type of season")).to_have_value("list of text")
    expect(page.locator(".about tr", has_text="season")).to_contain_text("declared")
    form.get_by_label("Type of season").select_option("not declared (list of text)")
    form.get_by_role("button", name="Save").press("Enter")
    expect(form.get_by_label("Type of season")).to_have_count(0)
    assert declared(wares_address) == {"price": ["number"]}


def test_a_type_that_pictures_contradict_is_refused_with_the_first_of_them(
    visitor: Visitor, wares_address: str
) -> None:
    visitor.forgive_failures()
    before = declared(wares_address)
    page = visitor.open(PLACE, **PHONE)
    form = settings(page)
    form.get_by_label("Type of category").select_option("number")
    form.get_by_role("button", name="Save").press("Enter")
    expect(form.locator(".notice.problem")).to_contain_text("ware-00")
    expect(form.get_by_label("Type of category")).to_have_value("number")
    expect(form.get_by_role("button", name="Save")).to_be_focused()
    assert declared(wares_address) == before


def test_how_many_snapshots_stay_is_set(visitor: Visitor, wares_address: str) -> None:
    page = visitor.open(PLACE)
    form = settings(page)
    form.get_by_label("Snapshots kept").fill("7")
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_have_text("The settings are saved.")
    assert ask(wares_address, "/collections/wares")["keep"] == 7
    page.reload()
    expect(form.get_by_label("Snapshots kept")).to_have_value("7")
    form.get_by_role("button", name="Save").press("Enter")
    expect(page.locator(".toast")).to_have_text("Nothing was changed.")


def test_a_deleted_collection_is_brought_back(visitor: Visitor, wares_address: str) -> None:
    visitor.forgive_failures()
    page = visitor.open(PLACE)
    page.get_by_role("button", name="Delete …").press("Enter")
    expect(page.get_by_label("Type wares to go on")).to_be_focused()
    page.keyboard.type("wares")
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_have_text("The collection wares is out of service.")
    page.get_by_role("button", name="Restore a deleted one").press("Enter")
    dialog = page.get_by_role("dialog", name="Restore a collection")
    expect(dialog.get_by_label("Name")).to_have_value("wares")
    dialog.get_by_label("Name").fill("never-there")
    page.keyboard.press("Enter")
    expect(dialog.locator(".notice.problem")).to_contain_text("There is no such collection")
    dialog.get_by_label("Name").fill("wares")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#/collections\\?name=wares$"))
    expect(page.locator(".browser .card")).to_have_count(len(KEYS))
    assert httpx.get(f"{wares_address}collections/wares").json()["count"] == len(KEYS)
