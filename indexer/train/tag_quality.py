"""How right tags are, on labelled pictures that no fit has seen; see ``indexer.train.tag_truth`` for what is right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer.train.features import Run
from indexer.train.quality import read_set
from indexer.train.tag_truth import right_words
from indexer.train.tag_words import class_synsets
from lookalike.api import Encoder
from lookalike.encoder.tags import MIN_CONFIDENCE, TagHead, require_head

SETS = {
    "imagenette_val": "imagenette",
    "caltech101_eval": "caltech101",
    "grocery_test": "grocery",
    "clothing_test": "clothing",
}
"""The test sets, and the source of pictures whose labels theirs are."""

BINS = 10
BANDS = ((MIN_CONFIDENCE, 0.9), (0.9, 0.95), (0.95, 1.001))

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class TaggedSet:
    """Pictures of a set with ``confidences`` (n, words) and what is ``right`` (n, words) to say of each.

    ``classes`` (n,) are the classes of highest probability, ``teacher`` (n, 5) the published classifier's five best
    ones, the best first.
    """

    name: str
    confidences: Floats
    right: Mask
    classes: npt.NDArray[np.int64]
    teacher: npt.NDArray[np.int64]


def measure_tags(data: Path, encoder: Encoder, classify: Run) -> dict[str, dict[str, float]]:
    """Figures of an encoder's tags by set, and over all of them.

    ``classify`` gives the published classifier's logits (m, classes) of squares of its input size.
    """
    head = require_head(encoder.spec)
    sets = list(_tagged_sets(data, encoder, head, classify))
    figures = {tagged.name: _figures(head, [tagged]) for tagged in sets}
    return figures | {"all sets": _figures(head, sets)}


def _tagged_sets(data: Path, encoder: Encoder, head: TagHead, classify: Run) -> Iterator[TaggedSet]:
    classes = tuple(class_synsets())
    for name, source in SETS.items():
        pictures = read_set(data / name, encoder.spec.input_size)
        squares = read_set(data / name, 224) if encoder.spec.input_size != 224 else pictures
        vectors = encoder.encode(pictures.pixels)
        truths = [right_words(source, label, classes) for label in pictures.names]
        right = np.stack([np.zeros(len(head.vocabulary.words), np.bool_) if row is None else row for row in truths])
        best = (vectors @ head.weight.T + head.bias).argmax(axis=1)
        five = np.argsort(-classify(iter(squares.pixels)), axis=1)[:, :5]
        yield TaggedSet(name, head.confidences(vectors), right, best, five)


def _figures(head: TagHead, sets: Sequence[TaggedSet]) -> dict[str, float]:
    confidences = np.concatenate([tagged.confidences for tagged in sets])
    right = np.concatenate([tagged.right for tagged in sets])
    chosen = [head.vocabulary.places([tag.word for tag in head.vocabulary.choose(row)]) for row in confidences]
    given = np.zeros_like(right)
    for row, places in enumerate(chosen):
        given[row, places] = True
    specific = np.arange(given.shape[1]) < head.vocabulary.specific
    first_right = [bool(right[row, places[0]]) for row, places in enumerate(chosen) if places]
    best, teacher = (
        np.concatenate([tagged.classes for tagged in sets]),
        np.concatenate([tagged.teacher for tagged in sets]),
    )
    figures = {
        "pictures": float(len(right)),
        "with a tag": float(np.mean(given.any(axis=1))),
        "with a specific tag": float(np.mean(given[:, specific].any(axis=1))),
        "with a right tag": float(np.mean((given & right).any(axis=1))),
        "tags a picture": float(given.sum() / len(given)),
        "precision of all tags": _share(right, given),
        "precision of specific tags": _share(right, given & specific),
        "precision of general tags": _share(right, given & ~specific),
        "precision of the first tag": float(np.mean(first_right)) if first_right else 0.0,
        "recall of the specific word": _recall(given & specific, right & specific),
        "calibration error of specific words": calibration_error(confidences[:, specific], right[:, specific]),
        "calibration error of general words": calibration_error(confidences[:, ~specific], right[:, ~specific]),
        "agreement with the classifier": float(np.mean(best == teacher[:, 0])),
        "among the classifier's five": float(np.mean((best[:, None] == teacher).any(axis=1))),
    }
    for low, high in BANDS:
        is_between = given & (confidences >= low) & (confidences < high)
        figures[f"right from {low:.2f} to {min(high, 1.0):.2f}"] = _share(right, is_between)
        figures[f"tags from {low:.2f} to {min(high, 1.0):.2f}"] = float(is_between.sum())
    return figures


def _share(right: Mask, given: Mask) -> float:
    return float(right[given].mean()) if given.any() else float("nan")


def _recall(given: Mask, right: Mask) -> float:
    """Of the pictures that a specific word fits, the share that gets it."""
    has_word = right.any(axis=1)
    return float((given & right)[has_word].any(axis=1).mean()) if has_word.any() else float("nan")


def calibration_error(confidences: Floats, right: Mask, least: float = 0.05) -> float:
    """Mean distance of confidence and share of right words over equally wide bins, weighted by the bins' words.

    Words below ``least`` are left out: nearly all of the thousand words of a picture are there (expected calibration
    error, Naeini et al., 2015).
    """
    is_said = confidences >= least
    values, truth = confidences[is_said], right[is_said]
    if not len(values):
        return float("nan")
    bins = np.minimum((values * BINS).astype(np.int64), BINS - 1)
    errors = [
        abs(values[bins == number].mean() - truth[bins == number].mean()) * np.mean(bins == number)
        for number in range(BINS)
        if np.any(bins == number)
    ]
    return float(np.sum(errors))


def quality_lines(figures: dict[str, dict[str, float]]) -> str:
    """The figures as a Markdown table: a row a figure, a column a set."""
    names = list(figures)
    head = f"| | {' | '.join(names)} |\n|{' --- |' * (len(names) + 1)}"
    rows = []
    for figure in figures[names[0]]:
        is_count = figure == "pictures" or figure.startswith("tags from")
        cells = [f"{figures[name][figure]:.0f}" if is_count else f"{figures[name][figure]:.3f}" for name in names]
        rows.append(f"| {figure} | {' | '.join(cells)} |")
    return "\n".join([head, *rows])
