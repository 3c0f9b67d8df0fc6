"""The map: what is where, lasso and groups select the right pictures, with a mouse, a finger and the keyboard."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import running_on
from tests.page.conftest import visiting
from tests.page.shop import ask, run_indexer, starting
from tests.page.test_looks import CONTRAST, SMALL_TARGETS, SPILLED
from tests.page.visitor import PHONE, Visitor, Windows
from tests.page.wares import CATEGORIES, KEYS, make_wares

PLACE = "#/map/wares?field=category"
MAP = ".map-canvas:visible"


@pytest.fixture(scope="module")
def map_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service over wares of its own with a map, and a collection without one."""
    folder = tmp_path_factory.mktemp("map") / "wares"
    with running_on():
        data = make_wares(folder)
        run_indexer("map", "-c", "wares", "--data", str(data))
        with starting(data, folder / "encoders") as service:
            yield service.ready()


@pytest.fixture
def visitor(windows: Windows, map_address: str) -> Iterator[Visitor]:
    """Somebody who visits that service."""
    yield from visiting(windows, map_address)


def open_map(visitor: Visitor, place: str = PLACE, **options: Any) -> Page:
    """The map, drawn."""
    page = visitor.open(place, **options)
    expect(page.locator(MAP)).to_have_attribute("data-frame-ms", re.compile(r"\d"))
    return page


def place_of(page: Page, address: str, key: str) -> tuple[float, float]:
    """Where an item is on the screen while all of the map is seen: 28 pixels are left around it."""
    answer = ask(address, "/collections/wares/map")
    number = answer["keys"].index(key)
    box = page.locator(MAP).bounding_box()
    assert box is not None
    side = min(box["width"], box["height"]) - 56
    x, y = answer["x"][number] / 65535, answer["y"][number] / 65535
    return (
        box["x"] + (box["width"] - side) / 2 + x * side,
        box["y"] + (box["height"] - side) / 2 + y * side,
    )


def lasso_around(page: Page, *corners: tuple[float, float]) -> None:
    """Draw a lasso with the mouse."""
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in (*corners[1:], corners[0]):
        page.mouse.move(*corner, steps=5)
    page.mouse.up()


def square(middle: tuple[float, float], half: float) -> list[tuple[float, float]]:
    x, y = middle
    return [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]


def selected_keys(page: Page, path: Path) -> list[str]:
    """What the export of keys has."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Export keys").click()
    download.value.save_as(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [row["key"] for row in csv.DictReader(file)]


def test_the_groups_have_their_counts_and_select_without_a_pointer(visitor: Visitor, tmp_path: Path) -> None:
    page = open_map(visitor)
    expect(page.locator(MAP)).to_have_attribute("aria-label", "Map of wares, 12 pictures")
    assert page.locator(".legend-row").evaluate_all("(rows) => rows.map((row) => row.ariaLabel)") == [
        "mug, 5 pictures",
        "tea pot, 4 pictures",
        "bowl, 3 pictures",
    ]
    page.get_by_role("button", name="tea pot, 4 pictures").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".selection-words")).to_have_text("4 pictures selected")
    expect(page.get_by_role("button", name="tea pot, 4 pictures")).to_have_attribute("aria-pressed", "true")
    wanted = [key for key, category in zip(KEYS, CATEGORIES, strict=True) if category == "tea pot"]
    assert selected_keys(page, tmp_path / "keys.csv") == wanted
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".selection-words")).to_contain_text("Nothing is selected")


def test_a_lasso_selects_what_is_inside_of_it(visitor: Visitor, map_address: str, tmp_path: Path) -> None:
    page = open_map(visitor)
    page.get_by_role("button", name="Lasso").click()
    middle = place_of(page, map_address, KEYS[3])
    box = page.locator(MAP).bounding_box()
    assert box is not None
    half = 40.0
    lasso_around(page, *square(middle, half))
    inside = [
        key
        for key in KEYS
        if all(abs(there - here) < half for there, here in zip(place_of(page, map_address, key), middle, strict=True))
    ]
    assert KEYS[3] in inside
    assert len(inside) < len(KEYS)
    assert selected_keys(page, tmp_path / "one.csv") == inside
    edge = 2.0
    lasso_around(
        page,
        (box["x"] + edge, box["y"] + edge),
        (box["x"] + box["width"] - edge, box["y"] + edge),
        (box["x"] + box["width"] - edge, box["y"] + box["height"] - edge),
        (box["x"] + edge, box["y"] + box["height"] - edge),
    )
    expect(page.locator(".selection-words")).to_have_text("12 pictures selected")
    assert selected_keys(page, tmp_path / "all.csv") == KEYS


def test_a_selection_is_shown_as_a_list_from_which_one_searches(visitor: Visitor) -> None:
    page = open_map(visitor)
    page.get_by_role("button", name="bowl, 3 pictures").click()
    page.get_by_role("button", name="Show as a list").click()
    cards = page.locator(".selection-list .card")
    expect(cards).to_have_count(3)
    assert cards.evaluate_all("(cards) => cards.map((card) => card.dataset.key)") == KEYS[-3:]
    cards.first.get_by_role("link").click()
    expect(page).to_have_url(re.compile(r"#/search\?collection=wares&key=ware-09"))


def test_the_keyboard_moves_the_map_and_opens_the_picture_in_the_middle(visitor: Visitor, map_address: str) -> None:
    page = open_map(visitor)
    canvas = page.locator(MAP)
    canvas.focus()
    box = canvas.bounding_box()
    assert box is not None
    x, y = place_of(page, map_address, KEYS[2])
    steps = (
        round((box["x"] + box["width"] / 2 - x) / 60),
        round((box["y"] + box["height"] / 2 - y) / 60),
    )
    for count, (key, opposite) in zip(steps, (("ArrowLeft", "ArrowRight"), ("ArrowUp", "ArrowDown")), strict=True):
        for _ in range(abs(count)):
            page.keyboard.press(key if count > 0 else opposite)
    middle = (box["x"] + box["width"] / 2 - 60 * steps[0], box["y"] + box["height"] / 2 - 60 * steps[1])
    nearest = min(KEYS, key=lambda key: distance_of(place_of(page, map_address, key), middle))
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text(nearest)
    page.keyboard.press("Escape")
    for key in "+++-0":
        page.keyboard.press(key)
    page.mouse.click(*place_of(page, map_address, KEYS[5]))
    expect(page.get_by_role("dialog")).to_contain_text(KEYS[5])


def distance_of(one: tuple[float, float], other: tuple[float, float]) -> float:
    return float(((one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2) ** 0.5)


def test_a_click_opens_the_picture_there(visitor: Visitor, map_address: str) -> None:
    page = open_map(visitor)
    page.mouse.click(*place_of(page, map_address, KEYS[7]))
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(KEYS[7])
    expect(dialog).to_contain_text("Ware 7")


def test_few_pictures_are_seen_as_pictures(visitor: Visitor) -> None:
    page = open_map(visitor)
    expect(page.locator(MAP)).to_have_attribute("data-tiles", re.compile(r"^[1-9]"))


def test_a_field_of_all_selected_pictures_is_set(visitor: Visitor, map_address: str) -> None:
    page = open_map(visitor, "#/map/wares?field=maker")
    page.get_by_label("Colour by").select_option("category")
    page.get_by_role("button", name="bowl, 3 pictures").click()
    page.get_by_role("button", name="Set a field").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Add a column").click()
    page.keyboard.type("shelf")
    dialog.locator(".meta-row").last.locator(".meta-value input").fill("top")
    dialog.get_by_role("button", name="Set", exact=True).click()
    expect(dialog).to_have_count(0)
    shelves = {key: ask(map_address, f"/collections/wares/items/{key}")["metadata"].get("shelf") for key in KEYS}
    assert shelves == {key: "top" if key in KEYS[-3:] else None for key in KEYS}
    expect(page.locator(".selection-words")).to_have_text("3 pictures selected")
    page.get_by_label("Colour by").select_option("shelf")
    expect(page.get_by_role("button", name="top, 3 pictures")).to_be_visible()
    expect(page.get_by_role("button", name="no value, 9 pictures")).to_be_visible()


def test_two_fingers_zoom_and_a_finger_draws_a_lasso(visitor: Visitor) -> None:
    page = open_map(visitor, **PHONE)
    page.get_by_role("button", name="Lasso").click()
    page.locator(MAP).evaluate(
        """(canvas) => {
          const { left, top, width, height } = canvas.getBoundingClientRect();
          canvas.setPointerCapture = () => {};
          const send = (type, id, x, y) => canvas.dispatchEvent(new PointerEvent(type, { bubbles: true, pointerId: id,
            pointerType: "touch", button: 0, clientX: left + x, clientY: top + y }));
          send("pointerdown", 1, 2, 2);
          for (const [x, y] of [[width - 2, 2], [width - 2, height - 2], [2, height - 2]]) send("pointermove", 1, x, y);
          send("pointerup", 1, 2, height - 2);
        }"""
    )
    expect(page.locator(".selection-words")).to_have_text("12 pictures selected")


def test_without_a_map_it_can_be_made_here(visitor: Visitor) -> None:
    visitor.forgive_failures()
    page = visitor.open("#/map/wares")
    page.route(
        "**/collections/wares/map?*",
        lambda route: route.fulfill(
            status=404,
            content_type="application/problem+json",
            body='{"status": 404, "code": "map-not-made", "detail": "no map", "errors": []}',
        ),
    )
    page.reload()
    expect(page.locator(".map .nothing").first).to_contain_text("wares has no map yet")
    expect(page.locator(".map .nothing code").first).to_have_text("python -m indexer map --collection wares")
    page.unroute("**/collections/wares/map?*")
    page.get_by_role("button", name="Make the map").click()
    expect(page.locator(MAP)).to_be_visible(timeout=60_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_the_screen_of_a_phone(visitor: Visitor, scheme: str) -> None:
    page = open_map(visitor, **PHONE, color_scheme=scheme)
    page.get_by_role("button", name="mug, 5 pictures").click()
    assert page.evaluate(SPILLED) == [0]
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate(SMALL_TARGETS) == []


def test_everything_on_the_map_has_a_name(visitor: Visitor) -> None:
    page = open_map(visitor)
    page.get_by_role("button", name="mug, 5 pictures").click()
    page.get_by_role("button", name="Show as a list").click()
    expect(page.locator(".selection-list .card")).to_have_count(5)
    tree = page.locator("body").aria_snapshot()
    assert re.findall(r"- (?:link|button|combobox|application)(?:$|:| \[)", tree, re.MULTILINE) == []
    assert 'application "Map of wares, 12 pictures"' in tree
