"""Searching with the page: giving a picture, narrowing it, and going on from what was found."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote_plus

from playwright.sync_api import Page, Route, expect

from tests.page.shop import HARD, METADATA, OTHERS, PLAIN, Shop, as_tiff, ask, seed_of, side_by_side, threshold_words
from tests.page.visitor import PHONE, Visitor, cards, drop, first_card, jpeg, paste, shown_keys

START = "#/search?collection=shop"


def from_key(key: str, **params: str) -> str:
    return "#/search?" + "&".join(
        f"{name}={value}" for name, value in {"collection": "shop", "key": key, **params}.items()
    )


def test_a_dropped_picture_finds_itself_first(visitor: Visitor, shop: Shop, address: str) -> None:
    page = visitor.open(START)
    drop(page, jpeg(shop.pictures["plain-05"]))
    card = first_card(page, "plain-05")
    expect(card.locator(".number")).to_have_text("1.000")
    expect(card.locator(".verdict")).to_have_text("similar")
    expect(page.locator(".query-name")).to_have_text("mine.jpg")
    expect(page.locator(".query")).to_contain_text("160 × 120 pixels")
    expect(page.locator(".results-head")).to_contain_text("in all: decode")
    expect(page.locator(".options")).to_contain_text(threshold_words(address, "shop"))


def test_a_pasted_picture_is_searched(visitor: Visitor, shop: Shop) -> None:
    page = visitor.open(START)
    expect(page.locator(".dropzone")).to_be_visible()
    paste(page, jpeg(shop.pictures["plain-07"], "image.png"))
    first_card(page, "plain-07")


def test_a_file_that_is_no_picture_is_named_and_not_sent(visitor: Visitor) -> None:
    page = visitor.open(START)
    drop(page, ("notes.txt", "text/plain", b"words"))
    expect(page.locator(".toast")).to_have_text("notes.txt is not a picture.")
    expect(page.locator(".dropzone")).to_be_visible()


def test_a_picture_that_the_browser_cannot_draw_is_searched_all_the_same(visitor: Visitor) -> None:
    page = visitor.open(START)
    drop(page, ("scan.tif", "image/tiff", as_tiff(4)))
    first_card(page, "plain-04")
    expect(page.locator(".preview")).to_contain_text("Your browser cannot show this kind of picture")


def test_a_click_on_a_result_searches_from_it_and_back_returns(visitor: Visitor, shop: Shop) -> None:
    page = visitor.open(START)
    drop(page, jpeg(shop.pictures["plain-05"]))
    first_card(page, "plain-05").locator("a").click()
    expect(page.locator(".query-name")).to_have_text("plain-05")
    expect(page.locator(".results .card")).to_have_count(len(shop.keys) - 1)
    assert "plain-05" not in shown_keys(page)
    page.go_back()
    expect(page.locator(".query-name")).to_have_text("mine.jpg")
    first_card(page, "plain-05")


def test_a_box_drawn_on_one_half_finds_what_is_in_that_half(visitor: Visitor) -> None:
    page = visitor.open(START)
    drop(page, ("both.png", "image/png", side_by_side(seed_of("plain-03"), seed_of("plain-08"))))
    cards(page).first.wait_for()
    _drag(page, (0.0, 0.0), (0.5, 1.0))
    first_card(page, "plain-03")
    page.keyboard.press("Escape")
    expect(page.locator(".crop")).to_be_hidden()
    expect(page).not_to_have_url(re.compile("box="))
    _drag(page, (1.0, 1.0), (0.5, 0.0))
    first_card(page, "plain-08")


def _drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """From one place to another, as fractions of the picture; a little inside its edges."""
    bounds = page.locator(".stage").bounding_box()
    assert bounds is not None
    for number, (x, y) in enumerate((start, end)):
        across = bounds["x"] + min(max(x * bounds["width"], 1), bounds["width"] - 1)
        down = bounds["y"] + min(max(y * bounds["height"], 1), bounds["height"] - 1)
        page.mouse.move(across, down, steps=4)
        page.mouse.down() if number == 0 else page.mouse.up()


def test_the_box_obeys_the_keyboard(visitor: Visitor) -> None:
    page = visitor.open(from_key("plain-02"))
    page.get_by_role("button", name="Search a part").press("Enter")
    expect(page).to_have_url(re.compile("box=0.2%2C0.2%2C0.8%2C0.8"))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    expect(page).to_have_url(re.compile("box=0.22%2C0.2%2C0.82%2C0.82"))
    expect(page.get_by_role("application")).to_have_accessible_name(
        "Part to search: from the left 22 %, from the top 20 %, 60 % wide, 62 % high"
    )
    page.keyboard.press("Escape")
    expect(page).not_to_have_url(re.compile("box="))


def test_the_box_obeys_a_finger(visitor: Visitor) -> None:
    page = visitor.open(from_key("plain-02", box="0.2,0.2,0.8,0.8"), **PHONE)
    handle = page.locator(".handle.se")
    handle.scroll_into_view_if_needed()
    expect(page.locator(".stage .loaded")).to_be_visible()
    grip, stage = handle.bounding_box(), page.locator(".stage").bounding_box()
    assert grip is not None
    assert stage is not None
    x, y = grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2
    touch = page.context.new_cdp_session(page)
    there = {"x": x - 0.3 * stage["width"], "y": y}
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [there]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(page).to_have_url(re.compile(r"box=0\.2%2C0\.2%2C0\.(49|50?)\d*%2C0\.8(&|$)"))


def test_the_slider_says_when_nothing_is_left(visitor: Visitor, address: str) -> None:
    best = ask(address, "/search", {"key": "plain-01", "collection": "shop"})["best_score"]
    page = visitor.open(from_key("plain-01"))
    cards(page).first.wait_for()
    page.get_by_label("Hide scores below").fill("0.99")
    expect(page.locator(".results")).to_contain_text(f"Nothing above 0.99; the best is {best:.2f}.")
    expect(cards(page)).to_have_count(0)
    page.get_by_role("button", name="Show all").click()
    expect(cards(page)).to_have_count(len(PLAIN + HARD) - 1)


def test_a_link_reproduces_the_view(visitor: Visitor, address: str) -> None:
    box = "0.1,0.1,0.9,0.8"
    fields = {"key": "plain-01", "collection": "shop", "k": "7", "box": box}
    scores = {row["key"]: row["score"] for row in ask(address, "/search", fields)["results"]}
    minimum = sorted(scores.values())[3]
    page = visitor.open(from_key("plain-01", k="7", min=f"{minimum:.2f}", box=box))
    cards(page).first.wait_for()
    assert shown_keys(page) == [key for key, score in scores.items() if score >= float(f"{minimum:.2f}")]
    expect(page.get_by_role("spinbutton", name="Results")).to_have_value("7")
    expect(page.get_by_label("Collection")).to_have_value("shop")
    expect(page.locator(".options output")).to_have_text(f"{minimum:.2f}")
    expect(page.locator(".crop")).to_be_visible()
    expect(page.locator(".query-name")).to_have_text("Second title")


def test_the_link_of_an_own_picture_says_that_the_picture_is_not_in_it(visitor: Visitor, shop: Shop) -> None:
    page = visitor.open(START, permissions=["clipboard-read", "clipboard-write"])
    drop(page, jpeg(shop.pictures["plain-05"]))
    first_card(page, "plain-05")
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator(".toast")).to_have_text("The link is copied. Your picture itself is not in it.")
    page.reload()
    expect(page.locator(".notice:visible")).to_contain_text("Pictures are not kept: please give it again.")


def test_fewer_and_more_results_than_there_are(visitor: Visitor, shop: Shop) -> None:
    page = visitor.open(from_key("plain-01"))
    expect(page.locator(".end")).to_have_text(f"That is all there is: {len(shop.keys) - 1} pictures.")
    page.get_by_role("spinbutton", name="Results").fill("3")
    page.keyboard.press("Enter")
    expect(cards(page)).to_have_count(3)
    expect(page.locator(".end")).to_have_text("")


def test_hard_keys_are_words_and_never_markup(visitor: Visitor) -> None:
    page = visitor.open(from_key("plain-02"))
    cards(page).first.wait_for()
    assert set(HARD) <= set(shown_keys(page))
    expect(page.locator(".card b, .card i, .card script")).to_have_count(0)
    expect(page.locator(".card-name", has_text="A first <i>title</i>")).to_be_visible()
    for key in HARD:
        page.locator(f".card a[href*='key={_in_address(key)}']").click()
        expect(page.locator(".query-name")).to_have_text(key)
        expect(page.locator(".query .frame")).to_have_class("frame loaded")
        page.go_back()
        expect(page.locator(".query-name")).to_have_text("plain-02")
    assert page.title() == "Like plain-02 – lookalike"


def _in_address(key: str) -> str:
    return quote_plus(key).replace("'", "%27")


def test_details_show_the_metadata(visitor: Visitor) -> None:
    page = visitor.open(from_key("plain-02"))
    page.get_by_role("button", name="Details of plain-05").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(str(METADATA["note"]))
    expect(dialog).to_contain_text("160 × 120")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_in_another_collection_the_picture_itself_is_searched(visitor: Visitor) -> None:
    page = visitor.open(from_key("plain-02"))
    cards(page).first.wait_for()
    page.get_by_label("Collection").select_option("other")
    expect(cards(page)).to_have_count(len(OTHERS))
    assert set(shown_keys(page)) == set(OTHERS)
    expect(page.locator(".query-name")).to_have_text("plain-02")


def test_a_newer_picture_cancels_the_older_search(visitor: Visitor, shop: Shop) -> None:
    page = visitor.open(START)
    expect(page.locator(".dropzone")).to_be_visible()
    held: list[Route] = []
    failed: list[Any] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.on("requestfailed", lambda request: failed.append(request.failure))
    page.route("**/search", hold, times=1)
    with page.expect_request("**/search"):
        drop(page, jpeg(shop.pictures["plain-05"], "older.jpg"))
    expect(page.locator(".query-name")).to_have_text("older.jpg")
    with page.expect_event("requestfailed"):
        drop(page, jpeg(shop.pictures["plain-07"], "newer.jpg"))
    first_card(page, "plain-07")
    assert len(held) == 1
    assert failed == ["net::ERR_ABORTED"]


def test_a_picture_dropped_at_once_goes_to_the_collection_of_the_link(visitor: Visitor, shop: Shop) -> None:
    page = visitor.open("#/compare")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/collections", hold)
    page.goto(visitor.address + START)
    drop(page, jpeg(shop.pictures["plain-05"]))
    expect(page).to_have_url(re.compile(r"collection=shop&k=20$"))
    assert held
    page.unroute("**/collections")  # lets go of what was held
    first_card(page, "plain-05")


def test_the_keyboard_alone_is_enough(visitor: Visitor, shop: Shop, tmp_path: Any) -> None:
    mine = tmp_path / "mine.jpg"
    mine.write_bytes(shop.pictures["plain-05"])
    page = visitor.open(START)
    # From the start: a chooser that opens before Playwright has begun to listen is lost.
    page.on("filechooser", lambda chooser: chooser.set_files(mine))
    expect(page.locator(".dropzone")).to_be_visible()
    _tab_to(page, "document.activeElement.type === 'file'")
    page.keyboard.press("Enter")
    first_card(page, "plain-05")
    _tab_to(page, "document.activeElement.matches('.card a')")
    page.keyboard.press("Enter")
    expect(page.locator(".query-name")).to_have_text("plain-05")
    expect(page.locator(".results h2")).to_be_focused()


def _tab_to(page: Page, there: str) -> None:
    for _ in range(25):
        page.keyboard.press("Tab")
        if page.evaluate(there):
            return
    raise AssertionError(f"the Tab key does not lead to where {there}")
