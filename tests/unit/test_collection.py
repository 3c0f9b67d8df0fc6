"""The life of a collection: taking in, publishing, changing, rolling back, and what happens when it is interrupted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from lookalike.catalogue.database import Database
from lookalike.catalogue.records import CollectionSettings, EncoderRequest, ItemDraft, NewItem, SourceRecord
from lookalike.catalogue.repository import Catalogue
from lookalike.collection import files, publisher, snapshot
from lookalike.collection.builder import Builder, BuildOptions
from lookalike.collection.layout import IDS, INDEX, MANIFEST, VECTORS, CollectionLayout
from lookalike.collection.manifest import Manifest
from lookalike.collection.searcher import Hit, Searcher
from lookalike.collection.snapshot import open_snapshot
from lookalike.encoder.spec import IMAGENET_MEAN, IMAGENET_STD, EncoderSpec
from lookalike.errors import (
    CollectionBusyError,
    CollectionNameError,
    CollectionNotReadyError,
    EncoderMismatchError,
    ItemNotFoundError,
    SnapshotDamagedError,
    SnapshotNotFoundError,
)
from lookalike.index import planner
from lookalike.wiring import build_index, load_index

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
        identity = (EncoderRequest("tiny"), spec)
        source = SourceRecord("folder", "/pictures")
        with Builder.open(self.layout, self.catalogue, source, identity, build_index, build) as (builder, _damage):
            yield builder

    def take(self, builder: Builder, pictures: dict[str, str]) -> None:
        """What the indexer does, without pictures: one transaction an item."""
        for key, content in pictures.items():
            item = builder.known([key]).get(key)
            if item is not None and builder.is_current(item, digest(content)):
                builder.mark_seen([item])
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
            builder.remove_unseen()
            return builder.publish()

    def searcher(self, generation: int | None = None) -> Searcher:
        snapshot = open_snapshot(self.layout, self.layout.current() if generation is None else generation)
        index = load_index(snapshot.manifest.engine, snapshot.index_path, snapshot.vectors, snapshot.manifest.settings)
        return Searcher(snapshot, index, self.catalogue, self.catalogue.collection(self.layout.name).id)

    def find(self, content: str, k: int = 1, generation: int | None = None) -> list[Hit]:
        return self.searcher(generation).search(vector(content)[None], k)[0]

    def keys(self, generation: int | None = None) -> list[str]:
        return sorted(item.draft.key for item in self.searcher(generation).items())


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    catalogue = Catalogue(Database.open(f"sqlite:///{tmp_path / 'catalogue.db'}"))
    yield Shop(CollectionLayout.of(tmp_path / "collections", "shop"), catalogue)
    catalogue.close()


@pytest.fixture(params=["faiss-flat", "exact"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_what_was_taken_in_is_found_with_its_words(shop: Shop, engine: str) -> None:
    manifest = shop.index({"a.jpg": "cat", "b.jpg": "dog", "c.jpg": "hen"}, engine=engine)
    assert (manifest.generation, manifest.count, manifest.engine) == (1, 3, engine)
    (hit,) = shop.find("dog")
    assert (hit.rank, hit.key, hit.title) == (1, "b.jpg", "the dog")
    assert hit.score == pytest.approx(1.0, abs=1e-6)
    assert hit.normalized_score == pytest.approx(1.0, abs=1e-6)


def test_recall_is_measured_and_kept(shop: Shop) -> None:
    manifest = shop.index({str(n): str(n) for n in range(40)})
    assert manifest.recall is not None
    assert (manifest.recall.value, manifest.recall.k, manifest.recall.queries) == (1.0, 10, 40)


def test_only_what_is_new_or_changed_is_encoded(shop: Shop) -> None:
    shop.index({"a": "cat", "b": "dog"})
    shop.encoded.clear()
    manifest = shop.index({"a": "cat", "b": "cow", "c": "hen"})
    assert shop.encoded == ["b", "c"]
    assert manifest.count == 3
    assert shop.find("cow")[0].key == "b"
    assert shop.find("dog")[0].score < 0.999


def test_nothing_changed_publishes_nothing(shop: Shop) -> None:
    first = shop.index({"a": "cat"})
    again = shop.index({"a": "cat"})
    assert again == first
    assert shop.layout.complete() == [1]


def test_what_is_gone_is_dropped_from_the_new_snapshot_only(shop: Shop) -> None:
    shop.index({"a": "cat", "b": "dog"})
    shop.index({"a": "cat"})
    assert shop.keys() == ["a"]
    assert shop.keys(generation=1) == ["a", "b"]


def test_an_emptied_collection_answers_nothing(shop: Shop) -> None:
    shop.index({"a": "cat"})
    manifest = shop.index({})
    assert (manifest.count, manifest.recall) == (0, None)
    assert shop.find("cat", k=3) == []


def test_k_is_k_until_the_collection_has_no_more(shop: Shop) -> None:
    shop.index({str(n): str(n) for n in range(5)})
    assert [hit.rank for hit in shop.find("3", k=4)] == [1, 2, 3, 4]
    assert len(shop.find("3", k=50)) == 5
    scores = [hit.score for hit in shop.find("3", k=50)]
    assert scores == sorted(scores, reverse=True)


def test_a_minimum_score_and_an_excluded_item_are_respected(shop: Shop) -> None:
    shop.index({str(n): str(n) for n in range(9)})
    searcher = shop.searcher()
    own = searcher.item("3")
    everything = searcher.search(vector("3")[None], 9)[0]
    limit = everything[4].score
    strong = searcher.search(vector("3")[None], 9, min_score=limit)[0]
    assert [hit.key for hit in strong] == [hit.key for hit in everything[:5]]
    others = searcher.search(searcher.vector(own.id)[None], 8, exclude=own.id)[0]
    assert [hit.key for hit in others] == [hit.key for hit in everything if hit.key != "3"]


def test_an_interrupted_run_loses_nothing_and_is_resumed(shop: Shop) -> None:
    shop.index({"a": "cat"})
    with shop.run() as builder:
        shop.take(builder, {"b": "dog", "c": "hen"})
    assert shop.keys() == ["a"]
    assert shop.find("dog")[0].key == "a"
    shop.encoded.clear()
    with shop.run() as builder:
        assert builder.is_resumed(builder.known(["b"])["b"])
        shop.take(builder, {"a": "cat", "b": "dog", "c": "hen", "d": "cow"})
        builder.remove_unseen()
        builder.publish()
    assert shop.encoded == ["d"]
    assert shop.keys() == ["a", "b", "c", "d"]


STEPS = {"write_npy": 2, "sync_file": 3, "sha256_file": 3, "sample_file": 3, "sync_folder": 2, "write_atomically": 1}


@pytest.mark.parametrize(
    ("moment", "call"), [(name, call) for name, times in STEPS.items() for call in range(1, times + 1)]
)
def test_a_publish_that_dies_at_any_step_leaves_the_old_snapshot(
    shop: Shop, moment: str, call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.index({"a": "cat"})
    with monkeypatch.context() as patch:
        patch.setattr(publisher, moment, dying(getattr(publisher, moment), call))
        with pytest.raises(RuntimeError, match="killed"):
            shop.index({"a": "cat", "b": "dog"})
    assert shop.keys() == ["a"]
    shop.encoded.clear()
    manifest = shop.index({"a": "cat", "b": "dog"})
    assert shop.encoded == []
    assert shop.keys() == ["a", "b"]
    assert manifest.generation == 2


def dying(function: Callable[..., Any], call: int) -> Callable[..., Any]:
    """The function, until it is called for the n-th time."""
    calls = 0

    def die(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise RuntimeError("killed")
        return function(*arguments)

    return die


@pytest.mark.parametrize("where", ["remember", "forget", "remove", "rmtree"])
def test_dying_while_cleaning_up_leaves_the_new_snapshot(
    shop: Shop, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for content in ("cat", "dog"):
        shop.index({"a": content}, keep=2)
    owners: dict[str, object] = {
        "remember": Catalogue,
        "forget": Catalogue,
        "remove": CollectionLayout,
        "rmtree": shutil,
    }

    def die(*_: object, **__: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(owners[where], where, die)
        with pytest.raises(RuntimeError, match="killed"):
            shop.index({"a": "hen"}, keep=2)
    assert shop.find("hen")[0].score == pytest.approx(1.0, abs=1e-6)
    shop.encoded.clear()
    shop.index({"a": "hen", "b": "cow"}, keep=2)
    assert shop.encoded == ["b"]
    assert shop.layout.complete() == [3, 4]
    assert sorted(path.name for path in shop.layout.snapshots.iterdir()) == ["00000003", "00000004"]


def test_dying_between_the_manifest_and_the_pointer_is_mended_by_the_next_run(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.index({"a": "cat"})
    with monkeypatch.context() as patch:
        patch.setattr(CollectionLayout, "point_to", lambda *_: (_ for _ in ()).throw(RuntimeError("killed")))
        with pytest.raises(RuntimeError, match="killed"):
            shop.index({"a": "cat", "b": "dog"})
    assert shop.keys() == ["a"]
    assert shop.index({"a": "cat", "b": "dog"}).generation == 2
    assert shop.keys() == ["a", "b"]


def test_rolling_back_and_forth(shop: Shop) -> None:
    shop.index({"a": "cat"})
    shop.index({"a": "dog", "b": "hen"})
    shop.layout.point_to(1)
    assert shop.keys() == ["a"]
    assert shop.find("cat")[0].score == pytest.approx(1.0, abs=1e-6)
    assert shop.index({"a": "dog", "b": "hen"}).generation == 2
    assert shop.keys() == ["a", "b"]
    with pytest.raises(SnapshotNotFoundError, match="1, 2"):
        shop.layout.point_to(7)


def test_a_change_after_a_rollback_goes_on_from_the_newest(shop: Shop) -> None:
    shop.index({"a": "cat"})
    shop.index({"a": "cat", "b": "hen"})
    shop.layout.point_to(1)
    shop.encoded.clear()
    assert shop.index({"a": "cat", "b": "hen", "c": "cow"}).generation == 3
    assert shop.encoded == ["c"]
    assert shop.keys() == ["a", "b", "c"]


def test_old_snapshots_are_pruned_with_their_rows(shop: Shop) -> None:
    for generation in range(1, 7):
        shop.index({"a": f"content {generation}"}, keep=2)
    assert shop.layout.complete() == [5, 6]
    record = shop.catalogue.collection("shop")
    assert shop.catalogue.live_count(record.id) == 1
    rows = [next(shop.catalogue.visible_ids(record.id, generation)).tolist() for generation in (4, 5, 6)]
    assert rows == [[], [5], [6]]
    assert shop.find("content 5", generation=5)[0].score == pytest.approx(1.0, abs=1e-6)


def test_another_encoder_is_refused_in_words_unless_agreed_to(shop: Shop) -> None:
    shop.index({"a": "cat", "b": "dog"})
    other = replace(SPEC, input_size=64, weights_digest="1" * 64)
    with pytest.raises(EncoderMismatchError, match=r"input_size 64, not 32.*--reencode"):
        shop.index({"a": "cat", "b": "dog"}, other)
    shop.encoded.clear()
    manifest = shop.index({"a": "cat", "b": "dog"}, other, other=True)
    assert shop.encoded == ["a", "b"]
    assert (manifest.encoder, manifest.count) == (other, 2)


def test_another_engine_is_published_though_no_picture_changed(shop: Shop) -> None:
    shop.index({"a": "cat"}, engine="exact")
    manifest = shop.index({"a": "cat"}, engine="faiss-flat")
    assert (manifest.generation, manifest.engine) == (2, "faiss-flat")
    assert shop.find("cat")[0].key == "a"


def test_an_interrupted_change_of_encoder_leaves_the_collection_as_it_was(shop: Shop) -> None:
    shop.index({"a": "cat", "b": "dog"})
    with shop.run(replace(SPEC, weights_digest="1" * 64), other=True) as builder:
        shop.take(builder, {"a": "cat"})
    shop.encoded.clear()
    manifest = shop.index({"a": "cat", "b": "dog"})
    assert shop.encoded == ["a"], "what the other encoder had made is made again"
    assert manifest.encoder == SPEC
    assert shop.find("cat")[0].key == "a"


@pytest.mark.parametrize("name", [VECTORS, IDS, INDEX])
@pytest.mark.parametrize("harm", ["flip a bit", "cut short", "delete"])
def test_a_damaged_file_is_refused_by_name_and_mended_by_indexing_again(shop: Shop, name: str, harm: str) -> None:
    pictures = {"a": "cat", "b": "dog"}
    shop.index(pictures)
    path = shop.layout.snapshot(1) / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.unlink() if harm == "delete" else path.write_bytes(content if harm == "flip a bit" else content[:-3])
    with pytest.raises(SnapshotDamagedError, match=name):
        shop.searcher()
    shop.encoded.clear()
    assert shop.index(pictures).generation == 2
    assert shop.encoded == ["a", "b"]
    assert shop.find("dog")[0].key == "b"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format_version": 99}'])
def test_a_damaged_manifest_is_refused_by_name(shop: Shop, text: str) -> None:
    shop.index({"a": "cat"})
    (shop.layout.snapshot(1) / MANIFEST).write_text(text)
    with pytest.raises(SnapshotDamagedError, match=MANIFEST):
        shop.searcher()


def test_a_snapshot_of_another_catalogue_is_noticed(shop: Shop) -> None:
    shop.index({"a": "cat", "b": "dog"})
    searcher = shop.searcher()
    searcher.check_rows()
    shop.catalogue.close_items([1], 1)
    with pytest.raises(SnapshotDamagedError, match=r"2 items.*1 for it"):
        searcher.check_rows()


def test_two_indexers_do_not_work_on_one_collection(shop: Shop) -> None:
    with shop.run(), pytest.raises(CollectionBusyError, match="shop"), shop.run():
        pass


def test_before_the_first_publish_the_next_command_is_named(shop: Shop) -> None:
    with pytest.raises(CollectionNotReadyError, match="python -m indexer index"):
        shop.layout.current()


def test_a_damaged_pointer_is_named(shop: Shop) -> None:
    shop.index({"a": "cat"})
    (shop.layout.root / "current.json").write_text("oops")
    with pytest.raises(SnapshotDamagedError, match=r"current\.json.*rollback"):
        shop.layout.current()


def test_an_item_that_is_not_there_is_named(shop: Shop) -> None:
    shop.index({"a": "cat"})
    with pytest.raises(ItemNotFoundError, match="'z'"):
        shop.searcher().item("z")


@pytest.mark.parametrize("name", ["", "Shoes", "../x", "a/b", "-a", "a" * 65, "ü", "a b", "a\n"])
def test_names_that_could_harm_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(CollectionNameError):
        CollectionLayout.of(tmp_path, name)


def test_a_manifest_survives_being_written_and_read(shop: Shop) -> None:
    manifest = shop.index({"a": "cat"})
    assert Manifest.from_json(manifest.to_json()) == manifest
    fields = json.loads((shop.layout.snapshot(1) / MANIFEST).read_text())
    assert fields["encoder"]["weights_digest"] == "0" * 64
    assert set(fields["files"]) == {IDS, VECTORS, INDEX}


MANY = 2100


def many_vectors() -> npt.NDArray[np.float32]:
    rows = np.random.default_rng(4).normal(size=(MANY, SPEC.dimension)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def index_many(shop: Shop) -> Manifest:
    """Enough items to train on, taken in at once by the first run and found again by the next."""
    with shop.run(engine="auto") as builder:
        if builder.live_count() == 0:
            drafts = [ItemDraft(str(n), str(n), digest(str(n)), 10, 4, 4, "PNG") for n in range(MANY)]
            builder.store([NewItem(*pair, None) for pair in zip(drafts, many_vectors(), strict=True)])
        return builder.publish()


def test_a_collection_too_large_to_scan_gets_a_graph_that_keeps_its_promise(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner, "EXACT_UP_TO", 1000)
    manifest = index_many(shop)
    assert (manifest.engine, manifest.planned, manifest.count) == ("faiss-hnsw", "faiss-hnsw", MANY)
    assert manifest.settings is not None
    assert manifest.recall is not None
    assert manifest.recall.low >= 0.99
    assert manifest.target_recall == 0.99
    assert Manifest.from_json(manifest.to_json()) == manifest
    vectors = many_vectors()
    (hit,) = shop.searcher().search(vectors[477:478], 1)[0]
    assert hit.key == "477"
    assert hit.score == pytest.approx(1.0, abs=1e-6)
    own = shop.searcher().item("477").id
    others = shop.searcher().search(vectors[477:478], 5, exclude=own)[0]
    assert [other.key for other in others] == [str(n) for n in np.argsort(-(vectors @ vectors[477]))[1:6]]


def test_the_same_pictures_are_published_again_only_if_the_plan_is_another(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert index_many(shop).engine == "faiss-flat"
    assert index_many(shop).generation == 1
    monkeypatch.setattr(planner, "EXACT_UP_TO", 1000)
    assert index_many(shop).generation == 2
    assert index_many(shop).generation == 2


def test_a_large_file_is_opened_by_a_sample_and_proved_as_a_whole(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "LARGE", 1000)
    monkeypatch.setattr(files, "SAMPLE", 16)
    monkeypatch.setattr(files, "SAMPLES", 1)
    shop.index({str(n): str(n) for n in range(50)})
    path = shop.layout.snapshot(1) / VECTORS
    good = path.read_bytes()

    def damaged_at(offset: int, *, whole: bool) -> bool:
        path.write_bytes(good[:offset] + bytes([good[offset] ^ 1]) + good[offset + 1 :])
        try:
            open_snapshot(shop.layout, 1, whole=whole)
        except SnapshotDamagedError as error:
            return "vectors.npy does not match its checksum" in error.message
        return False

    sampled = (0, (len(good) - 16) // 2, len(good) - 1)
    assert [damaged_at(offset, whole=False) for offset in sampled] == [True] * 3
    assert not damaged_at(len(good) // 4, whole=False), "between the samples nobody looks"
    assert damaged_at(len(good) // 4, whole=True)


def test_small_files_are_read_whole_whenever_they_are_opened(shop: Shop) -> None:
    shop.index({"a": "cat"})
    path = shop.layout.snapshot(1) / VECTORS
    content = bytearray(path.read_bytes())
    content[-7] ^= 1
    path.write_bytes(content)
    with pytest.raises(SnapshotDamagedError, match=r"vectors\.npy does not match"):
        open_snapshot(shop.layout, 1, whole=False)
