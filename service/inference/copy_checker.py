"""What is kept of pictures to tell copies, and the check itself, in threads that stand in no query's way."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from lookalike.catalogue.records import ItemDraft
from lookalike.images import decode
from lookalike.options import ImageLimits
from lookalike.sources.base import Source
from lookalike.tiers import Pictured, Tier, pictured, tier_of
from service.errors import ItemChangedError

T = TypeVar("T")
KEPT = 400
"""How many looks of indexed pictures stay in memory: about 20 MB."""


class Looks:
    """Looks of indexed pictures; methods belong to the event loop's thread, and who is cancelled leaves the queue."""

    def __init__(self, threads: int, jpeg2000_pixels: int) -> None:
        """``threads`` bounds how many files and their pixels are in memory at once.

        ``jpeg2000_pixels`` is the most for a picture in JPEG 2000, whose decoder stops all other threads.
        """
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="look")
        self._jpeg2000_pixels = jpeg2000_pixels
        self._kept: OrderedDict[str, Pictured] = OrderedDict()

    async def of_item(self, source: Source, draft: ItemDraft, limits: ImageLimits) -> Pictured:
        """The look of an indexed picture, read from its ``source``; ``limits`` are its collection's.

        Raises leaves of SourceError and ImageError, and ItemChangedError where the file is another one by now.
        """
        if (ready := self._kept.get(draft.content_digest)) is not None:
            self._kept.move_to_end(draft.content_digest)
            return ready
        limits = replace(limits, max_jpeg2000_pixels=min(limits.max_jpeg2000_pixels, self._jpeg2000_pixels))

        def work() -> Pictured:
            data = source.read(draft.location, limits.max_bytes)
            return pictured(data, decode(data, limits=limits, name=draft.key).pixels)

        found = await self._run(work)
        check_unchanged(found, draft)
        self._kept[draft.content_digest] = found
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found

    async def tier(self, first: Pictured, second: Pictured, *, similar: bool) -> Tier:
        """The closest tier that holds; ``similar`` is whether the score reaches the threshold."""
        return await self._run(lambda: tier_of(first, second, similar=similar))

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def check_unchanged(found: Pictured, draft: ItemDraft) -> None:
    """Raise ItemChangedError unless this look is of the file that was indexed."""
    if found.content_digest != draft.content_digest:
        raise ItemChangedError(
            f"the file of {draft.key!r} is no longer the one that was indexed; index the collection again",
            subject=draft.key,
        )
