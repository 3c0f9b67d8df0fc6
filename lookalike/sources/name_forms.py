"""Names of files in either Unicode form: ``é`` may be one character, or an ``e`` and a combining accent.

macOS stores the second on some disks, spreadsheets write the first, and to look at both are the same.
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path


class NameForms:
    """Finds files below ``root`` whose names are those of a path in another form; folders are listed once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._listings: dict[str, dict[str, str]] = {}

    def locate(self, location: str) -> str | None:
        """The path below the root that exists and is ``location`` in another form; None without one.

        ``location`` is relative with ``/`` and has no part ``..``.
        """
        if location.isascii():
            return None
        path = ""
        for part in location.split("/"):
            name = part
            if not os.path.lexists(self._root / path / part):
                name = self._listing(path).get(unicodedata.normalize("NFC", part), "")
            if not name:
                return None
            path = f"{path}/{name}" if path else name
        return path

    def _listing(self, folder: str) -> dict[str, str]:
        """The names in a folder by their composed form; none where it cannot be listed."""
        listing = self._listings.get(folder)
        if listing is None:
            try:
                names = sorted(path.name for path in (self._root / folder).iterdir())
            except OSError:
                names = []
            listing = self._listings[folder] = {unicodedata.normalize("NFC", name): name for name in names}
        return listing
