"""Fits that mean nothing are refused, each with what is wrong and what to do; those that do are not."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from indexer.calibration.calibrate import CalibrationResult, Halves, calibrate, halves_of_judgements, halves_of_labels
from indexer.calibration.fit import MIN_ISOTONIC_PAIRS, Rule
from indexer.calibration.labelled_set import LabelledSet, identical_pictures
from indexer.calibration.pairs import Pairs
from lookalike.errors import LabelsMissingError, PairsInsufficientError
from lookalike.testing import TinyEncoder
from tests.unit.indexer.calibration.test_fit import clustered, listed, unit

SPEC = TinyEncoder().spec


def random_vectors(count: int, seed: int = 0) -> np.ndarray:
    return unit(np.random.default_rng(seed).standard_normal((count, 16)))


def drawn(count: int, prevalence: float, mean_of_same: float, seed: int, spread: float = 0.1) -> Pairs:
    """Independent pairs whose scores are normal, around 0.3 for different ones."""
    random = np.random.default_rng(seed)
    same = np.arange(count) < prevalence * count
    scores = random.normal(np.where(same, mean_of_same, 0.3), spread).clip(-1, 1)
    return listed(scores.tolist(), same.tolist())


def halves(prevalence: float, mean_of_same: float, count: int = 2000, spread: float = 0.1) -> Halves:
    fit_with, held = (drawn(count, prevalence, mean_of_same, seed, spread) for seed in (1, 2))
    return Halves(fit_with, held)


def fit(halves: Halves, precision: float | None = None) -> CalibrationResult:
    return calibrate(halves, SPEC, collection="shop", rule=Rule(precision))


def labelled(vectors: np.ndarray, labels: Sequence[str]) -> LabelledSet:
    return LabelledSet("'shop'", vectors, labels, [f"{label}/{row}.jpg" for row, label in enumerate(labels)])


def test_a_fit_that_means_something_is_not_refused_and_measured_on_other_pairs() -> None:
    fitted = fit(halves(0.1, 0.6), 0.9)
    assert fitted.warnings == ()
    held = fitted.calibration.held_back
    assert held is not None
    assert held.pairs == 2000
    assert held.prevalence == pytest.approx(0.1)
    assert held.precision_low <= fitted.calibration.precision <= held.precision_high
    assert "measured on 2 000 pairs that were not fitted to, of which 10 % show the same" in fitted.calibration.summary
    assert fitted.fields()["false_positive_rate"] == pytest.approx(held.false_positive_rate, abs=1e-6)


def test_scores_that_do_not_tell_same_from_different_are_refused() -> None:
    with pytest.raises(PairsInsufficientError, match=r"cannot be told apart .*95 % interval \d+ to \d+; 50 is chance"):
        fit(halves(0.1, 0.3))


def test_folders_that_say_nothing_are_refused() -> None:
    labels = [f"folder {row % 6}" for row in range(120)]
    with pytest.raises(PairsInsufficientError, match="cannot be told apart"):
        fit(halves_of_labels([labelled(random_vectors(120), labels)]))


def test_answers_the_wrong_way_round_are_refused_as_that() -> None:
    with pytest.raises(PairsInsufficientError, match="judgements are inverted"):
        fit(halves(0.1, 0.0))


def test_folders_of_copies_are_refused_with_an_example() -> None:
    vectors = random_vectors(40)
    copies = np.concatenate([vectors, unit(vectors + np.float32(1e-7))])
    labels = ["original"] * 40 + ["backup"] * 40
    words = (
        r"80 of 80 pictures of 'shop' occur under more than one label "
        r"\('original/0.jpg' \(original\) and 'backup/40.jpg' \(backup\)\)"
    )
    with pytest.raises(PairsInsufficientError, match=words + r".*folders of copies.*python -m indexer duplicates"):
        halves_of_labels([labelled(copies, labels)])


def test_a_few_pictures_under_two_labels_are_told_of_and_count_as_different() -> None:
    vectors, labels = clustered(10, 12, 0.5)
    vectors[1] = vectors[13]
    parts = halves_of_labels([labelled(vectors, labels)])
    (note,) = parts.notes
    assert note.startswith("2 of 120 pictures of 'shop' occur under more than one label ('l0/1.jpg' (l0) and")
    assert parts.notes[0] in fit(parts).warnings
    assert parts.fit.positives + parts.holdout.positives == 10 * 2 * 15


def test_copies_under_one_label_are_left_out() -> None:
    vectors, labels = clustered(10, 8, 0.5)
    twice = halves_of_labels([labelled(np.concatenate([vectors, vectors]), [*labels, *labels])])
    once = halves_of_labels([labelled(vectors, labels)])
    assert twice.notes == ("80 pictures of 'shop' are copies of others with their label and were left out",)
    assert np.array_equal(twice.holdout.scores, once.holdout.scores)
    with pytest.raises(PairsInsufficientError, match=r"one half of 'shop' \(copies left out\) has 0 and"):
        halves_of_labels([labelled(np.repeat(random_vectors(20), 6, axis=0), [str(row // 6) for row in range(120)])])


def test_only_what_is_the_same_picture_is_taken_for_it() -> None:
    vectors = random_vectors(30)
    vectors[7] = vectors[3] + np.float32(2e-7)
    vectors[9] = unit(vectors[3] + 0.02 * random_vectors(1, seed=9))[0]  # a blurred copy: cosine 0.9998
    numbers = identical_pictures(vectors)
    assert numbers[7] == numbers[3]
    assert len(np.unique(numbers)) == 29


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["cat"] * 50, r"the 50 pictures of 'shop' all have the label 'cat'.*no pair of different ones"),
        ([f"p{row}" for row in range(50)], r"a label of their own each \(p0, p1, p2, \.\.\.\).*no pair of the same"),
        ([], r"have no label"),
    ],
)
def test_labels_that_make_no_pairs_are_refused(labels: list[str], words: str) -> None:
    with pytest.raises(LabelsMissingError, match=words):
        halves_of_labels([labelled(random_vectors(len(labels)), labels)])


def test_too_few_pairs_are_refused_with_how_many_are_needed() -> None:
    with pytest.raises(PairsInsufficientError, match=r"at least 20 same and 20 different.*one half of 'shop'"):
        halves_of_labels([labelled(*clustered(3, 4, 0.5))])
    with pytest.raises(PairsInsufficientError, match="has 0 and 0"):
        halves_of_judgements(listed([], []))
    with pytest.raises(PairsInsufficientError, match="half to fit"):
        halves_of_judgements(listed(np.linspace(0, 1, 60).tolist(), [False, True] * 30))


@pytest.mark.parametrize(("same", "words"), [(True, "say yes.*different things"), (False, "say no.*the same thing")])
def test_a_list_with_one_answer_only_is_refused(same: bool, words: str) -> None:
    with pytest.raises(PairsInsufficientError, match=f"all 80 judged pairs {words}"):
        halves_of_judgements(listed(np.linspace(0, 1, 80).tolist(), [same] * 80))


def test_pairs_that_hang_on_one_picture_of_a_kind_give_no_interval() -> None:
    # The same picture in each same pair, another in each different one: most resamples lack one of the two.
    first = np.repeat([0, 50], 30)
    second = np.concatenate([np.arange(1, 31), np.arange(51, 81)])
    pairs = Pairs(first, second, first == 0, np.linspace(1, 0, 60), np.ones(60))
    with pytest.raises(PairsInsufficientError, match="depend on so few of their 62 pictures that no interval can"):
        fit(Halves(pairs, pairs))


def test_pairs_of_a_handful_of_pictures_do_not_make_a_precision() -> None:
    # All that pass are pairs of three pictures.
    first, second = np.triu_indices(40, 1)
    alike = (first < 3) & (second < 3)
    same = alike | ((first % 5 == second % 5) & (first > 20))
    scores = np.where(alike, 0.9, 0.3) + 0.001 * np.arange(len(first)) % 0.1 + 0.02 * same
    held = Pairs(first, second, same, scores, np.ones(len(first)))
    fitted_to = drawn(2000, 0.1, 0.8, seed=1)
    with pytest.raises(PairsInsufficientError, match="only 3 of the held-out pairs, of 3 pictures, reach"):
        fit(Halves(fitted_to, held), 0.9)


def test_a_threshold_that_most_different_pairs_pass_is_refused() -> None:
    # Nine of ten are the same, so that the best F1 lets nearly everything through.
    with pytest.raises(PairsInsufficientError, match=r"9\d(\.\d)? % of different pairs would pass .*--precision"):
        fit(halves(0.9, 0.4))


def test_the_same_pairs_make_a_strict_threshold() -> None:
    strict = fit(halves(0.9, 0.4), 0.97)
    assert strict.holdout_metrics.false_positive_rate < 0.4


def test_a_precision_that_may_be_no_more_than_chance_is_refused() -> None:
    parts = halves(0.3, 0.34, count=400)
    with pytest.raises(
        PairsInsufficientError, match=r"\(95 % interval 25 to 63\), which may be no more than the 30 % of all pairs"
    ):
        fit(parts, 0.5)


def test_a_precision_that_does_not_hold_on_other_pairs_is_refused_with_its_interval() -> None:
    parts = Halves(drawn(2000, 0.1, 0.6, seed=1), drawn(2000, 0.1, 0.4, seed=2, spread=0.15))
    words = r"a precision of 0\.9 was asked for, .* (\d+) % are the same \(95 % interval \d+ to \d+\).*does not hold"
    with pytest.raises(PairsInsufficientError, match=words):
        fit(parts, 0.9)


def test_a_threshold_that_hardly_any_pair_held_back_reaches_is_refused() -> None:
    parts = Halves(drawn(2000, 0.1, 0.65, seed=1), drawn(2000, 0.1, 0.35, seed=2))
    with pytest.raises(PairsInsufficientError, match=r"only [0-2] of the held-out pairs, of \d pictures, reach"):
        fit(parts, 0.97)


def test_a_confidence_that_is_the_same_for_every_score_is_refused() -> None:
    # One pair of a hundred is the same, and hardly scores higher: told apart, but with nothing to say of any pair.
    parts = halves(0.01, 0.33, count=40_000)
    with pytest.raises(PairsInsufficientError, match=r"nearly the same for every score \(0\.38 to 2\.4 %\)"):
        fit(parts)


def test_a_confidence_that_is_worse_than_none_is_refused() -> None:
    # CalibrationResult where half are the same, and held back where one of twenty is.
    parts = Halves(
        drawn(4 * MIN_ISOTONIC_PAIRS, 0.5, 0.5, seed=1), drawn(4 * MIN_ISOTONIC_PAIRS, 0.05, 0.5, seed=2, spread=0.15)
    )
    with pytest.raises(PairsInsufficientError, match=r"no better than a constant 5 % \(Brier score"):
        fit(parts)


def test_a_verdict_that_is_hardly_ever_given_is_warned_of_and_not_refused() -> None:
    def with_copies(seed: int) -> Pairs:
        pairs = drawn(20_000, 0.1, 0.4, seed)
        copies = np.flatnonzero(pairs.same)[:60]
        scores = pairs.scores.copy()
        scores[copies] = np.linspace(0.9, 0.99, 60)
        return dataclasses.replace(pairs, scores=scores)

    fitted = fit(Halves(with_copies(1), with_copies(2)), 0.9)
    assert fitted.holdout_metrics.recall.value == pytest.approx(60 / 2000, abs=0.01)
    assert [words for words in fitted.warnings if "`similar` will be rare" in words]


def test_a_verdict_that_is_mostly_wrong_is_warned_of() -> None:
    fitted = fit(halves(0.03, 0.45, count=20_000))
    assert fitted.holdout_metrics.precision.value < 0.5
    assert any(words.startswith("most pairs that pass as similar are different") for words in fitted.warnings)


def test_several_sets_are_measured_one_by_one_too() -> None:
    sets = [LabelledSet(name, *clustered(12, 12, spread), keys=[""] * 144) for name, spread in (("a", 0.4), ("b", 0.9))]
    fitted = fit(halves_of_labels(sets))
    own = {entry["name"]: entry["precision"]["value"] for entry in fitted.fields()["sets"]}
    assert list(own) == ["a", "b"]
    assert min(own.values()) <= round(fitted.calibration.precision, 4) <= max(own.values())
