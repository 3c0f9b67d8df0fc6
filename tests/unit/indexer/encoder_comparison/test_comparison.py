"""What two encoders' vectors say about changed answers, on vectors that can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from indexer.encoder_comparison.comparison import Subject, answers, compare, unrelated_pairs, usable_label_rows
from indexer.encoder_comparison.switch import switch_of
from lookalike.catalogue.records import CollectionRecord, CollectionSettings, SourceRecord
from lookalike.collection.index_command import default_memory
from lookalike.options import EncoderRequest, ImageLimits, Places
from lookalike.testing import TinyEncoder
from lookalike.thresholds import Threshold


def at(*degrees: float) -> npt.NDArray[np.float32]:
    """Unit vectors in the plane: the cosine of two is that of the angle between them."""
    turns = np.radians(degrees)
    return np.stack([np.cos(turns), np.sin(turns)], axis=1).astype(np.float32)


def subject(name: str, vectors: npt.NDArray[np.float32], threshold: float = 0.9) -> Subject:
    return Subject(name, TinyEncoder().spec, Threshold(threshold, "given"), vectors, 1.0)


def test_answers_are_the_others_best_first() -> None:
    rows, scores = answers(at(0, 10, 30, 90), 2)
    assert rows.tolist() == [[1, 2], [0, 2], [1, 0], [2, 1]]
    assert scores[0] == pytest.approx(np.cos(np.radians([10, 30])), abs=1e-6)
    assert scores[3] == pytest.approx(np.cos(np.radians([60, 80])), abs=1e-6)


def test_answers_of_a_large_set_are_those_of_plain_sorting() -> None:
    vectors = np.random.default_rng(1).standard_normal((700, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = vectors.astype(np.float64) @ vectors.T
    np.fill_diagonal(scores, -9)
    assert (answers(vectors, 1)[0][:, 0] == scores.argmax(axis=1)).all()


def test_copies_of_a_picture_do_not_count_as_changed_answers() -> None:
    vectors = at(0, 20, 20, 20, 80)
    noise = np.array([[0, 0], [0, 0], [0, 2e-8], [0, -2e-8], [0, 0]], dtype=np.float32)
    found = compare(subject("a", vectors), subject("b", vectors + noise), [None] * 5, k=1)
    assert (found.overlap, found.first_stays) == (1.0, 1.0)


def test_overlap_and_first_answers_are_counted_over_the_queries() -> None:
    before, after = at(0, 10, 30, 90), at(0, 90, 30, 10)
    found = compare(subject("a", before), subject("b", after), [None] * 4, k=2)
    # Before, 0 finds 1 and 2, 1 finds 0 and 2, 2 finds 1 and 0, 3 finds 2 and 1.
    # After: 0 -> 3 (10°), 2 (30°); 1 -> 2 (60°), 3 (80°); 2 -> 3 (20°), 0 (30°); 3 -> 0 (10°), 2 (20°)
    assert found.overlap == pytest.approx((1 / 2 + 1 / 2 + 1 / 2 + 1 / 2) / 4)
    assert found.first_stays == 0.0
    assert [query.row for query in found.changed_queries] == [0, 1, 2, 3]
    (first, second) = found.changed_queries[0].after
    assert (first[0], second[0]) == (3, 2)
    assert (first[1], second[1]) == pytest.approx(np.cos(np.radians([10, 30])), abs=1e-6)


def test_the_query_that_changed_most_is_shown_first() -> None:
    before, after = at(0, 5, 100, 105, 200, 205), at(0, 5, 100, 200, 107, 205)
    found = compare(subject("a", before), subject("b", after), [None] * 6, k=1)
    # 2 found 3 and now finds 4; 3 found 2 and now finds 5; 4 found 5, now 2; 5 found 4, now 3.
    assert [(query.row, query.overlap) for query in found.changed_queries] == [
        (2, 0),
        (3, 0),
        (4, 0),
        (5, 0),
        (0, 1),
        (1, 1),
    ]


def test_scores_are_told_normalised_with_the_share_above_the_threshold() -> None:
    found = compare(subject("a", at(0, 60, 180), 0.7), subject("b", at(0, 0, 0), 0.7), [None] * 3, k=1)
    # First answers: 60°, 60°, 120°, so cosines 0.5, 0.5, -0.5; pairs: 60°, 180°, 120°.
    assert found.before.first.mean == pytest.approx((0.75 + 0.75 + 0.25) / 3, abs=1e-6)
    assert found.before.first.similar == pytest.approx(2 / 3)
    assert found.before.unrelated_scores.mean == pytest.approx((0.75 + 0.0 + 0.25) / 3, abs=1e-6)
    assert found.before.unrelated_scores.quantiles[2] == pytest.approx(0.25, abs=1e-6)
    assert found.after.first.quantiles == pytest.approx((1, 1, 1, 1, 1), abs=1e-6)


def test_quality_is_measured_on_labels_and_strangers_have_different_ones() -> None:
    vectors = at(0, 10, 90, 100)
    found = compare(subject("a", vectors), subject("b", vectors[[0, 2, 1, 3]]), ["x", "x", "y", "y"], k=1)
    assert found.labelled_count == 4
    assert found.before.quality is not None
    assert found.after.quality is not None
    assert found.before.quality.recall_at_1.value == 1.0
    assert found.after.quality.recall_at_1.value == 0.0
    apart = [90, 100, 80, 90]  # degrees between each x and each y
    assert found.before.unrelated_scores.mean == pytest.approx(np.mean((1 + np.cos(np.radians(apart))) / 2), abs=1e-6)


@pytest.mark.parametrize(
    ("labels", "rows"),
    [
        (["x", "x", "y"], [0, 1, 2]),
        (["x", None, "x", "y"], [0, 2, 3]),
        (["x", "x", "x"], []),
        (["x", "y", "z"], []),
        ([None, None], []),
    ],
)
def test_labels_that_cannot_tell_right_from_wrong_are_not_used(labels: list[str | None], rows: list[int]) -> None:
    assert usable_label_rows(labels) == rows


def test_strangers_of_a_large_set_are_drawn_the_same_each_time_and_never_a_picture_with_itself() -> None:
    labels = [str(row % 7) for row in range(1000)]
    first, second = unrelated_pairs(labels)
    assert 40_000 < len(first) < 50_000  # a seventh of 50 000 draws has one label twice
    assert all(one % 7 != other % 7 for one, other in zip(first.tolist(), second.tolist(), strict=True))
    again = unrelated_pairs(labels)
    assert (first == again[0]).all()
    assert (second == again[1]).all()
    alone = unrelated_pairs([None] * 1000)
    assert (alone[0] != alone[1]).all()


def record(source: SourceRecord, settings: CollectionSettings) -> CollectionRecord:
    now = datetime(2020, 1, 1, tzinfo=UTC)
    return CollectionRecord(1, "shop", source, EncoderRequest("bundled"), settings, 1, now, now)


def test_the_commands_keep_the_collections_source_and_settings() -> None:
    source = SourceRecord("manifest", "/pics/my list.csv", "/mnt/img")
    kept = record(source, CollectionSettings("exact", 5, 8 * 2**20, 12_000_000))
    switch = switch_of(kept, EncoderRequest("bundled"), EncoderRequest("vgg16", "last", 160), Places(Path("my data")))
    where = "--collection shop --data 'my data'"
    settings = "--images-root /mnt/img --engine exact --keep 5 --max-megabytes 8 --max-megapixels 12 --reencode"
    index = f"python -m indexer index '/pics/my list.csv' {where}"
    assert switch.rebuild == f"{index} --encoder vgg16 --fusion last --input-size 160 {settings}"
    assert switch.back == f"python -m indexer rollback {where}"
    assert switch.stay == f"{index} --encoder bundled {settings}"


def test_the_commands_leave_default_settings_out() -> None:
    limits = ImageLimits()
    settings = CollectionSettings("auto", 3, limits.max_bytes, limits.max_pixels, memory=default_memory())
    kept = record(SourceRecord("folder", "/pics"), settings)
    switch = switch_of(kept, EncoderRequest("bundled"), EncoderRequest("vgg16"), Places(Path("data")))
    index = "python -m indexer index /pics --collection shop --data data --encoder vgg16"
    assert switch.rebuild == f"{index} --reencode"
    kept = record(SourceRecord("folder", "/pics"), replace(settings, memory=5_638_031_900))
    switch = switch_of(kept, EncoderRequest("bundled"), EncoderRequest("vgg16"), Places(Path("data")))
    assert switch.rebuild == f"{index} --memory 5.64 --reencode"


def test_the_password_of_a_database_is_not_printed() -> None:
    kept = record(SourceRecord("folder", "/pics"), CollectionSettings("exact", 2, 2**20, 10**6))
    places = Places(Path("data"), database_url="postgresql+psycopg://me:secret@host/db")
    switch = switch_of(kept, EncoderRequest("bundled"), EncoderRequest("vgg16"), places)
    assert "secret" not in switch.text("bundled", "vgg16")
    assert (
        switch.back == 'python -m indexer rollback --collection shop --data data --database "$LOOKALIKE_DATABASE_URL"'
    )
