"""Thread pools for pictures: one decodes queries, another one draws thumbnails, so that they do not delay queries."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from cachetools import LRUCache

from lookalike.encoder.base import RGB, ImageEncoder
from lookalike.images import decode, thumbnail
from lookalike.options import MEBIBYTE, ImageLimits
from lookalike.sources.base import Source
from lookalike.tiers import PictureIdentity, identify_picture
from service.box import WHOLE_PICTURE, Box, crop
from service.http.body import Upload

T = TypeVar("T")
THUMBNAIL_MEMORY = 64 * MEBIBYTE


@dataclass(frozen=True, slots=True, eq=False)
class PreparedPicture:
    """A picture in the form that an encoder takes, and its upright size before it was cropped.

    ``fingerprint`` is what tells copies of it, if requested, and ``fingerprint_ms`` the milliseconds that it took.
    """

    pixels: RGB
    width: int
    height: int
    fingerprint: PictureIdentity | None = None
    fingerprint_ms: float = 0.0


def _fit(encoder: ImageEncoder, box: Box) -> int | None:
    """How many pixels the shorter side must keep, so that the part in the box is as fine as a whole picture is."""
    side = encoder.spec.decode_side
    return None if side is None else math.ceil(side / max(min(box[2] - box[0], box[3] - box[1]), 1e-6))


class DecoderPool:
    """The thread pools for pictures. A caller that is cancelled leaves the queue before its thread starts."""

    def __init__(self, decoders: int, limits: ImageLimits) -> None:
        """``decoders`` is the number of threads, and so of pictures whose pixels are in memory at once."""
        self.limits = limits
        self._decoders = ThreadPoolExecutor(decoders, thread_name_prefix="decode")
        self._drawers = ThreadPoolExecutor(1, thread_name_prefix="thumbnail")
        self._thumbnails: LRUCache[tuple[str, int], bytes] = LRUCache(THUMBNAIL_MEMORY, getsizeof=len)

    async def prepare(
        self, upload: Upload, encoder: ImageEncoder, box: Box = WHOLE_PICTURE, *, with_fingerprint: bool = False
    ) -> PreparedPicture:
        """Decode, cut and resize one picture, and with ``with_fingerprint`` keep what tells copies of that part.

        Raises a leaf of ImageError that calls it as the upload is called.
        """

        def work() -> PreparedPicture:
            data, name = upload.read(), upload.name
            picture = decode(data, limits=self.limits, name=name, fit=_fit(encoder, box))
            prepared = encoder.prepare(crop(picture.pixels, box))
            if not with_fingerprint:
                return PreparedPicture(prepared, picture.width, picture.height)
            begin = time.perf_counter()
            whole = picture if picture.is_full_resolution else decode(data, limits=self.limits, name=name)
            # A part of a picture is no file: only by its pixels can it be the same as another picture.
            fingerprint = identify_picture(data if box == WHOLE_PICTURE else b"", crop(whole.pixels, box))
            took = (time.perf_counter() - begin) * 1000
            return PreparedPicture(prepared, picture.width, picture.height, fingerprint, took)

        return await self._run(self._decoders, work)

    async def read(self, source: Source, location: str, max_bytes: int) -> bytes:
        """The file of an indexed item; raises a leaf of SourceError or ImageTooLargeError."""
        return await self._run(self._drawers, lambda: source.read(location, max_bytes))

    async def thumbnail(self, source: Source, location: str, digest: str, side: int, limits: ImageLimits) -> bytes:
        """The JPEG of an indexed item fitted into a square; from memory if it was drawn a while ago.

        ``limits`` are its collection's, which may be wider than those for queries. Raises leaves of SourceError and
        of ImageError.
        """
        key = (digest, side)
        if (jpeg := self._thumbnails.get(key)) is not None:
            return jpeg

        def work() -> bytes:
            data = source.read(location, limits.max_bytes)
            return thumbnail(decode(data, limits=limits, name=location).pixels, side)

        jpeg = self._thumbnails[key] = await self._run(self._drawers, work)
        return jpeg

    def close(self) -> None:
        """End the threads."""
        self._decoders.shutdown(wait=True, cancel_futures=True)
        self._drawers.shutdown(wait=True, cancel_futures=True)

    async def _run(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, work)
