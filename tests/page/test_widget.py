"""The widget on the page of a shop: what it shows, to whom, and what it does where there is nothing to show."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.conftest import REPOSITORY
from tests.page.shop import METADATA, Shop, ask
from tests.page.visitor import DESKTOP, PHONE, Visitor, answer_problem

POLICY = (
    "default-src 'none'; script-src 'self' 'nonce-shop'; style-src 'self'; img-src 'self' blob:; connect-src 'self'"
)
"""Stricter than most shops are: no style of an element, no script of a page."""
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>A mug</title>
<script nonce="shop">
  window.told = [];
  for (const name of ["results", "error", "click"])
    addEventListener(`lookalike-${name}`, (event) => {
      const { results, code, status, hit, href } = event.detail;
      told.push({ name, keys: results?.map((hit) => hit.key), code, status, key: hit?.key, href });
      if (window.stays) event.preventDefault();
    });
</script>
<script src="/widget.js" async></script>
BODY</html>"""
TALL = '<p>A mug.</p><svg width="1" height="5000"></svg>'
PLACE = "shop-page/mug.html"
ITEMS = "a[part=link], div[part=card]"


def element(**attributes: str) -> str:
    """The widget's tag; an underscore stands for a dash."""
    words = {"collection": "shop", "key": "plain-00", "label": "{key}"} | attributes
    quoted = " ".join(f'{name.replace("_", "-")}="{value.replace(chr(34), "&quot;")}"' for name, value in words.items())
    return f"<lookalike-similar {quoted}></lookalike-similar>"


def open_shop(visitor: Visitor, body: str, prepare: Callable[[Page], object] | None = None, **options: Any) -> Page:
    """The page of a shop, of the service's own origin, with the widget in it; ``prepare`` is called before it opens."""
    page = visitor.open("version", **options)
    if prepare is not None:
        prepare(page)
    headers = {"Content-Type": "text/html", "Content-Security-Policy": POLICY}
    html = PAGE.replace("BODY", body)
    page.route(f"{visitor.address}{PLACE}", lambda route: route.fulfill(body=html, headers=headers))
    page.goto(visitor.address + PLACE)
    return page


def told(page: Page, name: str) -> list[dict[str, Any]]:
    """The events of one name until now, once there is one."""
    page.wait_for_function("(name) => told.some((event) => event.name === name)", arg=name)
    events: list[dict[str, Any]] = page.evaluate("(name) => told.filter((event) => event.name === name)", name)
    return [{field: value for field, value in event.items() if value is not None} for event in events]


def encoded(key: str) -> str:
    """As a browser's encodeURIComponent."""
    return quote(key, safe="!'()*")


def wait_for_events(page: Page, count: int) -> None:
    """Return when there were so many events."""
    page.wait_for_function("(count) => told.length === count", arg=count)


def similar_keys(address: str, key: str, **parameters: str) -> list[str]:
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    return [hit["key"] for hit in ask(address, f"/collections/shop/items/{key}/similar?{query}")["results"]]


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_it_shows_what_is_most_alike_in_a_list_of_links(visitor: Visitor, size: dict[str, Any]) -> None:
    page = open_shop(visitor, element(k="4", href="/p/{key}", heading="More mugs"), **size)
    expected = similar_keys(visitor.address, "plain-00", k="4")
    expect(page.get_by_role("heading", name="More mugs")).to_be_visible()
    rows = page.get_by_role("list", name="More mugs").get_by_role("listitem")
    expect(rows).to_have_count(4)
    for row, key in zip(rows.all(), expected, strict=True):
        link = row.get_by_role("link", name=key, exact=True)
        expect(link).to_have_attribute("href", re.compile(re.escape(f"/p/{encoded(key)}") + "$"))
        image = row.get_by_role("img", name=key, exact=True)
        image.scroll_into_view_if_needed()
        expect(image).to_have_js_property("complete", True)
        assert image.evaluate("(image) => image.naturalWidth") > 0
    assert told(page, "results") == [{"name": "results", "keys": expected}]
    width = page.viewport_size["width"] if page.viewport_size else 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    left = {round(box["x"]) for row in rows.all() if (box := row.bounding_box()) is not None}
    assert len(left) == (2 if size is PHONE else 4), "two beside each other on a phone"


def test_nothing_moves_when_the_pictures_come(visitor: Visitor) -> None:
    waiting: list[Route] = []
    body = element(k="4") + "<p>Below</p>"

    def hold(page: Page) -> None:
        page.route("**/similar?*", lambda route: waiting.append(route))  # noqa: PLW0108  # playwright marks what it calls

    page = open_shop(visitor, body, hold)
    expect(page.locator("lookalike-similar [part~=skeleton]")).to_have_count(4)
    expect(page.get_by_role("listitem")).to_have_count(0)
    below = page.get_by_text("Below", exact=True)
    before = below.bounding_box()
    waiting[0].continue_()
    expect(page.get_by_role("img")).to_have_count(4)
    expect(page.get_by_role("img").last).to_have_js_property("complete", True)
    assert below.bounding_box() == before


def test_it_is_used_with_the_keyboard_alone(visitor: Visitor) -> None:
    page = open_shop(visitor, element(k="2", href="?chosen={key}"))
    told(page, "results")
    first, second = similar_keys(visitor.address, "plain-00", k="2")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name=first)).to_be_focused()
    outline = "(link) => [getComputedStyle(link).outlineStyle, getComputedStyle(link).outlineWidth]"
    assert page.get_by_role("link", name=first).evaluate(outline) == ["solid", "3px"]
    page.evaluate("window.stays = true")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    (click,) = told(page, "click")
    assert (click["key"], click["href"]) == (second, f"{visitor.address}{PLACE}?chosen={encoded(second)}")
    assert page.url == visitor.address + PLACE, "who prevents the event stays on the page"
    page.evaluate("window.stays = false")
    page.route("**/*chosen=*", lambda route: route.fulfill(body="<title>Chosen</title>", content_type="text/html"))
    page.keyboard.press("Enter")
    expect(page).to_have_title("Chosen")


def test_it_asks_for_what_its_attributes_say(visitor: Visitor) -> None:
    body = element(
        k="3", filter="price < 60", group_by="product_id", dedupe="", exclude_keys='["plain-01"]', min_score="-0.5"
    )
    asked: list[Request] = []

    def listen(page: Page) -> None:
        page.on("request", lambda request: asked.append(request))  # noqa: PLW0108  # playwright marks what it calls

    page = open_shop(visitor, body, listen)
    (results,) = told(page, "results")
    assert "plain-01" not in results["keys"]
    assert len(results["keys"]) == 3
    (url,) = [request.url for request in asked if "/similar?" in request.url]
    parameters = page.evaluate("(url) => Object.fromEntries(new URL(url).searchParams)", url)
    assert parameters == {
        "k": "3",
        "filter": "price < 60",
        "group_by": "product_id",
        "dedupe": "true",
        "exclude_keys": '["plain-01"]',
        "min_score": "-0.5",
    }


def test_a_key_with_strange_letters_is_asked_for_and_shown_as_it_is(visitor: Visitor, shop: Shop) -> None:
    page = open_shop(visitor, element(key="#hash?query=1", k="17", href="/p/{key}"))
    (results,) = told(page, "results")
    assert set(results["keys"]) == set(shop.keys) - {"#hash?query=1"}
    for key in ("shoes/red one.jpg", '"quoted" & <b>bold</b>', "100%25 üñí 靴"):
        link = page.get_by_role("link", name=key, exact=True)
        path = page.evaluate("(key) => new URL('/p/' + encodeURIComponent(key), location).href", key)
        expect(link).to_have_js_property("href", path)
        assert link.get_by_role("img").evaluate("async (image) => { await image.decode(); return image.naturalWidth }")


def test_no_value_of_an_item_becomes_html_or_a_script(visitor: Visitor) -> None:
    body = element(key="plain-02", k="17", label="{title}{note}{metadata.colour}", href="javascript:{key}")
    page = open_shop(visitor, body + element(key="plain-02", k="17", label="{title}", href="{note}"))
    wait_for_events(page, 2)
    expect(page.get_by_text(f"{METADATA['note']}{METADATA['colour']}").first).to_be_attached()
    expect(page.get_by_text("A first <i>title</i>").first).to_be_attached()
    made = "(widgets) => widgets.map((widget) => widget.shadowRoot.querySelectorAll('script, i, b').length)"
    assert page.locator("lookalike-similar").evaluate_all(made) == [0, 0]
    first = page.locator("lookalike-similar").first
    expect(first.get_by_role("link")).to_have_count(0)
    expect(first.locator("[part=card]")).to_have_count(17)
    expect(page).to_have_title("A mug")


@pytest.mark.parametrize(
    ("template", "href"),
    [
        ("{url}", "https://other.example/p?a=1&b=2"),
        ("/p/{url}", "ORIGIN/p/https%3A%2F%2Fother.example%2Fp%3Fa%3D1%26b%3D2"),
        ("p/{product_id}?from={key}", "ORIGIN/shop-page/p/a%20b?from=sku%2F1"),
        ("//cdn.example/{rank}", "http://cdn.example/1"),
        ("{script}", None),
        ("{missing}", None),
        ("/p/{missing}", None),
        ("/p/{dots}", None),
        ("", None),
    ],
)
def test_a_link_leads_where_its_template_says_or_nowhere(visitor: Visitor, template: str, href: str | None) -> None:
    metadata = {"url": "https://other.example/p?a=1&b=2", "script": " JavaScript:alert(1)", "dots": ".."}
    hit = {"rank": 1, "key": "sku/1", "title": None, "product_id": "a b", "score": 0.9, "metadata": metadata}

    def pretend(page: Page) -> None:
        page.route("**/similar?*", lambda route: route.fulfill(json={"results": [hit]}))
        page.route("**/thumbnail?*", lambda route: route.fulfill(body="", content_type="image/jpeg"))

    page = open_shop(visitor, element(href=template), pretend)
    card = page.locator(ITEMS)
    expect(card).to_have_count(1)
    expected = href and href.replace("ORIGIN", visitor.address.rstrip("/"))
    assert card.evaluate("(card) => card.href ?? null") == expected


def test_it_asks_nothing_until_it_comes_near_the_screen(visitor: Visitor) -> None:
    page = open_shop(visitor, TALL + element(k="2"))
    expect(page.locator("lookalike-similar [part~=skeleton]")).to_have_count(2)
    page.wait_for_timeout(300)
    assert page.evaluate("told.length") == 0
    page.locator("lookalike-similar").scroll_into_view_if_needed()
    assert len(told(page, "results")) == 1


def test_another_key_cancels_the_request_before_and_shows_its_own(visitor: Visitor) -> None:
    held: list[Route] = []
    failed: list[str] = []

    def hold(page: Page) -> None:
        page.on("requestfailed", lambda request: failed.append(request.url))
        page.route("**/plain-00/similar?*", lambda route: held.append(route))  # noqa: PLW0108  # as above

    page = open_shop(visitor, element(k="3"), hold)
    expect(page.locator("[part~=skeleton]")).to_have_count(3)
    for _ in range(100):
        if held:
            break
        page.wait_for_timeout(100)
    page.locator("lookalike-similar").evaluate(
        "(e) => { e.setAttribute('key', 'plain-05'); e.setAttribute('k', '2'); }"
    )
    expected = similar_keys(visitor.address, "plain-05", k="2")
    assert told(page, "results") == [{"name": "results", "keys": expected}]
    expect(page.get_by_role("listitem")).to_have_count(2)
    assert ["plain-00/similar" in url for url in failed] == [True]
    page.locator("lookalike-similar").evaluate("(e) => e.removeAttribute('key')")
    expect(page.locator("lookalike-similar")).to_be_hidden()
    page.locator("lookalike-similar").evaluate("(e) => e.remove()")
    assert page.evaluate("told.length") == 1


def test_where_there_is_nothing_to_show_nothing_is_shown(visitor: Visitor) -> None:
    visitor.forgive_failures()
    page = open_shop(visitor, element(key="nowhere"))
    assert told(page, "error") == [{"name": "error", "code": "item-not-found", "status": 404}]
    widget = page.locator("lookalike-similar")
    expect(widget).to_be_hidden()
    widget.evaluate("(e) => e.setAttribute('key', 'plain-00')")
    expect(page.get_by_role("listitem")).to_have_count(8)
    page.route("**/similar?*", lambda route: answer_problem(route, 503, "starting", "not yet", **{"Retry-After": "1"}))
    widget.evaluate("(e) => e.setAttribute('key', 'plain-01')")
    wait_for_events(page, 3)
    assert told(page, "error")[-1] == {"name": "error", "code": "starting", "status": 503}
    expect(widget).to_be_hidden()
    page.route("**/similar?*", lambda route: route.abort())
    widget.evaluate("(e) => e.setAttribute('key', 'plain-02')")
    wait_for_events(page, 4)
    assert told(page, "error")[-1] == {"name": "error", "code": "unreachable", "status": 0}
    page.route("**/similar?*", lambda route: route.fulfill(body="<h1>no JSON</h1>", content_type="text/html"))
    widget.evaluate("(e) => e.setAttribute('key', 'plain-03')")
    wait_for_events(page, 5)
    widget.evaluate("(e) => e.removeAttribute('collection')")
    wait_for_events(page, 6)
    assert told(page, "error")[-1] == {"name": "error", "code": "attribute-missing", "status": 0}
    page.unroute("**/similar?*")
    widget.evaluate("(e) => { e.setAttribute('collection', 'shop'); e.setAttribute('min-score', '1'); }")
    wait_for_events(page, 7)
    expect(widget).to_be_hidden()
    assert told(page, "results")[-1]["keys"] == []


def test_a_key_for_reading_is_sent_with_what_it_asks_and_with_its_pictures(visitor: Visitor) -> None:
    asked: list[Request] = []
    body = element(k="2", api_key="a-key-to-read-with")

    def listen(page: Page) -> None:
        page.on("request", lambda request: asked.append(request))  # noqa: PLW0108  # playwright marks what it calls

    page = open_shop(visitor, body, listen)
    told(page, "results")
    images = page.get_by_role("img")
    expect(images).to_have_count(2)
    for image in images.all():
        expect(image).to_have_attribute("src", re.compile("^blob:"))
        assert image.evaluate("async (image) => { await image.decode(); return image.naturalWidth }") > 0
    sent = [request for request in asked if "/collections/" in request.url]
    assert len(sent) == 3
    assert {request.all_headers().get("authorization") for request in sent} == {"Bearer a-key-to-read-with"}


def test_its_looks_are_the_shops(visitor: Visitor) -> None:
    page = open_shop(visitor, element(k="2"))
    told(page, "results")
    looks = """(widget) => {
      widget.style.setProperty("--lookalike-ratio", "2");
      widget.style.setProperty("--lookalike-gap", "40px");
      const [frame] = widget.shadowRoot.querySelectorAll("[part=frame]");
      const list = widget.shadowRoot.querySelector("[part=list]");
      return [frame.offsetWidth / frame.offsetHeight, getComputedStyle(list).rowGap];
    }"""
    ratio, gap = page.locator("lookalike-similar").evaluate(looks)
    assert (round(ratio, 1), gap) == (2.0, "40px")


def test_it_is_small() -> None:
    assert (REPOSITORY / "service/static/widget.js").stat().st_size < 10_240
