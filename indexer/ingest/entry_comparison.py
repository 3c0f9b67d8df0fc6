"""Whether a source says of an item what it said before: what decides that nothing has to be done."""

from __future__ import annotations

from lookalike.catalogue.live_removals import digest_of_source
from lookalike.catalogue.metadata import is_same_metadata
from lookalike.catalogue.records import ItemDraft, ItemRecord
from lookalike.sources.base import Entry


def draft_of(
    entry: Entry, byte_size: int, digest: str, size_and_format: tuple[int, int, str] = (0, 0, "")
) -> ItemDraft:
    """What is known of an entry whose file has this SHA-256: width, height and format once it is decoded."""
    width, height, format_name = size_and_format
    return ItemDraft(
        key=entry.key,
        location=entry.location,
        content_digest=digest,
        byte_size=byte_size,
        width=width,
        height=height,
        format=format_name,
        title=entry.title,
        product_id=entry.product_id,
        metadata=entry.metadata,
    )


def is_unchanged(entry: Entry, item: ItemRecord, byte_size: int, digest: str, *, encoder_digest: str) -> bool:
    """Whether the source says of an item what it said in its last run: a live change of it is a later one.

    Otherwise the item's vector has to be that of this file by the encoder of the run.
    """
    if item.source_digest is not None:
        return item.source_digest == digest_of_source(draft_of(entry, byte_size, digest))
    is_current = item.draft.content_digest == digest and item.encoder_digest == encoder_digest
    return is_current and item.draft.location == entry.location and is_described_alike(item.draft, entry)


def is_described_alike(draft: ItemDraft, entry: Entry) -> bool:
    """Whether an item has the metadata of an entry."""
    is_same_text = (draft.title, draft.product_id) == (entry.title, entry.product_id)
    return is_same_text and is_same_metadata(draft.metadata, entry.metadata)
