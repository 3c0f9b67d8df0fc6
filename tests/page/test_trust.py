"""What the page says to make its answers trusted: copies, confidence, why, and what a threshold was fitted to."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Locator, Page, Route, expect

from tests.page.shop import Shop, ask
from tests.page.visitor import Visitor, cards, drop, first_card, jpeg

PAIR = "#/compare?collection=shop&a=plain-03&b=plain-08"
OPAQUE = """(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const covers = data.filter((_, at) => at % 4 === 3);
  return [canvas.width, canvas.height, Math.min(...covers), Math.max(...covers)];
}"""

LAID_OVER = """(canvas) => {
  const [one, other] = [canvas, canvas.parentElement.querySelector("img")].map((each) => each.getBoundingClientRect());
  return ["x", "y", "width", "height"].every((name) => Math.abs(one[name] - other[name]) < 1);
}"""


def opacity(maps: Locator) -> list[str]:
    found: list[str] = maps.evaluate_all("(maps) => maps.map((map) => getComputedStyle(map).opacity)")
    return found


def test_who_looks_for_copies_sees_which_results_are_some(visitor: Visitor, shop: Shop) -> None:
    page = visitor.open("#/search?collection=shop")
    drop(page, jpeg(shop.pictures["plain-05"]))
    expect(first_card(page, "plain-05").locator(".verdict")).to_have_text("similar")
    page.get_by_role("checkbox", name="Look for copies").press("Space")
    expect(first_card(page, "plain-05").locator(".verdict")).to_have_text("same file")
    expect(cards(page).filter(has_text="plain-08").locator(".verdict")).to_have_text(re.compile("similar|different"))
    expect(page.locator(".results-head")).to_contain_text("look for copies")
    expect(page).to_have_url(re.compile("copies=1"))


def test_a_pair_is_explained_under_its_heat_maps(visitor: Visitor, address: str) -> None:
    fields = {"image_a": "plain-03", "image_b": "plain-08", "collection": "shop", "explain": "true"}
    expected = ask(address, "/compare", fields)
    page = visitor.open(PAIR)
    page.get_by_role("button", name="Why?").press("Enter")
    why = page.locator(".why")
    expect(why.get_by_role("heading")).to_be_focused()
    expect(why).to_be_in_viewport()
    expect(why.locator(".stage .loaded")).to_have_count(2)
    maps = why.get_by_role("img", name="under its heat map")
    expect(maps).to_have_count(2)
    for canvas in maps.all():
        width, height, least, most = canvas.evaluate(OPAQUE)
        assert (width, height) == (36, 36)
        assert most > least
        assert canvas.evaluate(LAID_OVER), "the map lies on all of the picture and on nothing else"
    rows = dict(
        why.locator("tbody tr").evaluate_all(
            "(rows) => rows.map((row) => [row.cells[0].textContent, row.lastChild.textContent])"
        )
    )
    names = ["texture and edges", "patterns", "parts", "objects"]
    assert list(rows)[:4] == names
    for name, part in zip(names, expected["parts"], strict=False):
        assert float(rows[name]) == round(part["share"], 3)
    assert float(rows["Score"]) == round(expected["score"], 3)
    assert opacity(maps) == ["0.85", "0.85"]
    why.get_by_role("slider", name="Heat map").press("Home")
    assert opacity(maps) == ["0", "0"]
    expect(why.locator("output")).to_have_text("0 %")
    page.get_by_role("button", name="Remove the first picture").click()
    expect(why).to_be_hidden()


def test_a_result_is_explained_against_the_query(visitor: Visitor, shop: Shop) -> None:
    page = visitor.open("#/search?collection=shop")
    drop(page, jpeg(shop.pictures["plain-05"]))
    first_card(page, "plain-05").get_by_role("button", name="Why is it alike: plain-05").click()
    expect(page.locator(".why canvas")).to_have_count(2)
    expect(page.get_by_role("img", name="First picture: mine.jpg, under its heat map")).to_be_visible()
    expect(page.locator(".answer")).to_contain_text("They are the same file.")
    page.go_back()
    first_card(page, "plain-05")


def test_what_is_calibrated_is_told_in_words_and_per_cent(visitor: Visitor, address: str) -> None:
    def calibrated(route: Route) -> None:
        answer: dict[str, Any] = route.fetch().json()
        answer["threshold"] |= {"value": 0.61, "source": "calibrated on collection shop (precision 0.99)"}
        answer["threshold"] |= {"precision": 0.93, "recall": 0.0152}
        for number, hit in enumerate(answer.get("results", [answer])):
            hit["confidence"] = (0.9996, 0.874, 0.0001)[min(number, 2)]
        if "calibration" in answer:
            answer["calibration"] = {"precision": 0.993, "recall": 0.72, "positives": 300, "negatives": 1200}
        route.fulfill(json=answer)

    page = visitor.open()
    for path in ("**/search", "**/compare", "**/collections/shop"):
        page.route(path, calibrated)
    page.goto(f"{visitor.address}#/search?collection=shop&key=plain-01&k=3")
    expect(cards(page).locator(".sure")).to_have_text(["> 99 %", "87 %", "< 1 %"])
    expect(page.locator(".options")).to_contain_text("calibrated on this collection, precision 0.99")
    meaning = "of all pairs that reach it 93 % show the same thing, and it is reached by 1.5 % of all pairs that do"
    expect(page.locator(".options")).to_contain_text(f"It is strict: {meaning}")
    expect(page.locator(".results")).to_contain_text("of the pairs with that score so many show the same thing")
    page.goto(visitor.address + PAIR)
    expect(page.locator(".answer")).to_contain_text("> 99 % of pairs with this score show the same thing")
    _says(page, ".answer", "0.61 (calibrated on this collection, precision 0.99)")
    page.goto(f"{visitor.address}#/collections?name=shop&part=about")
    _says(page, ".about", "precision 0.99, recall 0.72, from 1,500 pairs (300 of the same thing)")


def test_why_there_is_no_confidence_is_told(visitor: Visitor, address: str) -> None:
    def copied(route: Route) -> None:
        answer: dict[str, Any] = route.fetch().json()
        answer |= {"confidence": None, "confidence_problem": "decided on pixels, whatever the score is"}
        route.fulfill(json=answer)

    page = visitor.open()
    page.route("**/compare", copied)
    page.goto(visitor.address + PAIR)
    expect(page.locator(".answer")).to_contain_text("decided on pixels, whatever the score is")


def test_a_long_key_on_a_card_keeps_its_end(visitor: Visitor) -> None:
    keys = ("shop/2024/autumn/collection/of/shoes/for/rain/red-boot-0017.jpg", "0123456789" * 6 + "-last")

    def renamed(route: Route) -> None:
        answer: dict[str, Any] = route.fetch().json()
        for hit, key in zip(answer["results"], keys, strict=False):
            hit |= {"key": key, "title": None}
        route.fulfill(json=answer)

    page = visitor.open()
    page.route("**/search", renamed)
    page.goto(f"{visitor.address}#/search?collection=shop&key=plain-01&k=2")
    expect(page.locator(".card-name")).to_have_text([f"…{keys[0][-43:]}", f"{keys[1][:22]}…{keys[1][-21:]}"])


def _says(page: Page, where: str, words: str) -> None:
    expect(page.locator(where)).to_contain_text(words)
