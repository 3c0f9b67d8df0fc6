"""The files of exported pictures: copied or linked, and only while they are what was indexed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lookalike.catalogue.records import ItemRecord
from lookalike.errors import EntryMissingError, ImageError, LookalikeError, SourceError
from lookalike.images import decode, encode_png
from lookalike.options import ImageLimits

_EXTENSIONS = {
    "BMP": "bmp", "DIB": "dib", "GIF": "gif", "JPEG": "jpg", "JPEG2000": "jp2", "MPO": "jpg", "PCX": "pcx",
    "PNG": "png", "PPM": "ppm", "TGA": "tga", "TIFF": "tif", "WEBP": "webp",
}  # fmt: skip
"""By format, the ending of a file that every program with Pillow reads; pictures of others are written as PNG."""


@dataclass(frozen=True, slots=True)
class PictureFiles:
    """Where the pictures of a collection are: ``read`` gives the bytes of a location, ``path`` its absolute path."""

    read: Callable[[str, int], bytes]
    path: Callable[[ItemRecord], str]
    limits: ImageLimits


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A picture that could not be exported, and why."""

    key: str
    error: LookalikeError


@dataclass(slots=True)
class PictureWriter:
    """Writes pictures into a folder, a thousand in each of its subfolders.

    With ``hard_links`` a file is linked where its disk allows that, else copied. ``converted_count`` is how many were
    written as PNG.
    """

    files: PictureFiles
    folder: Path
    hard_links: bool
    count: int = 0
    converted_count: int = 0

    def write(self, item: ItemRecord) -> str | LookalikeError:
        """The path of the picture's file below the folder, or why there is none; raises OSError.

        A file that is no longer what was indexed is no picture of this item.
        """
        try:
            data = self.files.read(item.location, self.files.limits.max_bytes)
            if hashlib.sha256(data).hexdigest() != item.draft.content_digest:
                return EntryMissingError(
                    f"the file of {item.key} has changed since it was indexed: index the collection again, and export "
                    "it then",
                    subject=item.key,
                )
            extension = _EXTENSIONS.get(item.draft.format)
            content = data if extension is not None else self._convert(data, item.key)
        except (SourceError, ImageError) as error:
            return error
        name = f"{self.count // 1000:04d}/{self.count:08d}.{extension or 'png'}"
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if extension is None or not self.hard_links or not self._link(item, path):
            path.write_bytes(content)
        self.count += 1
        return name

    def _convert(self, data: bytes, key: str) -> bytes:
        pixels = decode(data, limits=self.files.limits, name=key).pixels
        self.converted_count += 1
        return encode_png(pixels)

    def _link(self, item: ItemRecord, path: Path) -> bool:
        """Whether there is a link now; not to a member of an archive, nor to a file on another disk."""
        try:
            os.link(Path(self.files.path(item)).resolve(), path)
        except OSError:
            return False
        return True
