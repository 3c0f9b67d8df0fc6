"""What a run of the indexer does about live changes: what its source said then, and has said since, decides.

See ``lookalike.catalogue.live_changes`` for who wins.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, and_, delete, select
from sqlalchemy.orm import Session

from lookalike.catalogue.models import CollectionRow, ItemRow, LiveRemovalRow
from lookalike.catalogue.records import CollectionRecord, ItemDraft, NewItem
from lookalike.catalogue.visible_items import CHUNK


def digest_of_source(draft: ItemDraft) -> str:
    """A digest of all that a source says of a key: the file and where it is, and its metadata."""
    said = [draft.location, draft.content_digest, draft.title, draft.product_id, dict(draft.metadata)]
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def without_later_changes(session: Session, collection_id: int, items: Sequence[NewItem]) -> Sequence[NewItem]:
    """Those of a run's items that were not changed live after the run had read them.

    Of the others it is remembered what the source says now; removals of those that stay are forgotten.
    """
    if not session.scalar(select(CollectionRow.change).where(CollectionRow.id == collection_id)):
        return items
    keys = [item.draft.key for item in items]
    live_rows: dict[str, ItemRow] = {}
    removals: dict[str, LiveRemovalRow] = {}
    is_live = and_(ItemRow.collection_id == collection_id, ItemRow.removed_generation.is_(None))
    for chunk in chunks(keys):
        live_rows |= {row.key: row for row in session.scalars(select(ItemRow).where(is_live, ItemRow.key.in_(chunk)))}
        removed_rows = session.scalars(select(LiveRemovalRow).where(*removals_of(collection_id, chunk)))
        removals |= {row.key: row for row in removed_rows}
    kept = []
    for item in items:
        key, row = item.draft.key, live_rows.get(item.draft.key)
        # Of a version that was made live and is stored anew, its draft is not what the source says.
        said = digest_of_source(item.draft) if item.source_digest is None else item.source_digest
        if row is not None and row.id != item.replaces and row.source_digest is not None:
            row.source_digest = said
        elif row is None and item.replaces is not None and key in removals:
            removals.pop(key).source_digest = said
        else:
            kept.append(item)
    stored_keys = {item.draft.key for item in kept}
    for key, removal in removals.items():
        if key in stored_keys:
            session.delete(removal)
    session.flush()
    return kept


def forget_absent_removals(session: Session, collection: CollectionRecord) -> None:
    """Forget the removals of keys that the source has no longer: if it has one again, that is a change."""
    session.execute(
        delete(LiveRemovalRow).where(
            LiveRemovalRow.collection_id == collection.id, LiveRemovalRow.seen_run != collection.run
        )
    )


def removals_of(collection_id: int, keys: Sequence[str]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The conditions of the removals of these keys."""
    return LiveRemovalRow.collection_id == collection_id, LiveRemovalRow.key.in_(keys)


def chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """Keys in lists that a statement may have."""
    for start in range(0, len(keys), CHUNK):
        yield keys[start : start + CHUNK]
