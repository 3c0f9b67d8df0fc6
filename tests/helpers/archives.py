"""Zip files for tests: of pictures, and of files that are none."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

from lookalike.images import encode_jpeg
from lookalike.testing import make_picture


def zip_of(files: Mapping[str, bytes]) -> bytes:
    """A zip with these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def picture_files(count: int, *, start: int = 0, folder: str = "") -> dict[str, bytes]:
    """So many different pictures by name."""
    numbers = range(start, start + count)
    return {f"{folder}{number:03d}.jpg": encode_jpeg(make_picture(number, size=(96, 72)), 90) for number in numbers}
