"""From labels and pairs to thresholds: which pairs are made, how they are divided, and what is fitted to them."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from indexer.calibration import pairs as drawing
from indexer.calibration.answers import read_answers
from indexer.calibration.calibrating import calibrate, halves_of_answers, halves_of_labels
from indexer.calibration.checking import at_threshold, reliability
from indexer.calibration.fitting import ENOUGH, Rule, fit_map, fit_threshold
from indexer.calibration.halves import split_labels, split_pairs
from indexer.calibration.pairs import Pairs, joined, pairs_of_labels, scored
from lookalike.errors import EntryMissingError, ManifestError, PairsInsufficientError
from lookalike.testing import TinyEncoder

SPEC = TinyEncoder().spec


def unit(vectors: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def clustered(labels: int, each: int, spread: float, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Unit vectors around a centre for each label; the smaller the spread, the easier."""
    random = np.random.default_rng(seed)
    centres = unit(random.standard_normal((labels, 16)))
    noise = random.standard_normal((labels, each, 16)) * spread / 4
    return unit((centres[:, None] + noise).reshape(-1, 16)), [f"l{n}" for n in range(labels) for _ in range(each)]


def listed(scores: list[float], same: list[bool]) -> Pairs:
    """Pairs of pictures that are in one pair each."""
    n = len(scores)
    return Pairs(np.arange(n) * 2, np.arange(n) * 2 + 1, np.array(same), np.array(scores), np.ones(n))


def sigmoid_pairs(count: int, seed: int) -> Pairs:
    """Pairs whose probability to be the same is 1 / (1 + exp(-8 · cosine))."""
    random = np.random.default_rng(seed)
    scores = random.uniform(-1, 1, count)
    same = random.uniform(0, 1, count) < 1 / (1 + np.exp(-8 * scores))
    return listed(scores.tolist(), same.tolist())


def test_few_pictures_give_every_pair_once_with_its_cosine() -> None:
    vectors, labels = clustered(3, 4, 1.0)
    rows = np.array([0, 1, 2, 4, 5, 8, 9, 10])
    found = pairs_of_labels(vectors, labels, rows, seed=1)
    expected = {
        (a, b): (labels[a] == labels[b], float(vectors[a] @ vectors[b])) for a, b in itertools.combinations(rows, 2)
    }
    got = {
        (min(a, b), max(a, b)): (bool(same), float(score))
        for a, b, same, score in zip(found.first, found.second, found.same, found.scores, strict=True)
    }
    assert len(found) == len(expected) == 28
    assert got.keys() == expected.keys()
    assert {pair: same for pair, (same, _) in got.items()} == {pair: same for pair, (same, _) in expected.items()}
    for pair, (_, score) in expected.items():
        assert got[pair][1] == pytest.approx(score, abs=1e-6)
    assert np.all(found.weights == 1)


def test_a_sample_stands_for_all_pairs_and_has_the_hard_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "MOST_PAIRS", 300)
    vectors, labels = clustered(20, 10, 1.5)
    found = pairs_of_labels(vectors, labels, np.arange(200), seed=1)
    assert found.positives == 300
    assert found.weights[found.same].sum() == pytest.approx(20 * 45)
    assert found.weights[~found.same].sum() == pytest.approx(200 * 199 / 2 - 900)
    pairs = {(min(a, b), max(a, b)) for a, b in zip(found.first.tolist(), found.second.tolist(), strict=True)}
    assert len(pairs) == len(found)
    names = np.array(labels)
    assert np.array_equal(names[found.first] == names[found.second], found.same)
    cosines = vectors @ vectors.T
    cosines[names[:, None] == names[None]] = -2
    nearest = {(min(row, int(best)), max(row, int(best))) for row, best in enumerate(cosines.argmax(axis=1))}
    assert nearest <= pairs
    everything = cosines[np.triu_indices(200, 1)]
    tail = (everything > 0.5).sum() / (everything > -2).sum()
    different = ~found.same
    estimate = found.weights[different & (found.scores > 0.5)].sum() / found.weights[different].sum()
    assert estimate == pytest.approx(tail, rel=0.5)


def test_no_picture_is_in_both_halves_and_small_labels_stay_whole() -> None:
    labels = [f"big{n % 3}" for n in range(60)] + [f"pair{n // 2}" for n in range(40)] + ["alone"]
    one, other = split_labels(labels, seed=3)
    assert sorted([*one, *other]) == list(range(101))
    assert abs(len(one) - len(other)) <= 3
    for kind in {name for name in labels if name.startswith("pair")}:
        assert len({n in set(one.tolist()) for n, name in enumerate(labels) if name == kind}) == 1
    for kind in ("big0", "big1", "big2"):
        assert sum(labels[n] == kind for n in one) == 10


@pytest.mark.parametrize("linked", [False, True])
def test_judged_pairs_are_divided_by_picture(linked: bool) -> None:
    random = np.random.default_rng(0)
    ends = random.integers(0, 40, (400, 2)) if linked else np.arange(400).reshape(200, 2)
    ends = ends[ends[:, 0] != ends[:, 1]]
    pairs = scored(unit(random.standard_normal((400, 8))), ends[:, 0], ends[:, 1], np.arange(len(ends)) % 2 == 0)
    one, other = split_pairs(pairs, seed=1)
    assert not (set(one.first) | set(one.second)) & (set(other.first) | set(other.second))
    assert min(len(one), len(other)) > 60
    if not linked:
        assert len(one) + len(other) == 200
        assert (one.positives, other.positives) == (50, 50)


def test_the_threshold_of_best_f1_lies_between_the_scores_that_it_divides() -> None:
    pairs = listed([0.9, 0.8, 0.7, 0.6, 0.2, 0.1], [True, True, True, False, False, False])
    assert fit_threshold(pairs, Rule()) == pytest.approx((0.65 + 1) / 2)


def test_the_threshold_of_a_precision_lets_as_much_through_as_that_allows() -> None:
    scores = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]
    pairs = listed(scores, [True, True, True, False, True, False])
    assert fit_threshold(pairs, Rule(1.0)) == pytest.approx((0.65 + 1) / 2)
    assert fit_threshold(pairs, Rule(0.8)) == pytest.approx((0.45 + 1) / 2)  # four of five


def test_a_precision_that_no_score_has_is_refused_with_the_best_there_is() -> None:
    pairs = listed([0.9, 0.8, 0.7, 0.6], [False, True, True, True])
    with pytest.raises(PairsInsufficientError, match=r"precision of 0\.99.*0\.750"):
        fit_threshold(pairs, Rule(0.99))


@pytest.mark.parametrize(("count", "method"), [(4 * ENOUGH, "isotonic"), (200, "logistic")])
def test_the_map_finds_the_probability_that_the_pairs_were_drawn_with(count: int, method: str) -> None:
    found = fit_map(sigmoid_pairs(count, seed=4))
    assert found.method == method
    assert np.all(np.diff(found.scores) > 0)
    assert np.all(np.diff(found.probabilities) >= 0)
    at = np.linspace(-0.9, 0.9, 19)
    truth = 1 / (1 + np.exp(-8 * at))  # as many are the same as are different, so balancing changes nothing
    assert np.abs(found.apply(at) - truth).mean() < 0.06


@pytest.mark.parametrize("count", [100, 3000])
def test_confidence_is_the_share_of_same_pairs_among_those_with_the_score(count: int) -> None:
    random = np.random.default_rng(1)
    same = random.uniform(0, 1, 600).tolist()
    different = random.uniform(-0.5, 0.5, count * 2).tolist()
    found = fit_map(listed([*same, *different], [True] * 600 + [False] * len(different)))
    assert found.apply(np.array([0.25]))[0] == pytest.approx(600 / (600 + 2 * count), abs=0.06)


def test_pairs_without_overlap_do_not_claim_certainty() -> None:
    for count in (30, ENOUGH):
        scores = np.concatenate([np.linspace(0.6, 1.0, count), np.linspace(-0.2, 0.3, count)])
        found = fit_map(listed(scores.tolist(), [True] * count + [False] * count))
        assert 0 < found.probabilities.min() < 0.05
        assert 0.95 < found.probabilities.max() < 1


def test_answers_the_wrong_way_round_are_noticed() -> None:
    scores = np.linspace(0, 1, 60)
    with pytest.raises(PairsInsufficientError, match="no higher than different"):
        fit_map(listed(scores.tolist(), (scores < 0.5).tolist()))


def test_precision_and_recall_are_counted_among_the_pairs_held_back() -> None:
    pairs = listed([0.9, 0.9, 0.9, 0.1, 0.9, 0.1, 0.1, 0.1], [True, True, True, True, False, False, False, False])
    found = at_threshold(pairs, 0.75, seed=1)
    assert (found.precision.value, found.recall.value, found.strangers) == (0.75, 0.75, 0.25)
    assert found.if_even == pytest.approx(0.75 / (0.75 + 0.25))
    assert found.precision.low < 0.75 < found.precision.high
    assert found.recall.low < 0.75 < found.recall.high


def test_intervals_shrink_with_more_pictures() -> None:
    def width(count: int) -> float:
        figure = at_threshold(sigmoid_pairs(count, seed=2), 0.5, seed=1).precision
        return figure.high - figure.low

    assert width(4000) < width(400) / 2


def test_the_error_of_a_map_is_the_distance_from_truth() -> None:
    pairs = listed([0.5, 0.5, 0.5, 0.5], [True, True, False, False])
    found = reliability(pairs, np.full(4, 0.8))
    assert found.error == pytest.approx(0.3)
    assert found.brier == pytest.approx((0.2**2 + 0.8**2) / 2)
    assert (found.said.tolist(), found.true.tolist()) == ([pytest.approx(0.8)], [pytest.approx(0.5)])


def test_several_sets_weigh_the_same_and_stay_apart() -> None:
    small, large = sigmoid_pairs(100, 1), sigmoid_pairs(900, 2)
    both = joined([small, large])
    assert both.weights[:100].sum() == pytest.approx(both.weights[100:].sum())
    ends = {*both.first[:100].tolist(), *both.second[:100].tolist()}
    assert not ends & {*both.first[100:].tolist(), *both.second[100:].tolist()}


def test_a_calibration_of_easy_pictures_is_good_and_says_so() -> None:
    halves = halves_of_labels([clustered(12, 12, 0.5)])
    fitted = calibrate(halves, SPEC, collection="shop", rule=Rule())
    made = fitted.calibration
    assert (made.encoder, made.encoder_digest, made.collection, made.rule) == ("tiny", SPEC.digest, "shop", "best F1")
    assert min(made.precision, made.recall) > 0.95
    assert made.brier < 0.03
    assert made.positives == 12 * 2 * 15
    assert made.confidence(0.95) > 0.9
    assert made.confidence(0.0) < 0.1
    strict = calibrate(halves, SPEC, collection="shop", rule=Rule(0.99)).calibration
    assert strict.rule == "precision 0.99"
    assert calibrate(halves, SPEC, collection="shop", rule=Rule()).calibration.scores == made.scores


def test_too_few_pairs_are_refused_with_how_many_are_needed() -> None:
    with pytest.raises(PairsInsufficientError, match="at least 20 same and 20 different"):
        halves_of_labels([clustered(3, 4, 0.5)])
    with pytest.raises(PairsInsufficientError, match="has 0 and 0"):
        halves_of_answers(listed([], []))
    with pytest.raises(PairsInsufficientError, match="half to fit"):
        halves_of_answers(sigmoid_pairs(60, seed=1))


def test_judged_pairs_are_read_in_every_spelling(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("note,key_a,key_b,same\nx,a,b,yes\ny,b,c,No\nz,c,d,TRUE\n,d,e,0\n,b,a,1\n", encoding="utf-8-sig")
    assert [(answer.key_a, answer.key_b, answer.same) for answer in read_answers(path)] == [
        ("a", "b", True),
        ("b", "c", False),
        ("c", "d", True),
        ("d", "e", False),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"lacks key_a, key_b, same"),
        ("key_a,key_b\na,b\n", r"lacks same \(columns found: key_a, key_b\)"),
        ("key_a,key_b,same\na,b,yes\nb,c,maybe\n", r"line 3: same is 'maybe'"),
        ("key_a,key_b,same\na,b\n", r"line 2: it needs a value"),
        ("key_a,key_b,same\na,a,yes\n", r"line 2: both keys are the same"),
        ("key_a,key_b,same\na,b,yes\nc,d,no\nb,a,no\n", r"line 4: it says the opposite of line 2"),
        ('key_a,key_b,same\n"a,b,yes\n', r"line \d: it is no valid CSV"),
    ],
)
def test_a_bad_line_of_judged_pairs_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(text)
    with pytest.raises(ManifestError, match=message):
        read_answers(path)
    with pytest.raises(EntryMissingError, match=r"none\.csv"):
        read_answers(tmp_path / "none.csv")
