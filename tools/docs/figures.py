"""Tables of docs/ that are made from committed result files, so that a number in a page always has a file behind it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent.parent.parent / "benchmarks" / "results"

SETS = {
    "clothing_test": "clothing (10 kinds, 372)",
    "grocery_test": "groceries (81 products, 810)",
    "caltech101_eval": "Caltech-101 (99, 792)",
    "trashnet_eval": "TrashNet (6 materials, 360)",
    "imagenette_val": "Imagenette (10, 500)",
    "held_out_classes": "12 classes left out of training",
    "drawn_sample": "drawn sample (156 products, 676)",
}
DEFAULT = "bundled-int8"
ENCODERS = {
    DEFAULT: "in the box, the default, 608 numbers",
    "bundled": "the same in float32",
    "bundled-fast": "`bundled-fast`, 384 numbers",
    "efficientnet_lite0, untrained": "EfficientNet-Lite0 as published, 1280 numbers",
    "efficientnet_lite2, untrained": "EfficientNet-Lite2 as published, 1280 numbers",
    "colour_histogram": "colour histogram",
    "teacher": "the old teacher, 1280 numbers",
}
"""Columns of the table; the keys are those that ``python -m indexer.train table`` writes."""

COPIES = {
    "crop50": "half of the picture cut away",
    "crop80": "a fifth cut away",
    "rot10": "turned by 10 degrees",
    "hflip": "mirrored",
    "gray": "without colour",
    "blur": "blurred",
    "border": "with a border",
    "banner": "with a banner",
    "bright": "brightened",
    "half": "half the size",
    "jpeg20": "JPEG of quality 20",
}


def encoder_table() -> str:
    """Recall@1 / mAP of the encoders in the box and what they are measured against, a row a set."""
    results: dict[str, Any] = json.loads((RESULTS / "encoder.json").read_text(encoding="utf-8"))
    rows = [["set", *ENCODERS.values()], ["---"] * (1 + len(ENCODERS))]
    for name, label in SETS.items():
        rows.append([label, *(_pair(results[encoder][name]) for encoder in ENCODERS)])
    rows.append(["**mean of the first five**", *(_pair(results[encoder]["mean_of_labelled"]) for encoder in ENCODERS)])
    copies = [f"{results[encoder]['near_duplicates']['overall']:.3f}" for encoder in ENCODERS]
    rows.append(["near-duplicates: copy finds its original", *copies])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


_SUMMARY_COLUMNS = {
    DEFAULT: "in the box",
    "efficientnet_lite2, untrained": "EfficientNet-Lite2 as published",
    "colour_histogram": "colour histogram",
}
_SUMMARY_ROWS = {
    "mean_of_labelled": "clothing, groceries, Caltech-101, TrashNet, Imagenette (mean)",
    "held_out_classes": "12 classes left out of every fit",
    "drawn_sample": "the drawn products of `make demo`",
}


def summary_table() -> str:
    """Recall@1 / mAP of the default encoder beside two others, for README: a row for several sets, and two sets."""
    results: dict[str, Any] = json.loads((RESULTS / "encoder.json").read_text(encoding="utf-8"))
    rows = [["recall@1 / mAP", *_SUMMARY_COLUMNS.values()], ["---"] * (1 + len(_SUMMARY_COLUMNS))]
    for name, label in _SUMMARY_ROWS.items():
        rows.append([label, *(_pair(results[encoder][name]) for encoder in _SUMMARY_COLUMNS)])
    copies = [f"{results[encoder]['near_duplicates']['overall']:.3f}" for encoder in _SUMMARY_COLUMNS]
    rows.append(["a made copy finds its original (recall@1)", *copies])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _pair(figures: dict[str, float]) -> str:
    return f"{figures['recall_at_1']:.3f} / {figures['mean_average_precision']:.3f}"


def copies_table() -> str:
    """How often a copy of each kind finds its original at rank 1, weakest first; 60 copies a kind."""
    results: dict[str, Any] = json.loads((RESULTS / "encoder.json").read_text(encoding="utf-8"))
    shares = {label: results[DEFAULT]["near_duplicates"][kind] for kind, label in COPIES.items()}
    rows = ["| kind of copy | finds its original |", "| --- | --- |"]
    rows += [f"| {label} | {share:.3f} |" for label, share in sorted(shares.items(), key=lambda pair: pair[1])]
    return "\n".join(rows)


def near_duplicates_table() -> str:
    """How surely made copies are told from other photographs, by the check on pixels; a row a kind of copy."""
    results: dict[str, Any] = json.loads((RESULTS / "near_duplicates.json").read_text(encoding="utf-8"))
    half, whole = results["recall"]["odd"], results["recall"]["all"]
    rows = ["| copy against its original | held-out groups | all groups |", "| --- | --- | --- |"]
    shares = {
        label: (_found(half[kind]), _found(whole[kind]))
        for kind, label in [*COPIES.items(), ("copy and copy", "two copies of one original")]
    }
    for label, (held_out, everywhere) in sorted(shares.items(), key=lambda pair: pair[1][1]):
        rows.append(f"| {label} | {held_out:.3f} | {everywhere:.3f} |")
    wrong = sum(found["false"] for found in results["strangers"].values())
    fingerprint, check = results["fingerprint_ms"], results["check_ms"]
    rows += [
        "",
        f"Of {results['stranger_pairs']} pairs of different photographs, among them each picture's nearest by the "
        f"encoder, {wrong} were taken for copies: precision {results['precision']:.4f}. A fingerprint takes "
        f"{fingerprint['p50']:.1f} ms of one core, checking a pair {check['p50']:.1f} ms (95th percentile "
        f"{fingerprint['p95']:.1f} and {check['p95']:.1f}).",
    ]
    return "\n".join(rows)


def _found(count: dict[str, int]) -> float:
    return count["found"] / count["pairs"]


def explanations_table() -> str:
    """What a score loses when a fifth of a picture is hidden: the most marked, any, the least marked; a row a set."""
    results: dict[str, Any] = json.loads((RESULTS / "explanations.json").read_text(encoding="utf-8"))
    rows = [
        "| set | score | loses: marked | at random | least marked | marked beats random |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, label in SETS.items():
        if name in results:
            row = results[name]
            lost = [f"{row[f'lost_{kind}']:.3f}" for kind in ("marked", "random", "least")]
            rows.append(
                f"| {label} | {row['score']:.3f} | {' | '.join(lost)} | {100 * row['marked_beats_random']:.0f} % |"
            )
    rows += [
        "",
        f"Pairs of one label, {results['pairs_of_each_set']} a set; {100 * results['hidden']:.0f} % of the first "
        "picture is painted over with its mean colour.",
    ]
    return "\n".join(rows)
