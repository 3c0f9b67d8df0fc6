"""Parts of a path, each decoded by itself: a key may contain slashes, which stand in the path as ``%2F``."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Path

from service.errors import PathNotFoundError

LONGEST_NAME = 1024
"""Characters of the longest possible name, a key."""


def decode_path_part(value: str) -> str:
    """A part of a path, decoded; raises PathNotFoundError for what cannot be a name."""
    try:
        text = unquote(value, errors="strict")
    except UnicodeDecodeError as error:
        raise PathNotFoundError("a part of this path is not UTF-8", subject="path") from error
    if len(text) > LONGEST_NAME:
        raise PathNotFoundError(f"a part of this path has more than {LONGEST_NAME} characters", subject="path")
    if "\0" in text:
        raise PathNotFoundError("a part of this path contains a NUL character, which no name has", subject="path")
    return text


async def collection_name(name: Annotated[str, Path(description="The collection's name.")]) -> str:
    """A collection's name from the path."""
    return decode_path_part(name)


async def item_key(key: Annotated[str, Path(description="The item's key, percent-encoded (`/` as `%2F`).")]) -> str:
    """An item's key from the path."""
    return decode_path_part(key)


Name = Annotated[str, Depends(collection_name)]
Key = Annotated[str, Depends(item_key)]
