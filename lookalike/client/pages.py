"""What all pages of lists have in common."""

from __future__ import annotations

from typing import Protocol


class Page(Protocol):
    """An answer that another of its kind may follow."""

    @property
    def next_cursor(self) -> str | None:
        """To be sent for the next page; None on the last."""
        ...
