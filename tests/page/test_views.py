"""Comparing two pictures, and looking through the collections."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Page, Route, expect

from tests.page.shop import HARD, PLAIN, Shop, ask, threshold_words
from tests.page.visitor import Visitor, cards, drop, first_card, jpeg, paste

FIRST, SECOND = ".zone >> nth=0", ".zone >> nth=1"


def test_two_copies_are_similar_and_two_others_are_not(visitor: Visitor, shop: Shop, address: str) -> None:
    page = visitor.open("#/compare")
    drop(page, jpeg(shop.pictures["plain-03"]), on=FIRST)
    drop(page, jpeg(shop.pictures["plain-03"]), on=SECOND)
    expect(page.locator(".answer-word")).to_have_text("Yes")
    answer = page.locator(".answer")
    expect(answer).to_contain_text("Score1.000")
    expect(answer).to_contain_text("Normalised score1.000")
    expect(answer).to_contain_text("They are the same file.")
    expect(answer).to_contain_text(threshold_words(address, "shop"))
    size = ask(address, "/collections/shop")["encoder"]["input_size"]
    expect(answer).to_contain_text(f"bundled-int8, {size} pixels")
    expect(answer).to_contain_text("ms in all")
    drop(page, jpeg(shop.pictures["plain-08"]), on=SECOND)
    page.get_by_label("Threshold").fill("0.99")
    page.keyboard.press("Enter")
    expect(answer).to_contain_text("0.99 (given)")
    fields = {"image_a": "plain-03", "image_b": "plain-08", "collection": "shop", "threshold": "0.99"}
    is_likely = ask(address, "/compare", fields)["confidence"] >= 0.5
    expect(page.locator(".answer-word")).to_have_text("Perhaps" if is_likely else "No")
    expect(answer).to_contain_text("show the same thing." if is_likely else "They are different.")


@pytest.mark.parametrize(("confidence", "word"), [(0.5, "Perhaps"), (0.49, "No"), (None, "No")])
def test_below_the_threshold_the_answer_is_perhaps_where_half_of_such_pairs_show_the_same_thing(
    visitor: Visitor, shop: Shop, confidence: float | None, word: str
) -> None:
    page = visitor.open("#/compare")

    def answer(route: Route) -> None:
        response = route.fetch()
        route.fulfill(
            response=response, json=response.json() | {"confidence": confidence, "confidence_problem": "none"}
        )

    page.route("**/compare", answer)
    drop(page, jpeg(shop.pictures["plain-03"]), on=FIRST)
    drop(page, jpeg(shop.pictures["plain-08"]), on=SECOND)
    expect(page.locator(".answer-word")).to_have_text(word)


def test_where_two_copies_differ_is_drawn_over_both(visitor: Visitor, shop: Shop) -> None:
    original = Image.open(io.BytesIO(shop.pictures["plain-03"])).convert("RGB")
    changed = original.copy()
    width, height = changed.size
    changed.paste((255, 0, 0), (width // 2, height // 2, width // 2 + width // 16, height // 2 + height // 16))
    file = io.BytesIO()
    changed.save(file, "PNG")
    page = visitor.open("#/compare")
    drop(page, jpeg(shop.pictures["plain-03"]), on=FIRST)
    drop(page, jpeg(file.getvalue(), "changed.png"), on=SECOND)
    expect(page.locator(".answer")).to_contain_text("Keep both: they differ in 1 place.")
    for zone in (FIRST, SECOND):
        mark, image = page.locator(zone).locator(".differs"), page.locator(zone).locator(".zone-view img")
        expect(mark).to_have_count(1)
        box, frame = mark.bounding_box(), image.bounding_box()
        assert box is not None
        assert frame is not None
        assert abs((box["x"] + box["width"] / 2 - frame["x"]) / frame["width"] - 17 / 32) < 0.05
        assert abs((box["y"] + box["height"] / 2 - frame["y"]) / frame["height"] - 17 / 32) < 0.05
    page.get_by_role("button", name="Remove the second picture").click()
    expect(page.locator(".differs")).to_have_count(0)


def test_pictures_are_pasted_where_the_focus_is_and_chosen_by_button(visitor: Visitor, shop: Shop) -> None:
    page = visitor.open("#/compare")
    page.locator(SECOND).focus()
    paste(page, jpeg(shop.pictures["plain-03"], "pasted.png"))
    expect(page.locator(SECOND)).to_contain_text("pasted.png")
    mine: FilePayload = {"name": "chosen.jpg", "mimeType": "image/jpeg", "buffer": shop.pictures["plain-03"]}
    page.locator(FIRST).locator("input[type=file]").first.set_input_files(mine)
    expect(page.locator(".answer-word")).to_have_text("Yes")
    page.get_by_role("button", name="Remove the first picture").click()
    expect(page.locator(".answer-slot")).to_have_text("The answer appears here once there are two pictures.")


def test_two_files_dropped_together_fill_both_places(visitor: Visitor, shop: Shop) -> None:
    page = visitor.open("#/compare")
    drop(page, jpeg(shop.pictures["plain-03"], "one.jpg"), jpeg(shop.pictures["plain-08"], "two.jpg"))
    expect(page.locator(FIRST)).to_contain_text("one.jpg")
    expect(page.locator(SECOND)).to_contain_text("two.jpg")
    expect(page.locator(".answer-word")).to_be_visible()


def test_a_result_is_compared_with_the_query(visitor: Visitor, shop: Shop) -> None:
    page = visitor.open("#/search?collection=shop")
    drop(page, jpeg(shop.pictures["plain-05"]))
    first_card(page, "plain-05").get_by_role("button", name="Compare").click()
    expect(page.locator(FIRST)).to_contain_text("mine.jpg")
    expect(page.locator(SECOND)).to_contain_text("plain-05")
    expect(page.locator(".answer-word")).to_have_text("Yes")
    page.go_back()
    first_card(page, "plain-05")


def test_every_installed_encoder_is_tried_and_a_failure_stays_in_its_row(visitor: Visitor, address: str) -> None:
    known = ask(address, "/encoders")
    before, after, *others = [each for each in known["encoders"] if not each["installed"]]
    (works,) = [each for each in known["encoders"] if each["name"] == "bundled-int8"]
    assert others
    # Without the other one in the box: the service would first have to export it, which takes seconds.
    known["encoders"] = [before | {"installed": True}, works, after | {"installed": True}, *others]
    visitor.forgive_failures()
    page = visitor.open()
    page.route("**/encoders", lambda route: route.fulfill(json=known))
    page.goto(f"{visitor.address}#/compare?collection=shop&a=plain-01&b=plain-02")
    page.get_by_role("button", name="Try all installed encoders").click()
    rows = page.locator(".trial tbody tr")
    expect(rows.locator("th")).to_have_text([before["name"], "bundled-int8", after["name"]])
    good = rows.nth(1)
    expect(good.locator(".verdict")).to_be_visible()
    expect(good).to_contain_text(f"{ask(address, '/collections/shop')['encoder']['input_size']} px")
    for bad in (rows.first, rows.last):
        expect(bad.locator(".failed")).to_contain_text("not installed")


def test_the_collections_say_what_they_are(visitor: Visitor, address: str) -> None:
    about = ask(address, "/collections/shop")
    page = visitor.open("#/collections")
    card = page.locator(".shelf-card", has_text="shop")
    expect(card).to_contain_text(f"{len(PLAIN + HARD)} pictures")
    expect(card).to_contain_text("bundled-int8")
    expect(card).to_contain_text(f"{about['recall']['value']:.3f} of the true first {about['recall']['k']} found")
    expect(card).to_contain_text(f"{about['threshold']['value']:.2f} normalised ({threshold_words(address, 'shop')})")
    if about["calibration"] is None:
        expect(card).to_contain_text("not calibrated: python -m indexer calibrate --collection shop")
    expect(card.locator(".covers .loaded").first).to_be_visible()
    card.get_by_role("link", name="Open shop").click()
    expect(page.locator(".browser .card")).to_have_count(len(PLAIN + HARD))
    page.get_by_role("link", name="About").click()
    encoder = about["encoder"]
    expect(page.locator(".about")).to_contain_text(
        f"bundled-int8: {encoder['backbone']}, {encoder['fusion']}, {encoder['input_size']} pixels"
    )
    page.get_by_role("link", name="Pictures").click()
    page.get_by_role("link", name="Search from plain-04").click()
    expect(page.locator(".query-name")).to_have_text("plain-04")
    cards(page).first.wait_for()


def test_a_collection_is_browsed_page_by_page(visitor: Visitor) -> None:
    page = visitor.open()
    page.route("**/items?limit=60*", lambda route: _smaller(route, 8))
    page.goto(f"{visitor.address}#/collections?name=shop")
    seen = page.locator(".browser .card")
    expect(seen).to_have_count(8)
    _load_more(page)
    expect(seen).to_have_count(16)
    _load_more(page)
    expect(seen).to_have_count(len(PLAIN + HARD))
    expect(page.get_by_role("button", name="Load more")).to_be_hidden()
    expect(page.locator(".browser .end")).to_have_text(f"All {len(PLAIN + HARD)} pictures are shown.")
    assert seen.evaluate_all("(cards) => new Set(cards.map((card) => card.dataset.key)).size") == len(PLAIN + HARD)


def _smaller(route: Route, limit: int) -> None:
    route.continue_(url=route.request.url.replace("limit=60", f"limit={limit}"))


def _load_more(page: Page) -> None:
    page.get_by_role("button", name="Load more").click()
