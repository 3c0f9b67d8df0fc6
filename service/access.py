"""Which collections a request may use: those that its API key names, all of them without keys.

The middleware sets it for every request before a route is looked up, and whoever opens a collection asks for it
(``service.snapshots``), so that no route has to think of it. Work in the background may use all collections.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Self

from lookalike.collection.layout import NAME
from service.errors import ForbiddenError

_PREFIX = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_ANY_REST = "*"
_SEPARATOR = "+"
_MAX_SHOWN = 80


@dataclass(frozen=True, slots=True)
class CollectionAccess:
    """Names of collections, and beginnings of names as ``shop-*``; None for all collections."""

    patterns: tuple[str, ...] | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Patterns with ``+`` between them; raises ValueError."""
        patterns = tuple(dict.fromkeys(text.split(_SEPARATOR)))
        for pattern in patterns:
            form = _PREFIX if pattern.endswith(_ANY_REST) else NAME
            if form.fullmatch(pattern.removesuffix(_ANY_REST)) is None:
                raise ValueError(
                    f"{pattern[:_MAX_SHOWN]!r} is neither a collection's name nor the beginning of one and *"
                )
        return cls(patterns)

    @property
    def is_limited(self) -> bool:
        """Whether there may be collections that it does not cover."""
        return self.patterns is not None

    def covers(self, name: str) -> bool:
        """Whether a collection of this name may be used, if there is one."""
        if self.patterns is None:
            return True
        return any(
            name.startswith(pattern[:-1]) if pattern.endswith(_ANY_REST) else name == pattern
            for pattern in self.patterns
        )

    def require(self, name: str) -> None:
        """Raise ForbiddenError unless a collection of this name may be used.

        The name alone decides, before anything is looked up: the refusal does not tell whether there is such a
        collection.
        """
        if not self.covers(name):
            raise ForbiddenError(
                f"this API key is for {', '.join(self.patterns or ()) or 'no collection'}, not for the collection "
                f"{name[:_MAX_SHOWN]!r}",
                subject="collection",
            )


ALL_COLLECTIONS = CollectionAccess()
NO_COLLECTION = CollectionAccess(())
current_access: ContextVar[CollectionAccess] = ContextVar("collection_access", default=ALL_COLLECTIONS)
"""What the request that is being answered may use."""
