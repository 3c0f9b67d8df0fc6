"""The pages that the program writes, and its parts of README, are the ones that lie here."""

from __future__ import annotations

import pytest

from tools.docs.library_pages import PAGES, REPOSITORY


@pytest.mark.parametrize("name", PAGES)
def test_a_written_page_is_current(name: str) -> None:
    assert (REPOSITORY / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"
