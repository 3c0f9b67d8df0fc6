"""docs/widget.md names what the widget has: its attributes, parts, custom properties and events, and no others."""

from __future__ import annotations

import re

from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "widget.md").read_text(encoding="utf-8")
WIDGET = (REPOSITORY / "service" / "static" / "widget.js").read_text(encoding="utf-8")


def test_the_table_has_every_attribute() -> None:
    lists = re.findall(r"const (?:OPTIONS|OTHERS) = \[(.*?)\]", WIDGET)
    attributes = {name for names in lists for name in re.findall(r'"([\w-]+)"', names)}
    rows = re.findall(r"(?m)^\| (`.*?) \|", PAGE)
    assert {name for row in rows for name in re.findall(r"`([\w-]+)`", row)} == attributes
    assert len(attributes) > 12


def test_the_page_has_every_part_property_and_event() -> None:
    parts = {name for names in re.findall(r'make\("\w+", "([\w ]+)"', WIDGET) for name in names.split()}
    (sentence,) = re.findall(r"Parts: (.*?)\. Font", PAGE, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", sentence)) == parts
    assert set(re.findall(r"--lookalike-\w+", PAGE)) == set(re.findall(r"--lookalike-\w+", WIDGET))
    assert set(re.findall(r"`(lookalike-\w+)`", PAGE)) == set(re.findall(r'#tell\("(lookalike-\w+)"', WIDGET))
