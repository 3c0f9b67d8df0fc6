"""What both ways to download weights share: the progress callback and the downloaded file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Report = Callable[[int, int | None], None]
"""Called with the bytes received and the bytes in all, None while the length is unknown."""


@dataclass(frozen=True, slots=True)
class DownloadedFile:
    """A downloaded file, its source, and how its SHA-256 must begin (empty if the publisher does not say)."""

    path: Path
    source: str
    revision: str | None
    digest_start: str
