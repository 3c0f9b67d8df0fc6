"""A collection over a pretended source, with vectors made of words: no pictures, no network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lookalike.catalogue.records import CollectionSettings, ItemDraft, NewItem, SourceRecord
from lookalike.catalogue.repository import Catalogue
from lookalike.collection.builder import Builder, BuildOptions, CollectionEncoder
from lookalike.collection.hit import Hit
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.searcher import Searcher
from lookalike.collection.snapshot import open_snapshot
from lookalike.collection.snapshot_manifest import Manifest
from lookalike.encoder.spec import IMAGENET_MEAN, IMAGENET_STD, EncoderSpec
from lookalike.options import EncoderRequest
from lookalike.wiring import INDEX_TYPES

SPEC = EncoderSpec(
    name="tiny", backbone="tiny", stages=(0,), channels=(8,), fusion="mean", projection=False, dimension=8,
    input_size=32, resize="squash", crop_fraction=1.0, mean=IMAGENET_MEAN, std=IMAGENET_STD, weights_digest="0" * 64,
)  # fmt: skip


def vector(content: str) -> npt.NDArray[np.float32]:
    """A unit vector that belongs to a content."""
    numbers = np.random.default_rng(sum(content.encode())).normal(size=SPEC.dimension)
    return np.asarray(numbers / np.linalg.norm(numbers), dtype=np.float32)


def digest(content: str) -> str:
    return (content * 64)[:64]


def search(searcher: Searcher, query: npt.NDArray[np.float32], k: int, *, min_score: float | None = None) -> list[Hit]:
    """The hits of one (D,) query, by the two halves of a search that the product runs."""
    return searcher.hits(searcher.neighbours(query[None], k), min_score=min_score)[0]


@dataclass
class Shop:
    """A collection over a pretended source: a mapping from key to content."""

    layout: CollectionLayout
    catalogue: Catalogue
    encoded: list[str] = field(default_factory=list)

    @contextmanager
    def run(
        self, spec: EncoderSpec = SPEC, *, engine: str = "faiss-flat", keep: int = 3, other: bool = False
    ) -> Iterator[Builder]:
        build = BuildOptions(CollectionSettings(engine, keep, 1000, 1000), allow_other_encoder=other)
        identity = CollectionEncoder(EncoderRequest("tiny"), spec)
        source = SourceRecord("folder", "/pictures")
        with Builder.open(self.layout, self.catalogue, source, identity, INDEX_TYPES, build) as (builder, _damage):
            yield builder

    def take(self, builder: Builder, pictures: dict[str, str]) -> None:
        """What the indexer does, without pictures: one transaction an item."""
        for key, content in pictures.items():
            item = builder.live_items([key]).get(key)
            if item is not None and builder.is_current(item, digest(content)):
                builder.mark_present([item])
                continue
            self.encoded.append(key)
            draft = ItemDraft(key, key, digest(content), 10, 4, 4, "PNG", title=f"the {content}")
            builder.store([NewItem(draft, vector(content), None if item is None else item.id)])

    def index(
        self,
        pictures: dict[str, str],
        spec: EncoderSpec = SPEC,
        *,
        engine: str = "faiss-flat",
        keep: int = 3,
        other: bool = False,
    ) -> Manifest:
        with self.run(spec, engine=engine, keep=keep, other=other) as builder:
            self.take(builder, pictures)
            builder.remove_absent()
            return builder.publish()

    def searcher(self, generation: int | None = None) -> Searcher:
        snapshot = open_snapshot(self.layout, self.layout.current() if generation is None else generation)
        index = INDEX_TYPES.load(
            snapshot.manifest.engine, snapshot.index_path, snapshot.vectors, snapshot.manifest.settings
        )
        return Searcher.of(snapshot, index, self.catalogue, self.catalogue.collection(self.layout.name).id)

    def find(self, content: str, k: int = 1, generation: int | None = None) -> list[Hit]:
        return search(self.searcher(generation), vector(content), k)

    def keys(self, generation: int | None = None) -> list[str]:
        return sorted(item.draft.key for item in self.searcher(generation).items())
