"""The Python API as a newcomer meets it: what objects print, what a wrong argument is told, what an answer has."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest

import lookalike
from lookalike import (
    Boost,
    Calibration,
    Collection,
    ColumnSummary,
    Encoder,
    EncoderSpec,
    Explanation,
    Facet,
    FacetValue,
    Hit,
    ImageLimits,
    ItemRecord,
    Judgement,
    LookalikeError,
    Manifest,
    Neighbours,
    Part,
    Threshold,
    Tier,
    prepare,
)
from lookalike.api import RGB, Vectors
from lookalike.calibration import HoldoutFigures
from lookalike.catalogue.database import Database
from lookalike.catalogue.records import CollectionRecord, ItemDraft
from lookalike.catalogue.repository import Catalogue
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.searcher import Searcher
from lookalike.collection.snapshot import open_snapshot
from lookalike.collection.snapshot_manifest import FileStamp
from lookalike.encoder import preprocess
from lookalike.encoder.export_formats import description
from lookalike.errors import VectorsInvalidError
from lookalike.filters.fields import ElementType
from lookalike.filters.values import ValueType
from lookalike.images import encode_png
from lookalike.index.recall import Recall
from lookalike.options import EncoderRequest
from lookalike.short_repr import LONGEST
from lookalike.testing import TinyEncoder, make_picture
from lookalike.wiring import INDEX_TYPES
from tests.helpers.shop_collection import SPEC, Shop, vector

LONG = "ß" * 1000
RECALL = Recall(10, 1, 1.0, 0.9, 1.0)
MANY = {f"{LONG}{number}": LONG for number in range(50)}


def calibration() -> Calibration:
    knots = tuple(np.linspace(-1, 1, 400).tolist())
    held_back = HoldoutFigures(0.9, 0.95, 0.5, 0.6, 0.001, 0.01, 10_000)
    return Calibration(
        LONG, "0" * 64, LONG, 0.8, "precision 0.9", 0.9, 0.5, knots, knots, "isotonic", 0.1, 0.1, 9, 9, LONG, held_back
    )


def item() -> ItemRecord:
    draft = ItemDraft("a/b/c.jpg", "a/b/c.jpg", "0" * 64, 1, 1, 1, "jpeg", LONG, LONG, MANY)
    return ItemRecord(1, draft, "0" * 64, 1, None)


def manifest() -> Manifest:
    files = {LONG + str(number): FileStamp("0" * 64, 1) for number in range(9)}
    return Manifest(
        LONG,
        1,
        datetime.now(UTC),
        LONG,
        SPEC,
        EncoderRequest(LONG),
        "exact",
        [LONG] * 9,
        1,
        8,
        Recall(10, 1, 1.0, 0.9, 1.0),
        files,
    )


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    """Three items whose vectors are made of words; nothing of them can be encoded."""
    catalogue = Catalogue(Database.open(tmp_path / "catalogue.db"))
    shop = Shop(CollectionLayout.of(tmp_path / "collections", "shop"), catalogue)
    with shop.run() as builder:
        shop.take(builder, {"shoes/red/1.jpg": "a", "shoes/2.jpg": "b", "3.jpg": "c"})
        builder.publish()
    record: CollectionRecord = catalogue.collection("shop")
    snapshot = open_snapshot(shop.layout, shop.layout.current())
    index = INDEX_TYPES.load(snapshot.manifest.engine, snapshot.index_path, snapshot.vectors)
    searcher = Searcher.of(snapshot, index, catalogue, record.id)
    with Collection(searcher, record, shop.layout, encoders_dir=tmp_path, limits=None) as opened:
        yield opened


EXAMPLES: dict[str, Callable[[], object]] = {
    "Boost": lambda: Boost(field=LONG, weight=1 / 3),
    "Calibration": calibration,
    "ColumnSummary": lambda: ColumnSummary(LONG, frozenset({ElementType(kind) for kind in ValueType}), 1),
    "Encoder": lambda: Encoder(TinyEncoder()),
    "EncoderSpec": lambda: dataclasses.replace(SPEC, name=LONG, channels=tuple(range(2000))),
    "Explanation": lambda: Explanation(
        0.5,
        tuple(Part(f"stage-{number}", 1 / 3, 1 / 7) for number in range(6)),
        0.1,
        (np.zeros((36, 36), np.float32), np.zeros((36, 36), np.float32)),
    ),
    "Facet": lambda: Facet(tuple(FacetValue(LONG, number) for number in range(99)), 99),
    "FacetValue": lambda: FacetValue(LONG, 1),
    "Hit": lambda: Hit(1, LONG, 1 / 3, LONG, LONG, MANY, LONG, Threshold.choose(None, calibration())),
    "ImageLimits": ImageLimits,
    "ItemRecord": item,
    "Judgement": lambda: Judgement(1 / 3, Threshold.choose(None, calibration()), True, 1 / 3, Tier.NEAR_DUPLICATE),
    "LookalikeError": lambda: LookalikeError(LONG, subject=LONG),
    "Manifest": manifest,
    "Neighbours": lambda: Neighbours(np.zeros((99, 99), np.float32), np.zeros((99, 99), np.int64)),
    "Part": lambda: Part(LONG, 1 / 3, 1 / 7),
    "Threshold": lambda: Threshold.choose(None, calibration()),
    "Tier": lambda: Tier.SAME_BYTES,
}


@pytest.mark.parametrize("name", [name for name in lookalike.__all__ if not name.islower() and name != "Collection"])
def test_what_a_public_object_prints_fits_a_screen(name: str) -> None:
    example = EXAMPLES[name]()
    assert isinstance(example, getattr(lookalike, name))
    for shown in (repr(example), f"{[example]}"):
        assert name in shown
        assert len(shown) <= LONGEST + 2
        assert "\n" not in shown


def test_an_open_collection_says_what_it_is(collection: Collection) -> None:
    assert repr(collection) == "Collection('shop', 3 items, snapshot 1, encoder 'tiny')"


def test_a_judgement_says_score_verdict_and_where_the_threshold_comes_from() -> None:
    shown = repr(EXAMPLES["Judgement"]())
    assert "score=0.333333" in shown
    assert "similar=True" in shown
    assert "source=" in shown
    assert "probabilities" not in shown


# Wrong arguments

PIXELS = make_picture(1, (40, 30))
ALONE = ["rd/cat.jpg", PurePosixPath("rd/cat.jpg"), b"bytes", PIXELS, None, 7]


@pytest.mark.parametrize("picture", ALONE, ids=lambda picture: type(picture).__name__)
def test_one_picture_in_place_of_a_list_is_refused_with_what_to_give(picture: Any, collection: Collection) -> None:
    with pytest.raises(VectorsInvalidError, match=r"pictures must be given as a list.*give \[picture\]"):
        Encoder(TinyEncoder()).encode(picture)
    with pytest.raises(VectorsInvalidError, match=r"give \[picture\]"):
        collection.search_many(picture)


def test_several_arrays_may_come_as_one() -> None:
    vectors = Encoder(TinyEncoder()).encode(np.stack([PIXELS, PIXELS]))
    assert vectors.shape == (2, 32)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (None, "not NoneType"),
        (7, "not int"),
        (["a.jpg", "b.jpg"], "one picture is wanted here, not a list of 2: encode and search_many take several"),
        (PIXELS.astype(np.float64), "must be an array of uint8, not float64"),
        (PIXELS[..., 0], "must have the shape"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_picture_is_refused_wherever_one_is_taken(picture: Any, words: str) -> None:
    encoder = Encoder(TinyEncoder())
    ways: list[Callable[[], object]] = [
        lambda: encoder.encode([picture]),
        lambda: encoder.compare(picture, PIXELS),
        lambda: encoder.judge(PIXELS, picture),
        lambda: encoder.explain(picture, PIXELS),
        lambda: encoder.prepare(picture),
        lambda: prepare(picture, encoder.spec),
    ]
    for way in ways:
        with pytest.raises(VectorsInvalidError, match=words):
            way()


# Answers


def test_a_hit_says_whether_it_is_similar_and_where_it_lies(collection: Collection) -> None:
    hits = collection.search_vectors(collection.vector("3.jpg")[None], 3)[0]
    assert [hit.similar for hit in hits] == [collection.threshold().similar(hit.score) for hit in hits]
    assert hits[0].similar
    assert {hit.confidence for hit in hits} == {None}  # this encoder has no calibration
    assert {hit.key: hit.folder for hit in hits} == {
        "shoes/red/1.jpg": "shoes/red",
        "shoes/2.jpg": "shoes",
        "3.jpg": "",
    }
    assert [hit.similar for hit in collection.similar("3.jpg", 1)] == [False]


class _WordEncoder:
    """Stands for an encoder: every picture has the vector of an item."""

    def pixels(self, image: RGB) -> RGB:
        return image

    def encode(self, images: Iterable[RGB]) -> Vectors:
        return np.stack([vector("c") for _ in images])


def test_nothing_is_similar_to_a_picture_of_one_colour(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Collection, "encoder", _WordEncoder())
    flat = np.full((80, 80, 3), 250, np.uint8)
    plain_hits, hits = collection.search_many([flat, make_picture(3)], 3)
    assert [hit.similar for hit in plain_hits] == [False] * 3
    assert "one colour" in str(plain_hits[0].score_problem)
    assert (hits[0].similar, hits[0].score_problem, hits[0].score) == (True, None, plain_hits[0].score)
    judged_hit = replace(plain_hits[0], threshold=Threshold.choose(0.0, calibration()))
    assert (judged_hit.similar, judged_hit.confidence) == (False, None)


def test_hits_of_given_neighbours_are_judged_by_a_given_threshold_only(collection: Collection) -> None:
    neighbours = collection.neighbours(collection.vector("3.jpg")[None], 3)
    assert {hit.similar for hit in collection.hits(neighbours)[0]} == {None}
    fitted = Threshold.choose(None, calibration())
    (hits,) = collection.hits(neighbours, threshold=fitted)
    assert [hit.confidence for hit in hits] == [fitted.confidence(hit.score) for hit in hits]


def test_an_item_has_what_a_hit_has(collection: Collection) -> None:
    items = {item.key: item for item in collection.items()}
    for hit in collection.similar("3.jpg", 2):
        stored = items[hit.key]
        for name in ("key", "location", "folder", "title", "product_id", "metadata"):
            assert getattr(stored, name) == getattr(hit, name)


def test_the_input_of_an_exported_network_is_made_from_its_description(tmp_path: Path) -> None:
    encoder = Encoder(TinyEncoder())
    picture = encode_png(PIXELS)
    (tmp_path / "cat.png").write_bytes(picture)
    spec = EncoderSpec.from_dict(json.loads(description(encoder.spec, "onnx"))["spec"])
    expected = preprocess.prepare(PIXELS, encoder.spec)
    for image in (picture, tmp_path / "cat.png", str(tmp_path / "cat.png"), PIXELS):
        np.testing.assert_array_equal(prepare(image, spec), expected)
        np.testing.assert_array_equal(encoder.prepare(image), expected)
