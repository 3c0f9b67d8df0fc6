"""What the ways to fetch weights have in common: the progress callback and the fetched file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Report = Callable[[int, int | None], None]
"""Called with the bytes that have arrived and the bytes in all, None while nobody said how many."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A downloaded file, where it came from, and what its SHA-256 must begin with (empty: nobody said)."""

    path: Path
    source: str
    revision: str | None
    digest_start: str
