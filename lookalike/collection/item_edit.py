"""What a change says of an item, and the draft that comes of it: what is not said stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lookalike.catalogue.metadata import is_same_metadata, merge_metadata
from lookalike.catalogue.records import AUTO_TAGS, ItemDraft, TagRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemEdit:
    """``metadata`` replaces what there is, or with ``is_patch`` the columns that it names; None keeps."""

    title: str | None = None
    product_id: str | None = None
    metadata: Mapping[str, Any] | None = None
    is_patch: bool = False

    @property
    def tags(self) -> TagRequest | None:
        """What is said of the automatic tags, where the collection has them; None for nothing."""
        if self.metadata is None or AUTO_TAGS not in self.metadata:
            return None
        return TagRequest(self.metadata[AUTO_TAGS])

    @property
    def keeps_a_part(self) -> bool:
        """Whether anything of the item stays."""
        return self.is_patch or None in (self.title, self.product_id, self.metadata)

    def apply(self, picture: ItemDraft, old: ItemDraft | None) -> ItemDraft:
        """``picture``, the draft of the new or the old picture, with what is said here and otherwise by ``old``."""
        base = picture if old is None else old
        return replace(
            picture,
            title=base.title if self.title is None else self.title,
            product_id=base.product_id if self.product_id is None else self.product_id,
            metadata=self._metadata(base),
        )

    def _metadata(self, base: ItemDraft) -> Mapping[str, Any]:
        if self.metadata is None:
            return base.metadata
        return merge_metadata(base.metadata, self.metadata) if self.is_patch else self.metadata


def says_same(first: ItemDraft, second: ItemDraft) -> bool:
    """Whether two drafts of one picture say the same of it."""
    is_same_text = (first.title, first.product_id) == (second.title, second.product_id)
    return is_same_text and is_same_metadata(first.metadata, second.metadata)
