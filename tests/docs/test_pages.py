"""The pages that the program writes are the ones that lie in docs/."""

from __future__ import annotations

import pytest

from tools.docs.library_pages import DOCS, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_written_page_is_current(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"
