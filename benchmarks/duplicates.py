"""The search for duplicates at a million pictures: time and memory of candidates and groups, without reading pictures.

    python -m benchmarks.duplicates [--count 1000000] [--out benchmarks/results/duplicates.json]

Hashes are drawn. Of a hundred pictures ten are copies of others: their hashes differ in up to 40 bits, in any of the
eight orientations. Each picture has ten drawn neighbours besides, as the encoder gives them. Verdicts come from what
was drawn. So the time is that of finding candidates and of making groups, without that of reading pictures, of the
check on pixels and of the vectors' index, which have benchmarks of their own.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.catalogue.records import ItemDraft
from lookalike.duplicates.candidates import CandidatePairs, Numbers, PairCollector, add_hash_pairs, add_neighbour_pairs
from lookalike.duplicates.forest import grow_forest
from lookalike.duplicates.marks import Marks
from lookalike.duplicates.perceptual_hash import BITS, HASH_BYTES, ORIENTATIONS, Hashes, orient_hashes
from lookalike.duplicates.picture_pairs import PairVerdict, Relation, ShownPart
from lookalike.duplicates.subjects import Subject
from lookalike.tiers import Tier

COPIES, NEIGHBOURS, MAX_FLIPPED = 10, 10, 40
_WHOLE = ShownPart(1.0, 0.0)
_COPY = PairVerdict(Relation.COPY, Tier.NEAR_DUPLICATE, "", (_WHOLE, _WHOLE))
_NONE = PairVerdict(Relation.NONE, Tier.DIFFERENT, "", (_WHOLE, _WHOLE))


class DrawnJudge:
    """Verdicts by the drawn originals, in place of ``PairJudge``; counts how many were given."""

    def __init__(self, originals: Numbers) -> None:
        self.originals, self.count = originals, 0

    def judge(self, first: Subject, second: Subject) -> PairVerdict:
        """Whether both were drawn as copies of one picture."""
        self.count += 1
        return _COPY if self.originals[first.number] == self.originals[second.number] else _NONE


def main() -> None:
    """Measure, print, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/duplicates.json"))
    options = parser.parse_args()
    figures = measure(options.count)
    options.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1))


def measure(count: int) -> dict[str, Any]:
    """Times in seconds, memory in MB, and the share of drawn copies that hang together with their original."""
    random = np.random.default_rng(1)
    hashes, originals = draw_hashes(count, random)
    marks = [Marks(row.tobytes(), b"", False) for row in hashes]
    subjects = [_subject(number) for number in range(count)]
    before_mb = _peak_mb()
    collector = PairCollector(count)
    clock = _Clock()
    add_hash_pairs(collector, marks, lambda _: None)
    hash_seconds = clock.split()
    for start in range(0, count, 4096):
        numbers = np.arange(start, min(start + 4096, count))
        neighbours = random.integers(0, count, (len(numbers), NEIGHBOURS))
        add_neighbour_pairs(collector, numbers, neighbours, np.full(neighbours.shape, 0.5, np.float32))
    pairs = collector.pairs()
    merge_seconds = clock.split()
    judge = DrawnJudge(originals)
    with ThreadPoolExecutor(2) as threads:
        forest = grow_forest(subjects, pairs, judge, lambda _: True, threads, lambda _: None)  # type: ignore[arg-type]
    forest_seconds = clock.split()
    copies = np.flatnonzero(originals != np.arange(count)).tolist()
    joined = sum(forest.copies.are_joined(number, int(originals[number])) for number in copies)
    return {
        "pictures": count,
        "drawn_copies": len(copies),
        "found_by_hash_share": round(_found_share(pairs, originals, copies), 4),
        "joined_share": round(joined / max(1, len(copies)), 4),
        "candidate_pairs": len(pairs),
        "verdicts": judge.count,
        "seconds": {"hashes": hash_seconds, "neighbours and merging": merge_seconds, "forest": forest_seconds},
        "peak_mb": _peak_mb(),
        "before_mb": before_mb,
    }


def draw_hashes(count: int, random: np.random.Generator) -> tuple[Hashes, Numbers]:
    """(count, 32) hashes, and for each the number of the picture it is a copy of, or its own."""
    hashes = random.integers(0, 256, (count, HASH_BYTES)).astype(np.uint8)
    originals = np.arange(count)
    numbers = random.permutation(count)[: count * COPIES // 100]
    sources = random.integers(0, count, len(numbers))
    is_source_free = ~np.isin(sources, numbers)
    numbers, sources = numbers[is_source_free], sources[is_source_free]
    originals[numbers] = sources
    for start in range(0, len(numbers), 4096):
        part = slice(start, start + 4096)
        oriented = orient_hashes(hashes[sources[part]])
        turned = oriented[random.integers(0, ORIENTATIONS, oriented.shape[1]), np.arange(oriented.shape[1])]
        flipped = random.random((len(turned), BITS)) < random.uniform(0, MAX_FLIPPED / BITS, (len(turned), 1))
        hashes[numbers[part]] = turned ^ np.packbits(flipped, axis=1)
    return hashes, originals


def _subject(number: int) -> Subject:
    item = ItemDraft(str(number), str(number), "", 0, 0, 0, "JPEG")
    return Subject(number, item, "", "", False, lambda *_: b"")


def _found_share(pairs: CandidatePairs, originals: Numbers, copies: list[int]) -> float:
    near = pairs.distances < 1
    found = set(zip(pairs.first[near].tolist(), pairs.second[near].tolist(), strict=True))
    ends = ((number, int(originals[number])) for number in copies)
    return sum((min(pair), max(pair)) in found for pair in ends) / max(1, len(copies))


class _Clock:
    def __init__(self) -> None:
        self._start = time.perf_counter()

    def split(self) -> float:
        """Seconds since the last call."""
        start, self._start = self._start, time.perf_counter()
        return round(self._start - start, 1)


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
