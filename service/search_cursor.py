"""Cursors of searches: opaque text that says where a page begins, in which state of a collection, of which query."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, NoReturn, Self

import numpy as np
from pydantic import Field, TypeAdapter

from lookalike.index.base import Vectors
from service.errors import CursorOutdatedError, FieldInvalidError
from service.http.cursor_text import decode_cursor, encode_cursor

_FirstK = Annotated[int, Field(ge=1, le=1000)]
_Start = Annotated[int, Field(ge=1, lt=1 << 40)]
_Signature = Annotated[str, Field(pattern="^([0-9a-f]{2})*$")]
_Change = Annotated[int, Field(ge=0, lt=1 << 62)]
_SEARCH = TypeAdapter(tuple[int, _Change, _FirstK, _Start, str, _Signature])
_MERGED = TypeAdapter(tuple[str, _FirstK, _Start, str, _Signature])
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


def _check_search(expected: tuple[str, str], actual: tuple[str, str]) -> None:
    """Compare a cursor's query and signature with those of a search; raises FieldInvalidError."""
    if expected[0] != actual[0] or not _is_same_picture(expected[1], actual[1]):
        raise FieldInvalidError(
            "the cursor belongs to another search: send it with the same picture or key, filter and options",
            subject=_SUBJECT,
        )


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
        return encode_cursor(self.generation, self.change, self.first_k, self.start, self.query, self.signature)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The cursor that was sent; raises FieldInvalidError for a text that is none."""
        return cls(*decode_cursor(text, _SEARCH))

    def refuse(self, generation: int) -> NoReturn:
        """Raise CursorOutdatedError: the state of the collection that it belongs to is no longer there."""
        raise CursorOutdatedError(
            f"the cursor belongs to snapshot {self.generation} with change {self.change}, which can no longer be "
            f"searched; snapshot {generation} is current: start again without a cursor",
            subject=_SUBJECT,
        )

    def check(self, query: str, signature: str) -> None:
        """Raise FieldInvalidError for another search."""
        _check_search((self.query, self.signature), (query, signature))

    @property
    def cache_key(self) -> str:
        """Equal for all pages of a search."""
        return f"{self.change}.{self.first_k}.{self.query}.{self.signature}"


@dataclass(frozen=True, slots=True)
class MergedCursor:
    """The same for a search in several collections; ``state`` is a digest of their snapshots and changes."""

    state: str
    first_k: int
    start: int
    query: str
    signature: str

    def __str__(self) -> str:
        return encode_cursor(self.state, self.first_k, self.start, self.query, self.signature)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The cursor that was sent; raises FieldInvalidError for a text that is none."""
        return cls(*decode_cursor(text, _MERGED))

    def check(self, state: str, query: str, signature: str) -> None:
        """Raise FieldInvalidError for another search, CursorOutdatedError for another state of the collections."""
        _check_search((self.query, self.signature), (query, signature))
        if self.state != state:
            raise CursorOutdatedError(
                "the cursor belongs to another state of the collections: one of them has a new snapshot or a change; "
                "start again without a cursor",
                subject=_SUBJECT,
            )

    @property
    def cache_key(self) -> str:
        """Equal for all pages of a search."""
        return f"merged.{self.state}.{self.first_k}.{self.query}.{self.signature}"
