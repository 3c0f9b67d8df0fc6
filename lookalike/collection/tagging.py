"""Automatic tags of a collection's items, made of the vectors that are stored: no picture is read again."""

from __future__ import annotations

from lookalike.catalogue.auto_tags import Tagger
from lookalike.catalogue.records import TAG_COLUMNS, ItemRecord, NewItem
from lookalike.collection.builder import Builder
from lookalike.collection.tagger import require_tagger
from lookalike.errors import MetadataInvalidError
from lookalike.index.base import ProgressCallback, ignore_progress
from lookalike.sources.base import Entry

BATCH = 256


def tag_again(builder: Builder, report_progress: ProgressCallback = ignore_progress) -> int:
    """Store all live items anew whose tags would be others now; returns their number.

    Corrections are kept. Raises TagsUnavailableError.
    """
    tagger = require_tagger(builder.spec) if builder.auto_tags else None
    total, seen, changed = builder.live_count(), 0, 0
    for page in builder.catalogue.tag_store(builder.record.id).live_pages():
        # What this very loop has stored comes again at the end, and is as it should be.
        changed += _tag_page(builder, tagger, page)
        seen += len(page)
        report_progress("tagging", min(seen, total), total)
    return changed


def tag_untagged(builder: Builder) -> int:
    """Do what ``tag_again`` does if items lack tags that they should have, or have some that they should not."""
    if not builder.catalogue.tag_store(builder.record.id).has_live(is_tagged=not builder.auto_tags):
        return 0
    return tag_again(builder)


def refuse_tag_columns(entry: Entry) -> None:
    """Raise MetadataInvalidError for an entry of a source with columns that are called as those of the tags."""
    named = sorted(TAG_COLUMNS.intersection(entry.metadata))
    if named:
        raise MetadataInvalidError(
            f"the source has a column {named[0]} (first for {entry.key!r}), which is the name of automatic tags: give "
            "the column another name, or say --no-auto-tags",
            subject=named[0],
        )


def _tag_page(builder: Builder, tagger: Tagger | None, page: list[ItemRecord]) -> int:
    vectors = [(item, vector) for item in page if (vector := builder.vector(item.id)) is not None]
    items = [NewItem(item.draft, vector, item.id, item.source_digest) for item, vector in vectors]
    stored = builder.catalogue.tag_store(builder.record.id).tag(items, tagger)
    changed = [
        new for new, (item, _) in zip(stored, vectors, strict=True) if new.draft.auto_tags != item.draft.auto_tags
    ]
    for start in range(0, len(changed), BATCH):
        builder.store(changed[start : start + BATCH])
    return len(changed)
