"""Automatic tags of items: two columns of their metadata that are made of the vector, and what people said of them.

A collection has them if its setting ``auto_tags`` says so. They are stored among the other columns, so that everything
that reads metadata finds them; ``ItemRow.is_tagged`` tells them from columns of a source, and an item's draft has them
apart. What somebody corrects is remembered by the item's key: it stays when the picture is tagged again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import and_, delete, func, select
from sqlalchemy.orm import Session

from lookalike.catalogue.item_values import stored_name
from lookalike.catalogue.live_removals import chunks
from lookalike.catalogue.models import CollectionRow, ItemRow, ItemValueRow, TagCorrectionRow
from lookalike.catalogue.records import (
    AUTO_TAGS,
    AUTO_TAGS_CONFIDENCE,
    TAG_COLUMNS,
    AutoTags,
    ItemDraft,
    NewItem,
    TagRequest,
)
from lookalike.errors import ColumnConflictError, MetadataInvalidError
from lookalike.filters.conditions import Field

Tagger = Callable[[npt.NDArray[np.float32]], list[AutoTags]]
"""What gives vectors (n, D) their tags, each list from the most specific word to the most general."""

Corrections = Mapping[str, bool]
"""By word whether it was added to an item (true), or taken away."""

MAX_WORDS, MAX_WORD = 64, 200
SURE = 1.0
"""The confidence of a tag that somebody added."""


def stored_attributes(draft: ItemDraft) -> dict[str, Any]:
    """All columns of an item as they are stored, tags among them."""
    return dict(draft.all_metadata)


def _read_words(request: TagRequest) -> tuple[str, ...] | None:
    """The words of a request, each once; raises MetadataInvalidError for what is no list of words."""
    words = request.value
    if words is None:
        return None
    if not (isinstance(words, list) and len(words) <= MAX_WORDS and all(map(_is_word, words))):
        raise MetadataInvalidError(
            f"{AUTO_TAGS} must be a list of up to {MAX_WORDS} words of up to {MAX_WORD} characters, or null for those "
            "that are found automatically",
            subject=AUTO_TAGS,
        )
    return tuple(dict.fromkeys(word.strip() for word in words))


def _is_word(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= MAX_WORD


@dataclass(frozen=True, slots=True)
class LiveTags:
    """The tags of items that are changed live, in the transaction of the change; ``tagger`` is None where the
    collection's encoder has none, and its items keep the tags that they have."""

    session: Session
    collection: CollectionRow
    tagger: Tagger | None

    @property
    def is_on(self) -> bool:
        """Whether the collection's items are tagged."""
        return bool(self.collection.settings.get("auto_tags", False))

    def tag(self, draft: ItemDraft, vector: npt.NDArray[np.float32], request: TagRequest | None) -> ItemDraft:
        """The draft as it is stored; a correction that ``request`` makes is remembered.

        Raises MetadataInvalidError for metadata that name the tags without correcting them.
        """
        if not self.is_on:
            return replace(draft, auto_tags=None)
        if request is None and not TAG_COLUMNS.isdisjoint(draft.metadata):
            named = next(name for name in TAG_COLUMNS if name in draft.metadata)
            raise MetadataInvalidError(
                f"the item {draft.key!r}: {named} is made of the picture in this collection; to correct the tags send "
                f"{AUTO_TAGS} with all words that are right",
                subject=named,
            )
        own = {name: value for name, value in draft.metadata.items() if name not in TAG_COLUMNS}
        found = draft.auto_tags if self.tagger is None else self.tagger(vector[None])[0]
        corrections: Corrections = corrections_of(self.session, self.collection.id, [draft.key]).get(draft.key, {})
        if request is not None:
            corrections = _correct(found or (), corrections, _read_words(request))
            _remember(self.session, self.collection.id, draft.key, corrections)
        return replace(draft, metadata=own, auto_tags=apply_corrections(found or (), corrections))


def tag_items(session: Session, collection_id: int, items: Sequence[NewItem], tagger: Tagger | None) -> list[NewItem]:
    """Items of a run with their tags, corrected as people said; without a tagger they have none."""
    if tagger is None:
        return [_with_tags(item, None) for item in items]
    if not items:
        return []
    found = tagger(np.stack([item.vector for item in items]))
    corrections = corrections_of(session, collection_id, [item.draft.key for item in items])
    return [
        _with_tags(item, apply_corrections(tags, corrections.get(item.draft.key, {})))
        for item, tags in zip(items, found, strict=True)
    ]


def corrections_of(session: Session, collection_id: int, keys: Sequence[str]) -> dict[str, dict[str, bool]]:
    """What was said of the tags of these keys."""
    corrections: dict[str, dict[str, bool]] = {}
    for chunk in chunks(keys):
        is_of_keys = and_(TagCorrectionRow.collection_id == collection_id, TagCorrectionRow.key.in_(chunk))
        for row in session.scalars(select(TagCorrectionRow).where(is_of_keys).order_by(TagCorrectionRow.word)):
            corrections.setdefault(row.key, {})[row.word] = row.is_added
    return corrections


def apply_corrections(found: AutoTags, corrections: Corrections) -> AutoTags:
    """Tags without the words that were taken away, behind those that were added, which are sure."""
    added = tuple((word, SURE) for word, is_added in corrections.items() if is_added)
    return (*added, *((word, confidence) for word, confidence in found if word not in corrections))


def require_free_columns(session: Session, collection: CollectionRow) -> None:
    """Raise ColumnConflictError if live items have columns of a source that are called as those of the tags."""
    names = [stored_name(Field(name)) for name in sorted(TAG_COLUMNS)]
    is_named = select(ItemValueRow.item_id).where(
        ItemValueRow.collection_id == collection.id, ItemValueRow.name.in_(names)
    )
    own = and_(
        ItemRow.collection_id == collection.id,
        ItemRow.removed_generation.is_(None),
        ItemRow.is_tagged.is_(False),
        ItemRow.id.in_(is_named),
    )
    count = session.scalar(select(func.count()).select_from(ItemRow).where(own)) or 0
    declared = sorted(TAG_COLUMNS.intersection(collection.columns))
    if count:
        first = session.scalars(select(ItemRow.key).where(own).order_by(ItemRow.id).limit(1)).one()
        reason = f"{count} item{'s have' if count > 1 else ' has'} a value of their own there, the first is {first!r}"
    elif declared:
        reason = f"{declared[0]} is declared as {collection.columns[declared[0]]}"
    else:
        return
    raise ColumnConflictError(
        f"{collection.name!r} cannot have automatic tags, the columns {AUTO_TAGS} and {AUTO_TAGS_CONFIDENCE}: "
        f"{reason}; give that column another name first",
        subject=AUTO_TAGS,
    )


def _with_tags(item: NewItem, tags: AutoTags | None) -> NewItem:
    return item if item.draft.auto_tags == tags else replace(item, draft=replace(item.draft, auto_tags=tags))


def _correct(found: AutoTags, before: Corrections, words: Sequence[str] | None) -> Corrections:
    """What is to be remembered so that the tags are these words; with None nothing is."""
    if words is None:
        return {}
    wanted, shown = set(words), {word for word, _ in apply_corrections(found, before)}
    taken_away = {word for word, is_added in before.items() if not is_added} | (shown - wanted)
    added = {word for word, is_added in before.items() if is_added} | (wanted - shown)
    found_words = {word for word, _ in found}
    return dict.fromkeys(taken_away - wanted, False) | dict.fromkeys(added & wanted - found_words, True)


def _remember(session: Session, collection_id: int, key: str, corrections: Corrections) -> None:
    is_of_key = and_(TagCorrectionRow.collection_id == collection_id, TagCorrectionRow.key == key)
    session.execute(delete(TagCorrectionRow).where(is_of_key))
    session.add_all(
        TagCorrectionRow(collection_id=collection_id, key=key, word=word, is_added=is_added)
        for word, is_added in corrections.items()
    )
    session.flush()
