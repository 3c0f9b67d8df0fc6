"""What the ways to fetch weights have in common: what they report, what they give, and how they find a full disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Report = Callable[[int, int | None], None]
"""Called with the bytes that have arrived and the bytes in all, None while nobody said how many."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A downloaded file, where it came from, and what its SHA-256 must begin with (empty: nobody said)."""

    path: Path
    source: str
    revision: str | None
    digest_start: str


def full_disk(error: Exception) -> OSError | None:
    """The system's own error if it is that no room is left; other programs have it in their words only."""
    for code in NO_ROOM:
        words = os.strerror(code)
        if error.errno == code if isinstance(error, OSError) else words in str(error):
            return OSError(code, words)
    return None
