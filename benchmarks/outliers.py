"""How many strangers ``outliers`` finds by density, and how many faulty pictures by quality.

    python -m benchmarks.outliers OUT.json --cache FOLDER DATASET DATASET [DATASET ...]

A data set is a folder with labels.csv (path, label); vectors of the encoder bundled are kept in the cache.

Density: among 200 pictures of one set are 10 of another one, drawn by chance, or of one or two classes of it, so that
they are alike. Counted is how many of the first ten are strangers, over all pairs of sets, four times each: for the
distance from the k-th nearest neighbour, the mean distance of the k nearest, and the local outlier factor (M. Breunig,
H.-P. Kriegel, R. Ng, J. Sander, 2000).

Quality: a hundred pictures, as many of each set, are blurred, darkened, overexposed, and replaced by their mean colour,
by several degrees each, saved as JPEG of quality 88, and read as the product reads them. Counted is how many are found
with the fault, and how many of all untouched pictures of the sets are found with any.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.relevance_feedback import Floats, embed
from lookalike.catalogue.records import ItemDraft
from lookalike.duplicates.quality import measure_quality
from lookalike.images import decode, encode_jpeg
from lookalike.insights.outliers import DEFAULT_NEIGHBOURS
from lookalike.insights.picture_faults import FaultKind, find_faults

OWN, STRANGERS, DRAWS = 200, 10, 4
NEIGHBOURS = (5, 10, DEFAULT_NEIGHBOURS, 20, 30)
FAULTY, QUALITY, FIT = 100, 88, 256

Pixels = npt.NDArray[np.uint8]


def scores_of(vectors: Floats) -> Iterator[tuple[str, Floats]]:
    """How strange each vector is (n,), by each measure."""
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    for k in NEIGHBOURS:
        near = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
        distances = 1 - np.take_along_axis(cosines, near, axis=1)
        kth = distances[:, -1]
        yield f"distance of the {k}th", kth
        yield f"mean distance of {k}", distances.mean(axis=1)
        density = 1 / np.maximum(np.maximum(kth[near], distances).mean(axis=1), 1e-9)
        yield f"local outlier factor, {k}", density[near].mean(axis=1) / density


def draw_strangers(
    labels: npt.NDArray[np.str_], random: np.random.Generator, *, are_alike: bool
) -> npt.NDArray[np.int64]:
    """Ten places: any, or those of as few labels as have so many pictures."""
    if not are_alike:
        return random.choice(len(labels), STRANGERS, replace=False)
    order = np.concatenate([np.flatnonzero(labels == label) for label in random.permutation(np.unique(labels))])
    return np.asarray(order[:STRANGERS], np.int64)


def measure_density(sets: dict[str, tuple[Floats, npt.NDArray[np.str_]]], *, are_alike: bool) -> dict[str, object]:
    """The mean number of strangers among the first ten: over all pairs of sets, and of the product's measure by set."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    by_set: defaultdict[str, list[int]] = defaultdict(list)
    for own, other in permutations(sets, 2):
        for seed in range(DRAWS):
            random = np.random.default_rng(seed)
            residents = sets[own][0][random.choice(len(sets[own][0]), OWN, replace=False)]
            strangers = sets[other][0][draw_strangers(sets[other][1], random, are_alike=are_alike)]
            for name, scores in scores_of(np.concatenate([residents, strangers])):
                first = np.argsort(-scores, kind="stable")[:STRANGERS]
                found[name].append(int(np.count_nonzero(first >= OWN)))
                if name == f"distance of the {DEFAULT_NEIGHBOURS}th":
                    by_set[own].append(found[name][-1])
    means = {name: round(float(np.mean(counts)), 2) for name, counts in found.items()}
    return {"all": means, "by_set": {name: round(float(np.mean(counts)), 2) for name, counts in by_set.items()}}


def versions(pixels: Pixels, random: np.random.Generator) -> Iterator[tuple[str, FaultKind, Pixels]]:
    """A picture with each fault, and what it is to be found as."""
    side = max(pixels.shape[:2])
    for share in (0.3, 0.5, 1.0, 2.0):
        yield (
            f"blur {share:g} %",
            FaultKind.BLURRED,
            np.asarray(cv2.GaussianBlur(pixels, (0, 0), side * share / 100), np.uint8),
        )
    for share in (2, 4):
        length = max(3, round(side * share / 100))
        kernel = np.zeros((length, length), np.float32)
        kernel[length // 2] = 1 / length
        yield f"motion {share} %", FaultKind.BLURRED, cv2.filter2D(pixels, -1, kernel).astype(np.uint8)
    light = (pixels.astype(np.float32) / 255) ** 2.2
    for stops in (-2, -3, -4, 1, 2, 3):
        kind = FaultKind.DARK if stops < 0 else FaultKind.OVEREXPOSED
        yield (
            f"exposure {stops:+d}",
            kind,
            (np.clip(light * 2.0**stops, 0, 1) ** (1 / 2.2) * 255).round().astype(np.uint8),
        )
    colour = pixels.reshape(-1, 3).mean(axis=0)
    noise = random.normal(0, 1.5, pixels.shape)
    yield "one colour", FaultKind.EMPTY, np.clip(colour + noise, 0, 255).astype(np.uint8)
    slope = np.linspace(-6, 6, pixels.shape[1])[None, :, None]
    yield "a faint gradient", FaultKind.EMPTY, np.clip(colour + slope + noise, 0, 255).astype(np.uint8)


def faults_of(data: bytes) -> set[FaultKind]:
    """What the product says of a file."""
    picture = decode(data, fit=FIT)
    draft = ItemDraft("", "", "", len(data), picture.width, picture.height, picture.format)
    return {fault.kind for fault in find_faults(draft, measure_quality(picture.pixels))}


def measure_quality_faults(datasets: list[Path]) -> dict[str, object]:
    """How many of a hundred versions of each degree are found, and how many of all untouched pictures by fault."""
    found: defaultdict[str, int] = defaultdict(int)
    untouched: defaultdict[str, int] = defaultdict(int)
    count = 0
    for dataset in datasets:
        random = np.random.default_rng(0)
        lines = (dataset / "labels.csv").read_text(encoding="utf-8").splitlines()[1:]
        paths = [dataset / line.rpartition(",")[0].strip('"') for line in lines]
        chosen = set(random.choice(len(paths), FAULTY // len(datasets), replace=False).tolist())
        for number, path in enumerate(paths):
            data = path.read_bytes()
            count += 1
            for kind in faults_of(data):
                untouched[kind] += 1
            if number in chosen:
                for name, kind, version in versions(decode(data).pixels, random):
                    found[name] += kind in faults_of(encode_jpeg(np.ascontiguousarray(version), QUALITY))
    return {"versions": FAULTY, "found": found, "pictures": count, "untouched": untouched}


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("datasets", type=Path, nargs="+")
    parser.add_argument("--cache", type=Path, required=True)
    arguments = parser.parse_args()
    sets = {dataset.name: embed(dataset, arguments.cache) for dataset in arguments.datasets}
    results = {
        "strangers": measure_density(sets, are_alike=False),
        "alike": measure_density(sets, are_alike=True),
        "quality": measure_quality_faults(arguments.datasets),
    }
    print(json.dumps(results, indent=1))
    arguments.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
