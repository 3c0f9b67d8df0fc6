"""Tiers of pairs of items, whose pictures are read on demand and cached."""

from __future__ import annotations

from collections.abc import Callable

from cachetools import LRUCache

from lookalike.catalogue.records import ItemDraft
from lookalike.errors import LookalikeError
from lookalike.images import decode
from lookalike.options import ImageLimits
from lookalike.tiers import PictureIdentity, Tier, identify_picture, tier_of

CACHE_SIZE = 4000
"""Greatest number of pixel fingerprints in the cache, 50 kB each."""


class Reader:
    """Determines tiers of pairs of items; an unreadable picture is reported once and then skipped.

    ``read`` returns the bytes at a location, up to a limit, as a source does; ``tell`` reports a warning.
    """

    def __init__(
        self,
        read: Callable[[str, int], bytes],
        limits: ImageLimits,
        tell: Callable[[str], None],
        *,
        cache_size: int = CACHE_SIZE,
    ) -> None:
        self._bytes, self._limits, self._tell = read, limits, tell
        self._pictures: LRUCache[str, PictureIdentity] = LRUCache(cache_size)
        self._tiers: dict[tuple[str, str], Tier] = {}
        self.unreadable: set[str] = set()

    def tier(self, first: ItemDraft, second: ItemDraft) -> Tier | None:
        """The closest tier of two items, never `similar`; None if one of them cannot be read."""
        if first.content_digest == second.content_digest:
            return Tier.SAME_BYTES
        pair = (min(first.key, second.key), max(first.key, second.key))
        if pair not in self._tiers:
            first_picture, second_picture = self._read(first), self._read(second)
            if first_picture is None or second_picture is None:
                return None
            self._tiers[pair] = tier_of(first_picture, second_picture, similar=False)
        return self._tiers[pair]

    def _read(self, item: ItemDraft) -> PictureIdentity | None:
        if item.key in self.unreadable:
            return None
        if (picture := self._pictures.get(item.key)) is not None:
            return picture
        try:
            data = self._bytes(item.location, self._limits.max_bytes)
            picture = identify_picture(data, decode(data, limits=self._limits, name=item.key).pixels)
        except LookalikeError as error:
            self.unreadable.add(item.key)
            self._tell(f"warning: {item.key} cannot be checked: {error.message}")
            return None
        self._pictures[item.key] = picture
        return picture
