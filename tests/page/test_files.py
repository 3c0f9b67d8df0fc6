"""The files of the page: all of them named where they should be, small, and with nothing from anywhere else."""

from __future__ import annotations

import re

import pytest

from tests.conftest import REPOSITORY

STATIC = REPOSITORY / "service" / "static"
INDEX = (STATIC / "index.html").read_text(encoding="utf-8")
SOURCES = sorted(path for path in STATIC.rglob("*") if path.suffix in {".html", ".css", ".js", ".svg"})


def test_the_page_names_every_module_and_every_style_sheet_once() -> None:
    named = re.findall(r'(?:href|src)="static/((?:js|css)/[^"]+)"', INDEX)
    there = [path.relative_to(STATIC).as_posix() for folder in ("js", "css") for path in (STATIC / folder).rglob("*.*")]
    assert sorted(named) == sorted(there)


def test_nothing_in_the_page_needs_a_weaker_content_policy() -> None:
    assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:", INDEX) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(STATIC).as_posix())
def test_a_file_is_small_and_asks_nobody_else(path: object) -> None:
    text = (STATIC / str(path)).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    assert set(re.findall(r"(?:https?:)?//[\w-]+(?:\.[\w-]+)+[^\s\"')]*", text)) <= {"http://www.w3.org/2000/svg"}


def test_every_icon_that_is_used_is_drawn() -> None:
    drawn = set(re.findall(r'id="icon-([\w-]+)"', (STATIC / "icons.svg").read_text(encoding="utf-8")))
    code = "".join(path.read_text(encoding="utf-8") for path in (STATIC / "js").rglob("*.js"))
    used = set(re.findall(r'(?:icon\(|symbol: |icker\([\w.]+, |vote\(|step\("\w+", )"([\w-]+)"', code)) | {"mark"}
    views = {"search", "compare", "collections", "duplicates", "map"}
    used |= {"move", "lasso"}  # of the map, by the mode
    assert used | views == drawn
