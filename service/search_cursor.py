"""Cursors of searches: opaque text that says where a page begins, in which state of a collection, of which query."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from hashlib import blake2b
from typing import Self

import numpy as np

from lookalike.index.base import Vectors
from service.errors import FieldInvalidError

_SUBJECT = "cursor"
_SIGNATURE_NUMBERS = 16
_SIGNATURE_SCALE = 1000.0
_SIGNATURE_TOLERANCE = 2
"""Of numbers of about 40: a picture that is encoded again differs by less than one, another picture by many."""


def query_digest(query: str) -> str:
    """A digest of a query's key or part and its options."""
    return blake2b(query.encode(errors="surrogatepass"), digest_size=9).hexdigest()


def sign_vectors(vectors: Vectors) -> str:
    """A signature of (m, D) query vectors, by which another picture is recognised: numbers of their mean, rounded."""
    # In Python: so few numbers take half as long as in numpy.
    rows = vectors[:, :_SIGNATURE_NUMBERS].tolist()
    means = (sum(column) / len(column) for column in zip(*rows, strict=True))
    return bytes(round(max(-127.0, min(127.0, mean * _SIGNATURE_SCALE))) & 255 for mean in means).hex()


def _is_same_picture(signature: str, other: str) -> bool:
    first, second = (np.frombuffer(bytes.fromhex(text), np.int8).astype(np.int16) for text in (signature, other))
    return len(first) == len(second) and bool((np.abs(first - second) <= _SIGNATURE_TOLERANCE).all())


@dataclass(frozen=True, slots=True)
class SearchCursor:
    """A page begins at group ``start`` of a search whose first page had ``first_k`` groups.

    ``generation`` and ``change`` are of the collection's state, ``query`` and ``signature`` of the search.
    """

    generation: int
    change: int
    first_k: int
    start: int
    query: str
    signature: str

    def __str__(self) -> str:
        text = f"{self.generation}.{self.change}.{self.first_k}.{self.start}.{self.query}.{self.signature}"
        return base64.urlsafe_b64encode(text.encode("ascii")).decode("ascii").rstrip("=")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The cursor that was sent; raises FieldInvalidError for a text that is none."""
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            words = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii").split(".")
            *numbers, query, signature = words
            generation, change, first_k, start = (int(word) for word in numbers)
            bytes.fromhex(signature)
        except (ValueError, binascii.Error) as error:
            raise FieldInvalidError("the cursor is invalid: send next_cursor unchanged", subject=_SUBJECT) from error
        if not (0 < first_k <= 1000 and 0 < start < 1 << 40):
            raise FieldInvalidError("the cursor is invalid: send next_cursor unchanged", subject=_SUBJECT)
        return cls(generation, change, first_k, start, query, signature)

    def check(self, generation: int, change: int, query: str, signature: str) -> None:
        """Raise FieldInvalidError unless the cursor is of this state of the collection and of this search."""
        if (self.generation, self.change) != (generation, change):
            raise FieldInvalidError(
                f"the cursor belongs to snapshot {self.generation} with change {self.change}, but snapshot "
                f"{generation} with change {change} is current: start again without a cursor",
                subject=_SUBJECT,
            )
        if self.query != query or not _is_same_picture(self.signature, signature):
            raise FieldInvalidError(
                "the cursor belongs to another search: send it with the same picture or key, filter and options",
                subject=_SUBJECT,
            )

    @property
    def cache_key(self) -> str:
        """Equal for all pages of a search."""
        return f"{self.change}.{self.first_k}.{self.query}.{self.signature}"
