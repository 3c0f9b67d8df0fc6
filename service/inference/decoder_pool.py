"""Thread pools for pictures: one decodes queries, another one draws thumbnails, so that they do not delay queries."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from cachetools import LRUCache

from lookalike.copies import is_plain_picture
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
    """A picture in the form that an encoder takes, its upright size before it was cropped, and its file's format.

    ``is_plain`` says that the part to search is of one colour.
    ``fingerprint`` identifies copies of it, if requested; ``fingerprint_ms`` is the time that it took in milliseconds.
    """

    pixels: RGB
    width: int
    height: int
    is_plain: bool = False
    format: str = ""
    fingerprint: PictureIdentity | None = None
    fingerprint_ms: float = 0.0


def _fit(encoders: Sequence[ImageEncoder], box: Box) -> int | None:
    """The minimum length in pixels of the decoded shorter side: the box then has as many as each encoder takes."""
    sides = [encoder.spec.decode_side for encoder in encoders]
    limits = [side for side in sides if side is not None]
    if len(limits) < len(sides):
        return None
    return math.ceil(max(limits) / max(min(box[2] - box[0], box[3] - box[1]), 1e-6))


class DecoderPool:
    """The thread pools for pictures. A cancelled caller leaves the queue."""

    def __init__(self, decoders: int, limits: ImageLimits) -> None:
        """``decoders`` is the number of threads, and so the maximum number of decoded pictures in memory."""
        self.limits = limits
        self._decoder_threads = ThreadPoolExecutor(decoders, thread_name_prefix="decode")
        self._thumbnail_threads = ThreadPoolExecutor(1, thread_name_prefix="thumbnail")
        self._thumbnails: LRUCache[tuple[str, int], bytes] = LRUCache(THUMBNAIL_MEMORY, getsizeof=len)

    async def prepare(
        self,
        upload: Upload,
        encoders: Sequence[ImageEncoder],
        box: Box = WHOLE_PICTURE,
        *,
        with_fingerprint: bool = False,
    ) -> list[PreparedPicture]:
        """Decode and crop one picture, and resize it for each encoder: it is decoded for the one that needs most.

        ``with_fingerprint`` makes the fingerprint of the cropped part too. Raises a leaf of ImageError with the
        upload's name.
        """

        def work() -> list[PreparedPicture]:
            data, name = upload.read(), upload.name
            picture = decode(data, limits=self.limits, name=name, fit=_fit(encoders, box))
            part = crop(picture.pixels, box)
            squares = [encoder.prepare(part) for encoder in encoders]
            is_plain = is_plain_picture(part)
            fingerprint, fingerprint_ms = None, 0.0
            if with_fingerprint:
                begin = time.perf_counter()
                is_full = picture.is_full_resolution
                full_resolution = picture if is_full else decode(data, limits=self.limits, name=name)
                # A part of a picture has no file: only by its pixels can it be the same as another picture.
                fingerprint = identify_picture(data if box == WHOLE_PICTURE else b"", crop(full_resolution.pixels, box))
                fingerprint_ms = (time.perf_counter() - begin) * 1000
            return [
                PreparedPicture(
                    square, picture.width, picture.height, is_plain, picture.format, fingerprint, fingerprint_ms
                )
                for square in squares
            ]

        return await self._run(self._decoder_threads, work)

    async def read(self, source: Source, location: str, max_bytes: int) -> bytes:
        """The file of an indexed item; raises a leaf of SourceError or ImageTooLargeError."""
        return await self._run(self._thumbnail_threads, lambda: source.read(location, max_bytes))

    async def thumbnail(self, source: Source, location: str, digest: str, side: int, limits: ImageLimits) -> bytes:
        """The thumbnail (JPEG) of an indexed item, at most ``side`` pixels wide and high; from the cache if it has it.

        ``limits`` are its collection's, which may be larger than those for queries. Raises leaves of SourceError and
        of ImageError.
        """
        key = (digest, side)
        if (jpeg := self._thumbnails.get(key)) is not None:
            return jpeg

        def work() -> bytes:
            data = source.read(location, limits.max_bytes)
            return thumbnail(decode(data, limits=limits, name=location, fit=side).pixels, side)

        jpeg = self._thumbnails[key] = await self._run(self._thumbnail_threads, work)
        return jpeg

    def close(self) -> None:
        """End the threads."""
        self._decoder_threads.shutdown(wait=True, cancel_futures=True)
        self._thumbnail_threads.shutdown(wait=True, cancel_futures=True)

    async def _run(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, work)
