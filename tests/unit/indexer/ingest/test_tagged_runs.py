"""Tags in runs over a source, and tags given to a collection that is there, without a picture being encoded."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from indexer.console.reporter import JsonReporter
from indexer.ingest import add, run
from indexer.ingest.pipeline import PipelineOptions
from lookalike.catalogue.live_changes import LiveChange
from lookalike.catalogue.records import CollectionSettings, ItemRecord, TagRequest
from lookalike.collection.builder import BuildOptions
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.lifecycle import tag_collection
from lookalike.encoder.base import Vectors
from lookalike.errors import ColumnConflictError, MetadataInvalidError, TagsUnavailableError
from lookalike.images import decode, encode_jpeg
from lookalike.options import EncoderRequest, ImageLimits, Places
from lookalike.testing import TinyEncoder, make_picture
from lookalike.wiring import INDEX_TYPES, open_catalogue
from tests.helpers.tag_heads import heads_of, write_head

DOG_WORDS = ["beagle", "hound", "dog", "mammal", "animal"]
MUG_WORDS = ["coffee mug"]


@dataclass
class Album:
    """A folder with a collection and its source, and the encoder of its runs."""

    folder: Path
    encoder: TinyEncoder

    def index(
        self, auto_tags: bool | None = None, *, source: str = "pictures", reencode: bool = False
    ) -> run.RunSummary:
        limits = ImageLimits()
        settings = CollectionSettings("exact", 3, limits.max_bytes, limits.max_pixels, auto_tags=bool(auto_tags))
        build = BuildOptions(settings, allow_other_encoder=reencode, keeps_auto_tags=auto_tags is None)
        with pytest.MonkeyPatch.context() as patch, closing(open_catalogue(Places(self.folder))) as catalogue:
            patch.setattr(run, "load_encoder", lambda _request, _folder: self.encoder)
            return run.index_collection(
                Places(self.folder),
                run.IndexRequest("album", str(self.folder / source), None, EncoderRequest("tiny")),
                catalogue=catalogue,
                options=run.RunOptions(PipelineOptions(), build),
                reporter=JsonReporter(out=io.StringIO()),
            )

    def tag(self, auto_tags: bool = True) -> int:
        layout = CollectionLayout.of(Places(self.folder).collections_dir, "album")
        with closing(open_catalogue(Places(self.folder))) as catalogue:
            return tag_collection(layout, catalogue, INDEX_TYPES, auto_tags=auto_tags)[1]

    def items(self) -> dict[str, ItemRecord]:
        with closing(open_catalogue(Places(self.folder))) as catalogue:
            record = catalogue.collection("album")
            return {item.key: item for page in catalogue.tag_store(record.id).live_pages() for item in page}

    def words(self) -> dict[str, list[str] | None]:
        return {
            key: None if item.draft.auto_tags is None else [word for word, _ in item.draft.auto_tags]
            for key, item in self.items().items()
        }

    def correct(self, key: str, words: list[str]) -> None:
        item = self.items()[key]
        with closing(open_catalogue(Places(self.folder))) as catalogue:
            live = catalogue.live_changes(catalogue.collection("album").id)
            change = LiveChange(key, item.draft, self.vector(key), tags=TagRequest(words))
            live.apply([change], published_generation=1, encoder_digest=self.encoder.spec.digest, tagger=lambda _: [()])

    def vector(self, key: str) -> Vectors:
        return vector_of(self.encoder, {"dog.jpg": 1, "mug.jpg": 2, "other.jpg": 3}[key])


def jpeg(seed: int) -> bytes:
    return encode_jpeg(make_picture(seed), 95)


def vector_of(encoder: TinyEncoder, seed: int) -> Vectors:
    (vector,) = encoder.forward(encoder.prepare(decode(jpeg(seed)).pixels)[None])
    return np.asarray(vector)


@pytest.fixture
def album(tmp_path: Path) -> Iterator[Album]:
    (tmp_path / "pictures").mkdir()
    for name, seed in (("dog", 1), ("mug", 2), ("other", 3)):
        (tmp_path / "pictures" / f"{name}.jpg").write_bytes(jpeg(seed))
    encoders = [TinyEncoder(), TinyEncoder(seed=1)]
    for number, encoder in enumerate(encoders):
        vectors = {"beagle": vector_of(encoder, 1), "coffee mug": vector_of(encoder, 2)}
        write_head(tmp_path / "heads" / f"{number}.safetensors", encoder.spec.digest, vectors)
    with heads_of(tmp_path / "heads"):
        yield Album(tmp_path, encoders[0])


TAGGED = {"dog.jpg": DOG_WORDS, "mug.jpg": MUG_WORDS, "other.jpg": []}
UNTAGGED = {"dog.jpg": None, "mug.jpg": None, "other.jpg": None}


def test_a_run_tags_what_it_stores_if_it_is_told_to_and_then_without_being_told(album: Album) -> None:
    album.index()
    assert album.words() == UNTAGGED
    summary = album.index(auto_tags=True)
    assert (album.words(), summary.timings.encoded_count) == (TAGGED, 0)
    (album.folder / "pictures" / "second.jpg").write_bytes(jpeg(1))
    summary = album.index()
    assert album.words() == TAGGED | {"second.jpg": DOG_WORDS}
    assert summary.fields()["verdicts"]["unchanged"] == 3, "tags are not what a source says of an item"


def test_tags_go_when_a_run_is_told_so(album: Album) -> None:
    album.index(auto_tags=True)
    album.index(auto_tags=False)
    assert album.words() == UNTAGGED
    assert album.items()["dog.jpg"].metadata == {}


def test_a_collection_is_tagged_by_its_stored_vectors(album: Album) -> None:
    first = album.index()
    assert (album.tag(), album.words()) == (3, TAGGED)
    assert (album.tag(), album.words()) == (0, TAGGED)
    assert album.index().manifest.generation == first.manifest.generation + 1
    assert (album.tag(auto_tags=False), album.words()) == (3, UNTAGGED)


def test_a_correction_survives_tagging_again_indexing_again_and_another_encoder(album: Album) -> None:
    album.index(auto_tags=True)
    album.correct("dog.jpg", ["our dog"])
    assert album.words()["dog.jpg"] == ["our dog"]
    album.tag()
    corrected = album.words()["dog.jpg"]
    (album.folder / "pictures" / "dog.jpg").write_bytes(jpeg(2))
    album.index()
    assert album.words()["dog.jpg"] == ["our dog", *MUG_WORDS]
    album.encoder = TinyEncoder(seed=1)
    album.index(reencode=True)
    assert album.words()["dog.jpg"] == ["our dog", *MUG_WORDS]
    assert corrected is not None
    assert corrected[0] == "our dog"


def test_an_encoder_without_words_is_refused_before_anything_is_stored(album: Album) -> None:
    album.encoder = TinyEncoder(seed=2)
    with pytest.raises(TagsUnavailableError, match="no tags for the encoder tiny"):
        album.index(auto_tags=True)
    album.index()
    with pytest.raises(TagsUnavailableError):
        album.tag()
    assert album.words() == UNTAGGED


def test_a_column_of_the_source_of_that_name_is_not_overwritten(album: Album) -> None:
    (album.folder / "list.csv").write_text("path,auto_tags\npictures/dog.jpg,mine\n")
    with pytest.raises(MetadataInvalidError, match=r"the source has a column auto_tags.*--no-auto-tags"):
        album.index(auto_tags=True, source="list.csv")
    album.index(source="list.csv")
    with pytest.raises(ColumnConflictError, match="give that column another name first"):
        album.tag()
    with pytest.raises(ColumnConflictError):
        album.index(auto_tags=True, source="list.csv")
    (item,) = album.items().values()
    assert item.metadata == {"auto_tags": "mine"}


def test_added_pictures_are_tagged(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    album.index(auto_tags=True)
    more = album.folder / "more"
    more.mkdir()
    (more / "another.jpg").write_bytes(jpeg(2))
    monkeypatch.setattr(add, "load_encoder", lambda _request, _folder: album.encoder)
    limits = ImageLimits()
    with closing(open_catalogue(Places(album.folder))) as catalogue:
        add.add_pictures(
            Places(album.folder),
            run.IndexRequest("album", str(more), None, EncoderRequest("tiny")),
            catalogue,
            CollectionSettings("exact", 3, limits.max_bytes, limits.max_pixels),
            options=PipelineOptions(),
            reporter=JsonReporter(out=io.StringIO()),
        )
    assert album.words() == TAGGED | {"another.jpg": MUG_WORDS}
    assert np.isclose(np.linalg.norm(album.vector("dog.jpg")), 1.0)
