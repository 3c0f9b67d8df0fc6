"""How well made copies are told from other photographs: recall by kind of copy, precision against hard strangers.

    python -m benchmarks.near_duplicates [--shared ../shared] [--out benchmarks/results/near_duplicates.json]

Copies: all pairs within a group of the set near_duplicates. Strangers: each picture's nearest neighbours by the bundled
encoder in near_duplicates (other groups) and in five labelled sets, then drawn pairs until there are enough.
The bounds of the check were chosen on the even groups and on strangers of the first four labelled sets; the odd groups
had a say in the number of keypoints and in how colours are compared. No choice was made on imagenette_val.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.api import Encoder, Vectors
from lookalike.copies import Fingerprint, check_copy, compute_fingerprint
from lookalike.errors import ImageError
from lookalike.images import decode

COPIES = "near_duplicates"
UNSEEN = "imagenette_val"
LABELLED = ("grocery_test", "trashnet_eval", "clothing_test", "caltech101_eval", UNSEEN)
STRANGERS = 100_000
HARSH = "crop50"

ONE_PHOTOGRAPH = ("pdq_bridge_mods", "pdq_bridge_dihedral", "pdq_modes")
"""Three groups of the set that were all made of one photograph."""
NO_COPIES = "pdq_exif_rotn"
"""A group that holds four photographs of one desk: none is a copy of another."""

HIDDEN_COPIES = frozenset(
    frozenset(pair)
    for pair in (
        ("images/crocodile/image_0005.jpg", "images/crocodile_head/image_0008.jpg"),
        ("images/flamingo/image_0016.jpg", "images/flamingo_head/image_0008.jpg"),
        ("images/gerenuk/image_0004.jpg", "images/gerenuk/image_0025.jpg"),
        ("images/okapi/image_0008.jpg", "images/okapi/image_0031.jpg"),
        ("images/platypus/image_0015.jpg", "images/platypus/image_0030.jpg"),
        ("images/snoopy/image_0008.jpg", "images/snoopy/image_0015.jpg"),
    )
)
"""Pairs of the labelled sets that show one photograph or drawing, found by this check and confirmed by eye."""


@dataclass(frozen=True, eq=False)
class Item:
    """A picture of a set, as the check sees it."""

    path: str
    group: str
    kind: str
    fingerprint: Fingerprint
    vector: Vectors


def main() -> None:
    """Measure, print the table, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--neighbours", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/near_duplicates.json"))
    options = parser.parse_args()
    encoder, looking = Encoder.load(), Clock()
    sets = {name: load(options.shared / "data" / name, encoder, looking) for name in (COPIES, *LABELLED)}
    checking = Clock()
    recall = measure_copies(sets[COPIES], checking)
    strangers = measure_strangers(sets, options.neighbours, checking)
    right = recall["all"]["all pairs"]["found"]
    wrong = sum(found["false"] for found in strangers.values())
    figures = {
        "recall": recall,
        "strangers": strangers,
        "stranger_pairs": sum(found["pairs"] for found in strangers.values()),
        "precision": round(right / max(1, right + wrong), 4),
        "fingerprint_ms": looking.summary(),
        "check_ms": checking.summary(),
        "fingerprint_bytes_most": max(item.fingerprint.nbytes for items in sets.values() for item in items),
    }
    options.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    report(figures)


class Clock:
    """Milliseconds of processor time of one thread, call by call."""

    def __init__(self) -> None:
        self.milliseconds: list[float] = []

    def __enter__(self) -> None:
        self._start = time.thread_time()

    def __exit__(self, *_: object) -> None:
        self.milliseconds.append((time.thread_time() - self._start) * 1e3)

    def summary(self) -> dict[str, float]:
        """Median and 95th percentile."""
        return {f"p{share}": round(float(np.percentile(self.milliseconds, share)), 2) for share in (50, 95)}


def load(folder: Path, encoder: Encoder, clock: Clock) -> list[Item]:
    """A set's pictures; files that are no pictures are left out."""
    items = []
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            try:
                pixels = decode((folder / row["path"]).read_bytes(), name=row["path"]).pixels
            except ImageError as error:
                print(f"left out: {error.message}")
                continue
            with clock:
                fingerprint = compute_fingerprint(pixels)
            group = row.get("group", row["path"])
            group = ONE_PHOTOGRAPH[0] if group in ONE_PHOTOGRAPH else row["path"] if group == NO_COPIES else group
            items.append(Item(row["path"], group, row.get("transform", ""), fingerprint, encoder.encode([pixels])[0]))
    print(f"{folder.name}: {len(items)} pictures", flush=True)
    return items


def measure_copies(items: list[Item], clock: Clock) -> dict[str, dict[str, dict[str, int]]]:
    """By half of the groups and by kind: how many pairs there are, and how many were found."""
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        groups[item.group].append(item)
    counts: dict[str, dict[str, dict[str, int]]] = {half: {} for half in ("even", "odd", "all")}
    for name, members in groups.items():
        halves = ["all"]
        if name.startswith("bsds_"):
            halves.append("odd" if int(name.removeprefix("bsds_")) % 2 else "even")
        for one, other in combinations(members, 2):
            with clock:
                found = check_copy(one.fingerprint, other.fingerprint).is_copy
            for half in halves:
                for kind in kinds(name, one, other):
                    count = counts[half].setdefault(kind, {"found": 0, "pairs": 0})
                    count["found"] += found
                    count["pairs"] += 1
    return counts


def kinds(group: str, one: Item, other: Item) -> Iterator[str]:
    """The rows of the table that a pair counts in."""
    yield "all pairs"
    if HARSH not in (one.kind, other.kind):
        yield f"all pairs without {HARSH}"
    if not group.startswith("bsds_"):
        yield group
    elif "orig" in (one.kind, other.kind):
        yield other.kind if one.kind == "orig" else one.kind
    elif HARSH in (one.kind, other.kind):
        yield f"copy and copy, one of them {HARSH}"
    else:
        yield "copy and copy"


def measure_strangers(sets: dict[str, list[Item]], neighbours: int, clock: Clock) -> dict[str, dict[str, Any]]:
    """By set: pairs of strangers checked, and those that were taken for copies, by path."""
    found = {}
    for name, items in sets.items():
        found[name] = judge(sorted(near_pairs(items, neighbours)), items, clock)
        print(f"{name}: {found[name]['pairs']} near strangers, {found[name]['false']} taken for copies", flush=True)
    everything = [item for items in sets.values() for item in items]
    missing = max(0, STRANGERS - sum(one["pairs"] for one in found.values()))
    missing += missing // 100  # a few draws pair a picture with itself or with a copy of it
    drawn = np.random.default_rng(5).integers(0, len(everything), (missing, 2)).tolist()
    found["drawn"] = judge([(one, other) for one, other in drawn if one != other], everything, clock)
    return found


def near_pairs(items: list[Item], neighbours: int) -> set[tuple[int, int]]:
    """Each picture with so many nearest of other groups, each pair once."""
    vectors = np.stack([item.vector for item in items])
    pairs = set()
    for place, order in enumerate(np.argsort(-(vectors @ vectors.T), axis=1).tolist()):
        others = [near for near in order if items[near].group != items[place].group][:neighbours]
        pairs |= {(min(place, near), max(place, near)) for near in others}
    return pairs


def judge(pairs: list[tuple[int, int]], items: list[Item], clock: Clock) -> dict[str, Any]:
    """Check pairs of strangers."""
    flagged, checked = [], 0
    for one, other in pairs:
        if items[one].group == items[other].group:
            continue
        checked += 1
        with clock:
            verdict = check_copy(items[one].fingerprint, items[other].fingerprint)
        if verdict.is_copy:
            flagged.append((items[one].path, items[other].path, verdict.why))
    hidden = [pair for pair in flagged if frozenset(pair[:2]) in HIDDEN_COPIES]
    false = [pair for pair in flagged if frozenset(pair[:2]) not in HIDDEN_COPIES]
    return {"pairs": checked, "false": len(false), "hidden_copies": len(hidden), "taken_for_copies": false}


def report(figures: dict[str, Any]) -> None:
    """Print the table."""
    halves = figures["recall"]
    for kind, count in sorted(halves["all"].items()):
        parts = [halves[half].get(kind) for half in ("even", "odd")]
        shown = [f"{part['found'] / part['pairs']:.3f}" if part else "  -  " for part in parts]
        share = count["found"] / count["pairs"]
        print(f"{kind:36} even {shown[0]}  odd {shown[1]}  all {share:.3f} ({count['found']}/{count['pairs']})")
    print(f"precision {figures['precision']} against {figures['stranger_pairs']} stranger pairs")
    print(f"fingerprint {figures['fingerprint_ms']} ms, {figures['fingerprint_bytes_most']} bytes at most")
    print(f"check {figures['check_ms']} ms")


if __name__ == "__main__":
    main()
