"""Words for what a picture shows, made of the vector that is stored of it anyway."""

from __future__ import annotations

from lookalike.encoder.tags.head import TagHead, find_head, require_head, tag_vectors
from lookalike.encoder.tags.vocabulary import MIN_CONFIDENCE, Tag, Vocabulary

__all__ = ["MIN_CONFIDENCE", "Tag", "TagHead", "Vocabulary", "find_head", "require_head", "tag_vectors"]
