"""Do heat maps point at what makes two pictures alike? Hides what they mark, and as much elsewhere, and compares.

For pairs of different pictures of one label, the fifth of the first picture that its map marks most is painted over in
its mean colour; so is a fifth drawn at random in blocks, and the fifth that is marked least. What the score
loses each time says whether the map is right. Writes ``benchmarks/results/explanations.json``.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lookalike import Encoder
from lookalike.explanation import GRID, Map

RESULT = Path(__file__).parent / "results" / "explanations.json"
SETS = ("clothing_test", "grocery_test", "caltech101_eval", "trashnet_eval", "imagenette_val")
HIDDEN = 0.2
BLOCK = 6
"""Places a side of the blocks that are hidden at random: about as coarse as what a map marks."""

RGB = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


def pairs(folder: Path, count: int, random: np.random.Generator) -> Iterator[tuple[Path, Path]]:
    """Pairs of two different pictures of one label, drawn evenly over the labels."""
    members: dict[str, list[Path]] = {}
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            members.setdefault(row["label"], []).append(folder / row["path"])
    labels = sorted(label for label, paths in members.items() if len(paths) > 1)
    for place in range(count):
        paths = members[labels[place % len(labels)]]
        first, second = random.choice(len(paths), 2, replace=False)
        yield paths[first], paths[second]


def hidden(picture: RGB, mask: Mask) -> RGB:
    """The picture with its mean colour wherever the (GRID, GRID) mask says."""
    rows, columns = (np.arange(length) * GRID // length for length in picture.shape[:2])
    changed = picture.copy()
    changed[mask[np.ix_(rows, columns)]] = picture.mean(axis=(0, 1)).astype(np.uint8)
    return changed


def extreme(heat: Map, *, most: bool) -> Mask:
    """The fifth of the places that is marked most, or least; among equals those that come first."""
    order = np.argsort(-heat.ravel() if most else heat.ravel(), kind="stable")
    mask = np.zeros(heat.size, dtype=bool)
    mask[order[: round(HIDDEN * heat.size)]] = True
    return mask.reshape(heat.shape)


def blocks(random: np.random.Generator) -> Mask:
    """About a fifth of the places, in whole blocks."""
    side = GRID // BLOCK
    chosen = np.zeros(side * side, dtype=bool)
    chosen[random.choice(side * side, round(HIDDEN * side * side), replace=False)] = True
    return np.kron(chosen.reshape(side, side), np.ones((BLOCK, BLOCK), dtype=bool))


def losses(encoder: Encoder, first: RGB, second: RGB, random: np.random.Generator) -> tuple[float, dict[str, float]]:
    """The score of the pair, and what it loses by each way of hiding a fifth of the first picture."""
    found = encoder.explain(first, second)
    heat = found.heat_maps[0]
    masks: dict[str, Callable[[], Mask]] = {
        "marked": lambda: extreme(heat, most=True),
        "random": lambda: blocks(random),
        "least": lambda: extreme(heat, most=False),
    }
    vectors = encoder.encode([second, *(hidden(first, make()) for make in masks.values())])
    scores = vectors[1:] @ vectors[0]
    return found.score, {name: found.score - float(score) for name, score in zip(masks, scores, strict=True)}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--pairs", type=int, default=60, help="pairs of each set")
    chosen = parser.parse_args()
    encoder = Encoder.load()
    report: dict[str, object] = {"encoder": encoder.spec.digest, "hidden": HIDDEN, "pairs_of_each_set": chosen.pairs}
    for name in SETS:
        random = np.random.default_rng(0)
        rows = [
            losses(encoder, encoder.pixels(first), encoder.pixels(second), random)
            for first, second in pairs(chosen.data / name, chosen.pairs, random)
        ]
        lost = {kind: np.array([row[1][kind] for row in rows]) for kind in ("marked", "random", "least")}
        report[name] = {
            "score": round(float(np.mean([row[0] for row in rows])), 4),
            **{f"lost_{kind}": round(float(values.mean()), 4) for kind, values in lost.items()},
            "marked_beats_random": round(float((lost["marked"] > lost["random"]).mean()), 4),
            "marked_beats_least": round(float((lost["marked"] > lost["least"]).mean()), 4),
        }
        print(name, report[name])
    RESULT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
