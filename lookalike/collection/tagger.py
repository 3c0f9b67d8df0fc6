"""What gives stored vectors their tags, in the form in which the catalogue takes it."""

from __future__ import annotations

from lookalike.catalogue.auto_tags import Tagger
from lookalike.catalogue.records import AutoTags
from lookalike.encoder.base import Vectors
from lookalike.encoder.spec import EncoderSpec
from lookalike.encoder.tags import TagHead, find_head, require_head


def find_tagger(spec: EncoderSpec) -> Tagger | None:
    """What gives the vectors of an encoder their tags; None if it has none."""
    head = find_head(spec.digest)
    return None if head is None else _tagger(head)


def require_tagger(spec: EncoderSpec) -> Tagger:
    """The same; raises TagsUnavailableError if the encoder has none."""
    return _tagger(require_head(spec))


def _tagger(head: TagHead) -> Tagger:
    def tag(vectors: Vectors) -> list[AutoTags]:
        return [tuple((tag.word, tag.confidence) for tag in tags) for tags in head.tags(vectors)]

    return tag
