"""Pixel fingerprints of indexed pictures, and the check for copies, in a thread pool of their own: no query waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from cachetools import LRUCache

from lookalike.catalogue.records import ItemDraft
from lookalike.images import decode
from lookalike.options import ImageLimits
from lookalike.sources.base import Source
from lookalike.tiers import PictureIdentity, TierVerdict, identify_picture, judge_tier
from service.errors import ItemChangedError

T = TypeVar("T")
CACHE_BYTES = 128 << 20
"""Maximum size of the cached fingerprints of indexed pictures, up to 1.5 MB each."""


class CopyChecker:
    """Fingerprints of indexed pictures; for the event loop's thread only, and a cancelled caller leaves the queue."""

    def __init__(self, threads: int) -> None:
        """``threads`` is the maximum number of files that are in memory, with their pixels, at the same time."""
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="fingerprint")
        self._fingerprints: LRUCache[str, PictureIdentity] = LRUCache(
            CACHE_BYTES, getsizeof=lambda picture: picture.fingerprint.nbytes
        )

    async def fingerprint_item(self, source: Source, draft: ItemDraft, limits: ImageLimits) -> PictureIdentity:
        """The fingerprint of an indexed picture, read from its ``source``; ``limits`` are its collection's.

        Raises leaves of SourceError and ImageError, and ItemChangedError if the file has changed since it was indexed.
        """
        if (fingerprint := self._fingerprints.get(draft.content_digest)) is not None:
            return fingerprint

        def work() -> PictureIdentity:
            data = source.read(draft.location, limits.max_bytes)
            return identify_picture(data, decode(data, limits=limits, name=draft.key).pixels)

        fingerprint = await self._run(work)
        check_unchanged(fingerprint, draft)
        self._fingerprints[draft.content_digest] = fingerprint
        return fingerprint

    async def find_tier(self, first: PictureIdentity, second: PictureIdentity, *, similar: bool) -> TierVerdict:
        """The closest tier that holds; ``similar`` is whether the score reaches the threshold."""
        return await self._run(lambda: judge_tier(first, second, similar=similar))

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def check_unchanged(picture: PictureIdentity, draft: ItemDraft) -> None:
    """Raise ItemChangedError unless the picture has the digest of the file that was indexed."""
    if picture.content_digest != draft.content_digest:
        raise ItemChangedError(
            f"the file of {draft.key!r} is no longer the one that was indexed; index the collection again",
            subject=draft.key,
        )
