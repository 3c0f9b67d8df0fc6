"""From labels and pairs to thresholds: which pairs are made, how they are divided, and what is fitted to them."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest

from indexer.calibration import pairs as drawing
from indexer.calibration.calibrate import calibrate, halves_of_labels
from indexer.calibration.fit import MIN_ISOTONIC_PAIRS, Rule, fit_map, fit_threshold
from indexer.calibration.holdout_split import split_labels, split_pairs
from indexer.calibration.judged_pairs import read_judgements
from indexer.calibration.labelled_set import LabelledSet
from indexer.calibration.pairs import Pairs, join_sets, pairs_of_labels, score_pairs
from indexer.calibration.validation import reliability, validate
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
    listing = pairs_of_labels(vectors, labels, rows, seed=1)
    expected = {
        (a, b): (labels[a] == labels[b], float(vectors[a] @ vectors[b])) for a, b in itertools.combinations(rows, 2)
    }
    made = {
        (min(a, b), max(a, b)): (bool(same), float(score))
        for a, b, same, score in zip(listing.first, listing.second, listing.same, listing.scores, strict=True)
    }
    assert len(listing) == len(expected) == 28
    assert made.keys() == expected.keys()
    assert {pair: same for pair, (same, _) in made.items()} == {pair: same for pair, (same, _) in expected.items()}
    for pair, (_, score) in expected.items():
        assert made[pair][1] == pytest.approx(score, abs=1e-6)
    assert np.all(listing.weights == 1)


def test_of_many_pairs_those_that_score_high_are_all_there_and_the_others_stand_for_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drawing, "MAX_PAIRS", 5000)
    vectors, labels = clustered(20, 20, 1.5)
    drawn = pairs_of_labels(vectors, labels, np.arange(400), seed=1)
    assert drawn.positives == 20 * 190  # fewer than are wanted, so all of them
    assert 4500 < drawn.negatives < 5500  # of 76 000
    pairs = {(min(a, b), max(a, b)) for a, b in zip(drawn.first.tolist(), drawn.second.tolist(), strict=True)}
    assert len(pairs) == len(drawn)
    names = np.array(labels)
    assert np.array_equal(names[drawn.first] == names[drawn.second], drawn.same)
    first, second = np.triu_indices(400, 1)
    different = names[first] != names[second]
    cosines = (vectors @ vectors.T)[first, second][different]
    drawn_cosines, weights = drawn.scores[~drawn.same], drawn.weights[~drawn.same]
    assert weights.sum() == pytest.approx(different.sum())
    # At the edge of a stratum the sample counts exactly what all pairs count, so in the tail that decides a threshold.
    for edge in (0.0, 0.5, 0.75):
        assert weights[drawn_cosines >= edge].sum() == pytest.approx((cosines >= edge).sum(), abs=1e-6)
    tail = np.sort(cosines)[-20:]
    assert np.allclose(np.sort(drawn_cosines)[-20:], tail, atol=1e-6)


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
    pairs = score_pairs(unit(random.standard_normal((400, 8))), ends[:, 0], ends[:, 1], np.arange(len(ends)) % 2 == 0)
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
    # Above 0.6 all are the same, between 0.4 and 0.6 one of two, below none.
    scores = [*np.linspace(0.61, 1, 300), *np.linspace(0.41, 0.59, 300), *np.linspace(0, 0.39, 300)]
    pairs = listed(scores, [True] * 300 + [True, False] * 150 + [False] * 300)
    assert 2 * fit_threshold(pairs, Rule(0.98)) - 1 == pytest.approx(0.6, abs=0.02)
    # 300 right ones and n of which half are right: (300 + n / 2) / (300 + n) is 0.9 at n = 75, a quarter of them.
    assert 2 * fit_threshold(pairs, Rule(0.9)) - 1 == pytest.approx(0.59 - 0.25 * 0.18, abs=0.02)


def test_few_pairs_do_not_vouch_for_a_precision() -> None:
    def refused(count: int) -> bool:
        pairs = listed([*np.linspace(0.6, 1, count), *np.linspace(0, 0.4, 100)], [True] * count + [False] * 100)
        try:
            fit_threshold(pairs, Rule(0.95))
        except PairsInsufficientError:
            return True
        return False

    # Of n that are all right, (n + 1) / (n + 2) can be said to be.
    assert (refused(17), refused(19)) == (True, False)


def test_a_precision_that_no_score_has_is_refused_with_the_best_there_is() -> None:
    pairs = listed([0.9, 0.8, 0.7, 0.6] * 25, [False, True, True, True] * 25)
    with pytest.raises(PairsInsufficientError, match=r"precision of 0\.99.*0\.745"):  # 76 of 102
        fit_threshold(pairs, Rule(0.99))


def test_the_precision_asked_for_is_there_on_pairs_that_were_held_back() -> None:
    precisions = []
    for seed in range(30):
        halves = halves_of_labels([LabelledSet("shop", *clustered(20, 20, 0.8, seed), keys=[""] * 400)])
        passed = (halves.holdout.scores + 1) / 2 >= fit_threshold(halves.fit, Rule(0.9))
        precisions.append(halves.holdout.same[passed].mean())
    # The lowest score whose own precision is 0.9 gives 0.893 here: it is taken for its luck.
    assert 0.9 <= np.mean(precisions) < 0.92


@pytest.mark.parametrize(("count", "method"), [(4 * MIN_ISOTONIC_PAIRS, "isotonic"), (200, "logistic")])
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
    for count in (30, MIN_ISOTONIC_PAIRS):
        scores = np.concatenate([np.linspace(0.6, 1.0, count), np.linspace(-0.2, 0.3, count)])
        found = fit_map(listed(scores.tolist(), [True] * count + [False] * count))
        assert 0 < found.probabilities.min() < 0.05
        assert 0.95 < found.probabilities.max() < 1


def test_a_step_of_few_pairs_claims_little() -> None:
    scores = [*np.linspace(0, 0.5, 2 * MIN_ISOTONIC_PAIRS), 0.9, 0.9, 0.9]
    fitted = fit_map(listed(scores, [True, False] * MIN_ISOTONIC_PAIRS + [True] * 3))
    assert fitted.method == "isotonic"
    assert fitted.apply(np.array([0.25, 0.9])) == pytest.approx([0.5, 4 / 5], abs=0.01)  # not 3 / 3


def test_a_picture_is_the_same_as_itself_whatever_the_others_score() -> None:
    pairs = listed(
        [*np.linspace(0.3, 0.8, MIN_ISOTONIC_PAIRS), *np.linspace(0, 0.6, MIN_ISOTONIC_PAIRS)],
        [True] * MIN_ISOTONIC_PAIRS + [False] * MIN_ISOTONIC_PAIRS,
    )
    confidence = fit_map(pairs).apply(np.array([0.8, 0.9, 1.0]))
    assert np.all(np.diff(confidence) > 0)
    assert confidence[-1] == pytest.approx(1 - 1 / (4 * MIN_ISOTONIC_PAIRS + 2))


def test_precision_and_recall_are_counted_among_the_pairs_held_back() -> None:
    pairs = listed([0.9, 0.9, 0.9, 0.1, 0.9, 0.1, 0.1, 0.1], [True, True, True, True, False, False, False, False])
    validation = validate(pairs, (0.75, 0.5), seed=1)
    point, everything = validation.points
    assert (point.precision.value, point.recall.value, point.false_positive_rate) == (0.75, 0.75, 0.25)
    assert point.precision_if_even == pytest.approx(0.75 / (0.75 + 0.25))
    assert point.precision.low < 0.75 < point.precision.high
    assert point.recall.low < 0.75 < point.recall.high
    assert (point.passing_pairs, point.pictures) == (4, 8)
    assert (everything.precision.value, everything.recall.value, everything.false_positive_rate) == (0.5, 1.0, 1.0)
    # Of 16 comparisons of a same and a different pair 9 are won, 1 is lost and 6 are ties.
    assert validation.auc.value == pytest.approx((9 + 6 / 2) / 16)
    assert validation.prevalence == 0.5


def test_weights_count_as_so_many_pairs() -> None:
    pairs = listed([0.9, 0.9, 0.1, 0.1], [True, False, True, False])
    weighted = dataclasses.replace(pairs, weights=np.array([3.0, 1.0, 1.0, 5.0]))
    validation = validate(weighted, (0.75,), seed=1)
    (point,) = validation.points
    assert (point.precision.value, point.recall.value) == (0.75, 0.75)
    assert point.false_positive_rate == pytest.approx(1 / 6)
    assert validation.auc.value == pytest.approx((3 * 5 + 3 / 2 + 5 / 2) / 24)
    assert validation.prevalence == 0.4


def test_a_threshold_that_nothing_reaches_has_no_precision() -> None:
    (point,) = validate(sigmoid_pairs(100, seed=1), (1.0,), seed=1).points
    assert (np.isnan(point.precision.value), point.recall.value, point.passing_pairs) == (True, 0.0, 0)


def test_few_pairs_that_are_all_right_do_not_make_a_sure_precision() -> None:
    pairs = listed([0.9] * 5 + [0.1] * 95, [True] * 5 + [True, False] * 47 + [False])
    (point,) = validate(pairs, (0.75,), seed=1).points
    # Wilson's interval of 5 in 5 (E. B. Wilson, 1927): 5 / (5 + 1.96²) to 1.
    assert point.precision.low == pytest.approx(5 / (5 + 1.96**2))
    assert point.precision.high == 1.0


def test_intervals_shrink_with_more_pictures() -> None:
    def width(count: int) -> float:
        (point,) = validate(sigmoid_pairs(count, seed=2), (0.5,), seed=1).points
        return point.precision.high - point.precision.low

    assert width(4000) < width(400) / 2


def test_the_error_of_a_map_is_the_distance_from_truth() -> None:
    pairs = listed([0.5, 0.5, 0.5, 0.5], [True, True, False, False])
    found = reliability(pairs, np.full(4, 0.8))
    assert found.error == pytest.approx(0.3)
    assert found.brier == pytest.approx((0.2**2 + 0.8**2) / 2)
    assert (found.mean_confidence.tolist(), found.share_of_same.tolist()) == (
        [pytest.approx(0.8)],
        [pytest.approx(0.5)],
    )


def test_several_sets_weigh_the_same_and_stay_apart() -> None:
    small, large = sigmoid_pairs(100, 1), sigmoid_pairs(900, 2)
    both = join_sets([small, large])
    assert both.weights[:100].sum() == pytest.approx(both.weights[100:].sum())
    ends = {*both.first[:100].tolist(), *both.second[:100].tolist()}
    assert not ends & {*both.first[100:].tolist(), *both.second[100:].tolist()}


def test_a_calibration_of_easy_pictures_is_good_and_says_so() -> None:
    halves = halves_of_labels([LabelledSet("shop", *clustered(12, 12, 0.5), keys=[""] * 144)])
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


def test_judged_pairs_are_read_in_every_spelling(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("note,key_a,key_b,same\nx,a,b,yes\ny,b,c,No\nz,c,d,TRUE\n,d,e,0\n,b,a,1\n", encoding="utf-8-sig")
    assert [(answer.key_a, answer.key_b, answer.same) for answer in read_judgements(path)] == [
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
        ("key_a,key_b,same\na,b,yes\nc,d,no\nb,a,no\n", r"line 4: it contradicts line 2"),
        ('key_a,key_b,same\n"a,b,yes\n', r"line \d: it is no valid CSV"),
    ],
)
def test_a_bad_line_of_judged_pairs_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(text)
    with pytest.raises(ManifestError, match=message):
        read_judgements(path)
    with pytest.raises(EntryMissingError, match=r"none\.csv"):
        read_judgements(tmp_path / "none.csv")
