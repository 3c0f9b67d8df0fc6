"""What the page looks like: it fits, it can be read, it can be touched, and everything has a name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.page.visitor import DESKTOP, PHONE, Visitor

SMALL = {**PHONE, "viewport": {"width": 360, "height": 740}}
LOOKS: dict[str, dict[str, Any]] = {
    "desktop, light": {**DESKTOP, "color_scheme": "light"},
    "phone, dark": {**PHONE, "color_scheme": "dark"},
    "small phone, light": {**SMALL, "color_scheme": "light"},
}
PLACES = {
    "#/search?collection=shop": ".strip .loaded",
    "#/search?collection=shop&key=plain-02&box=0.2,0.2,0.8,0.8&copies=1": ".columns:has(.card) .crop",
    "#/search?collection=shop&key=plain-02&min=1": ".results .notice",
    '#/search?collection=shop&key=plain-02&group=colour&filter={"price":{"gte":1}}': ".filter-text code:visible",
    "#/search?collection=shop&key=nothing": ".notice.problem",
    "#/compare": ".waiting",
    "#/compare?collection=shop&a=plain-02&b=shoes%2Fred+one.jpg&why=1": ".why .stage",
    "#/collections": ".covers .loaded",
    "#/collections?name=shop": ".browser .card",
    '#/collections?name=shop&filter={"price":{"lte":20},"colour":{"in":["%3D1%2B1"]}}': ".browser .card",
    "#/collections?name=shop&part=add": ".add .dropzone",
    "#/collections?name=shop&part=about": ".chart",
    "#/collections?name=shop&part=snapshots": ".snapshot-table",
    "#/collections?name=shop&part=jobs": ".job-form",
    "#/search?collection=shop&also=other&key=plain-02": ".card-origin",
    "#/duplicates/shop": ".nothing .command:visible",
    "#/map/shop": ".nothing .command:visible",
}

# Contrast as WCAG 2 defines it, for each piece of text against the nearest colour behind it.
CONTRAST = """() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const weak = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
    if (element.closest(".visually-hidden, :disabled")) continue;
    const [one, other] = [light(channels(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) weak.push(`${walker.currentNode.data.trim()}: ${ratio.toFixed(2)}`);
  }
  return weak;
}"""

SMALL_TARGETS = """() => [...document.querySelectorAll("a, button, select, label.button, input:not([type=file])")]
  .filter((element) => element.checkVisibility() && !element.classList.contains("skip"))
  .filter((element) => !element.closest(".choice, .mode"))
  .map((element) => [element, element.getBoundingClientRect()])
  .filter(([, { height }]) => height < 43.5)
  .map(([element, { width, height }]) => `${element.tagName} ${element.textContent} ${width} × ${height}`)"""

# What scrolls by itself may be wider than the screen.
SPILLED = """() => { const SCROLLED = ".visually-hidden, .stage, svg, .disclosures, .table-scroll, .parts-nav";
  return [document.documentElement.scrollWidth - innerWidth,
  ...[...document.querySelectorAll("main *, header *, footer *")]
    .filter((element) => element.checkVisibility() && !element.closest(SCROLLED))
    .filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5)
    .map((element) => `${element.tagName}.${element.className}`)]; }"""


def walk(visitor: Visitor, **options: Any) -> Iterator[tuple[str, Page]]:
    """Each place in turn, once what it shows is there."""
    visitor.forgive_failures()
    page = visitor.open("#/compare", reduced_motion="reduce", **options)
    for place, sign in PLACES.items():
        page.goto(visitor.address + place)
        expect(page.locator(sign).first).to_be_visible()
        expect(page.locator(".stale")).to_have_count(0)
        yield place, page


@pytest.mark.parametrize("look", LOOKS)
def test_the_page_fits_the_screen_and_its_text_stands_out(visitor: Visitor, look: str) -> None:
    for place, page in walk(visitor, **LOOKS[look]):
        assert page.evaluate(SPILLED) == [0], place
        assert page.evaluate(CONTRAST) == [], place


def test_the_schemes_differ(visitor: Visitor) -> None:
    paper = {}
    for scheme in ("light", "dark"):
        page = visitor.open("#/compare", color_scheme=scheme)
        paper[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(246, 246, 243)", "dark": "rgb(22, 24, 27)"}


def test_fingers_hit_what_they_aim_at(visitor: Visitor) -> None:
    for place, page in walk(visitor, **SMALL):
        assert page.evaluate(SMALL_TARGETS) == [], place


def test_a_photo_is_taken_with_the_camera_of_a_phone(visitor: Visitor) -> None:
    page = visitor.open("#/search?collection=shop", **PHONE)
    expect(page.get_by_text("Take a photo").first).to_be_visible()
    expect(page.locator(".start input[capture=environment]")).to_have_count(1)


def test_everything_that_can_be_used_has_a_name(visitor: Visitor) -> None:
    for place, page in walk(visitor):
        tree = page.locator("body").aria_snapshot()
        nameless = re.findall(
            r"- (?:link|button|combobox|spinbutton|slider|application)(?:$|:| \[)", tree, re.MULTILINE
        )
        assert nameless == [], place
        assert page.locator("img:not([alt])").count() == 0, place
        assert page.locator("h1:visible, h2:visible, h3:visible").count() > 0, place


def test_the_footer_leads_to_the_api_and_names_the_version(visitor: Visitor) -> None:
    page = visitor.open("#/compare")
    expect(page.locator("footer")).to_contain_text("lookalike 0.")
    expect(page.get_by_role("link", name="API reference")).to_have_attribute("href", "docs")
