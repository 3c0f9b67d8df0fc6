"""The store of sent pictures: each once, and removed when no item has it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from lookalike.collection.picture_store import PictureStore, is_stored
from lookalike.errors import EntryMissingError, ImageTooLargeError

SIZE_AND_FORMAT = (4, 3, "PNG")


def test_a_picture_is_stored_once_and_read_again(tmp_path: Path) -> None:
    store = PictureStore(tmp_path)
    draft = store.put("a", b"picture", SIZE_AND_FORMAT)
    assert (draft.key, draft.byte_size, draft.width, draft.height, draft.format) == ("a", 7, 4, 3, "PNG")
    assert is_stored(draft.location)
    assert store.put("b", b"picture", SIZE_AND_FORMAT).location == draft.location
    assert store.read(draft.location, 7) == b"picture"
    assert [path.name for path in tmp_path.glob("??/*")] == [draft.content_digest]
    with pytest.raises(ImageTooLargeError, match="max-megabytes"):
        store.read(draft.location, 6)


def test_unused_pictures_go_after_a_while(tmp_path: Path) -> None:
    store = PictureStore(tmp_path)
    used, unused, recent = (store.put("a", data, SIZE_AND_FORMAT) for data in (b"used", b"unused", b"recent"))
    for draft in (used, unused):
        long_ago = time.time() - 2 * 3600
        os.utime(store.path_of(draft.location), (long_ago, long_ago))
    assert store.remove_unused({used.content_digest}) == 1
    assert store.read(used.location, 9) == b"used"
    assert store.read(recent.location, 9) == b"recent"
    with pytest.raises(EntryMissingError, match="send it again"):
        store.read(unused.location, 9)
    assert store.put("a", b"used", SIZE_AND_FORMAT).location == used.location
    assert store.remove_unused(set()) == 0, "what was sent again is about to be used"
