"""How many wrong labels ``mislabelled`` finds, and how many of those that it finds are wrong.

    python -m benchmarks.mislabelled OUT.json --cache FOLDER DATASET [DATASET ...]

A data set is a folder with labels.csv (path, label), which is indexed into the cache once, with the default encoder. A
twentieth of the labels, drawn by chance, is exchanged for other ones of the set, by chance too; five times. Counted are
the share of these that is found (recall), the share of what is found that was exchanged (precision), how often the
suggested label is the true one, and the average precision of the ranking: beside it that of a vote of the 20 nearest
neighbours, and of a logistic regression that is cross-validated in five parts. All others of the labels are taken to be
right; how many of the untouched set are found says how far that may be off.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lookalike import Collection
from lookalike.insights.item_labels import ItemLabels
from lookalike.insights.mislabelled import DEFAULT_MARGIN, find_mislabelled
from lookalike.insights.subset import ItemSubset

SHARE, SEEDS, NEIGHBOURS = 0.05, 5, 20

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def index(dataset: Path, cache: Path) -> Collection:
    """The collection of a data set."""
    if not (cache / "collections" / dataset.name / "current.json").exists():
        words = ["index", str(dataset / "labels.csv"), "--collection", dataset.name, "--data", str(cache)]
        subprocess.run([sys.executable, "-m", "indexer", *words], check=True)
    return Collection.open(cache, dataset.name)


def exchange(numbers: Numbers, label_count: int, seed: int) -> tuple[Numbers, Bools]:
    """The labels with a share of them exchanged, and which those are."""
    random = np.random.default_rng(seed)
    places = random.choice(len(numbers), round(SHARE * len(numbers)), replace=False)
    exchanged = numbers.copy()
    exchanged[places] = (exchanged[places] + random.integers(1, label_count, len(places))) % label_count
    is_exchanged = np.zeros(len(numbers), np.bool_)
    is_exchanged[places] = True
    return exchanged, is_exchanged


def average_precision(scores: Floats, is_exchanged: Bools) -> float:
    """Of the ranking by these scores, highest first."""
    hits = is_exchanged[np.argsort(-scores, kind="stable")]
    ranks = np.flatnonzero(hits) + 1
    return float((np.arange(1, len(ranks) + 1) / ranks).mean())


def margins_of(shares: Floats, numbers: Numbers) -> Floats:
    """By how much the best other label beats the own one (n,), of shares (n, c)."""
    lines = np.arange(len(numbers))
    own = shares[lines, numbers]
    others = shares.copy()
    others[lines, numbers] = -np.inf
    return np.asarray(others.max(axis=1) - own)


def vote(vectors: Floats, numbers: Numbers, label_count: int) -> Floats:
    """The share of each label among the nearest neighbours (n, c)."""
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    near = np.argsort(-scores, axis=1)[:, :NEIGHBOURS]
    return np.asarray(np.stack([(numbers[near] == label).mean(axis=1) for label in range(label_count)], axis=1))


def cross_validate(vectors: Floats, numbers: Numbers) -> Floats:
    """The probability of each label by logistic regression (n, c)."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    parts = StratifiedKFold(5, shuffle=True, random_state=0)
    model = LogisticRegression(C=10, max_iter=200)
    return np.asarray(cross_val_predict(model, vectors, numbers, cv=parts, method="predict_proba"))


def measure(collection: Collection) -> dict[str, float]:
    """The figures of one set."""
    subset = ItemSubset.of(collection.searcher, None)
    labels = ItemLabels.read(subset, "label", from_folders=False)
    vectors = subset.vectors(np.arange(len(subset))).astype(np.float64)
    untouched = find_mislabelled(subset, labels)
    place_of = {item.key: place for place, item in enumerate(subset.all_records())}
    rows: list[dict[str, float]] = []
    for seed in range(SEEDS):
        numbers, is_exchanged = exchange(labels.numbers, len(labels.names), seed)
        wrong = replace(labels, numbers=numbers)
        found = find_mislabelled(subset, wrong, margin=0.0).suspects
        scores = np.full(len(subset), -1.0)
        for suspect in found:
            scores[place_of[suspect.item.key]] = suspect.margin
        sure = [suspect for suspect in found if suspect.margin >= DEFAULT_MARGIN]
        hits = [suspect for suspect in sure if is_exchanged[place_of[suspect.item.key]]]
        is_right = [suspect.suggested == labels.names[labels.numbers[place_of[suspect.item.key]]] for suspect in hits]
        votes = margins_of(vote(vectors, numbers, len(labels.names)), numbers)
        logistic = margins_of(cross_validate(vectors, numbers), numbers)
        rows.append(
            {
                "recall": len(hits) / int(is_exchanged.sum()),
                "precision": len(hits) / max(1, len(sure)),
                "suggestion_right": float(np.mean(is_right)),
                "confidence": float(np.mean([suspect.confidence for suspect in sure])),
                "average_precision": average_precision(scores, is_exchanged),
                "vote_average_precision": average_precision(votes, is_exchanged),
                "logistic_average_precision": average_precision(logistic, is_exchanged),
            }
        )
    means = {name: round(float(np.mean([row[name] for row in rows])), 3) for name in rows[0]}
    worst = {f"worst_{name}": round(min(row[name] for row in rows), 3) for name in ("recall", "precision")}
    return {"pictures": len(subset), "labels": len(labels.names), "untouched": untouched.total} | means | worst


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("datasets", type=Path, nargs="+")
    parser.add_argument("--cache", type=Path, required=True)
    arguments = parser.parse_args()
    results = {}
    for dataset in arguments.datasets:
        with index(dataset, arguments.cache) as collection:
            results[dataset.name] = measure(collection)
        print(dataset.name, json.dumps(results[dataset.name], indent=1))
    arguments.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
