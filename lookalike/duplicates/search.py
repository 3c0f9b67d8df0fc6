"""The search for duplicates among pictures, free of command line and service: subjects in, groups out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lookalike.catalogue.duplicate_store import DigestPair, DuplicateStore, digest_pair
from lookalike.duplicates.anchors import put_anchors_first
from lookalike.duplicates.candidates import CandidatePairs, Numbers, PairCollector, add_hash_pairs, add_neighbour_pairs
from lookalike.duplicates.crowds import Layouts, layout, thin_crowds
from lookalike.duplicates.forest import Forest, Pair, grow_forest
from lookalike.duplicates.groups import GroupMaker
from lookalike.duplicates.keep_rules import KeepCandidate, KeepRules
from lookalike.duplicates.mark_reader import MarkReader
from lookalike.duplicates.marks import Marks
from lookalike.duplicates.picture_pairs import PairJudge, PairVerdict
from lookalike.duplicates.related import related_groups
from lookalike.duplicates.report import DuplicateGroup, DuplicateReport
from lookalike.duplicates.subjects import Subject, file_status
from lookalike.index.base import ProgressCallback
from lookalike.index.progress import count_steps
from lookalike.options import ImageLimits
from lookalike.tiers import Tier

Scores = npt.NDArray[np.float32]
_TIERS = (Tier.SAME_BYTES, Tier.SAME_PIXELS, Tier.NEAR_DUPLICATE)


class VectorNeighbours(Protocol):
    """The encoder's view of the subjects, for candidates and for what is similar."""

    def batches(self) -> Iterable[tuple[Numbers, Numbers, Scores]]:
        """(n,) numbers of subjects, (n, k) numbers of their nearest, -1 for none, and (n, k) cosines, in batches."""

    def are_similar(self, first: int, second: int) -> bool:
        """Whether the score of two subjects reaches the threshold."""


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """``widest`` is the widest tier of copies; ``rules`` choose the one to keep; ``threads`` read and compare pictures.

    ``not_duplicates`` are pairs of content digests that are in no group together.
    """

    widest: Tier = Tier.NEAR_DUPLICATE
    rules: KeepRules = field(default_factory=KeepRules)
    threads: int = 1
    limits: ImageLimits = field(default_factory=ImageLimits)
    not_duplicates: frozenset[DigestPair] = frozenset()


def find_duplicates(
    subjects: Sequence[Subject],
    vectors: VectorNeighbours,
    store: DuplicateStore,
    options: SearchOptions,
    *,
    report: Callable[[str], None],
    progress: ProgressCallback,
) -> DuplicateReport:
    """The groups of copies among the subjects, and of what is related but no copy; ``report`` takes warnings.

    With subjects that are references, only pairs of a reference and another subject count. Raises the catalogue's
    errors; a picture that cannot be read takes no part.
    """
    with ThreadPoolExecutor(options.threads) as threads:
        return _Search(subjects, vectors, options, threads, report, progress).run(store)


@dataclass(frozen=True, slots=True)
class _Search:
    subjects: Sequence[Subject]
    vectors: VectorNeighbours
    options: SearchOptions
    threads: Executor
    report: Callable[[str], None]
    progress: ProgressCallback

    def run(self, store: DuplicateStore) -> DuplicateReport:
        marks: list[Marks | None] = [None] * len(self.subjects)
        if self.options.widest is not Tier.SAME_BYTES:
            reader = MarkReader(store, self.options.limits, self.threads, self.report)
            marks = reader.read(self.subjects, self._advance("pictures read", len(self.subjects)))
        judge = PairJudge(marks, self.vectors.are_similar, self.options.limits, self.report)
        pairs = self._pairs(marks, judge)
        forest = grow_forest(
            self.subjects, pairs, judge, self._is_wanted, self.threads, self._advance("pairs compared", len(pairs))
        )
        copies = self._groups(forest, marks, judge)
        related = related_groups(self.subjects, forest.others, copies, self._are_apart)
        without_marks = self.options.widest is not Tier.SAME_BYTES
        unreadable = {s.key for s, entry in zip(self.subjects, marks, strict=True) if without_marks and entry is None}
        unreadable |= set(judge.unreadable.values())
        return DuplicateReport((*copies, *related), len(self.subjects), tuple(sorted(unreadable)))

    def _pairs(self, marks: Sequence[Marks | None], judge: PairJudge) -> CandidatePairs:
        collector = PairCollector(len(self.subjects))
        self._add_equal_files(collector)
        if self.options.widest is not Tier.SAME_BYTES:
            shown = [None if entry is None or entry.is_plain else entry for entry in marks]
            add_hash_pairs(collector, shown, self._advance("hashes compared", 9))
            takes_part = np.array([entry is not None for entry in shown], bool)
            if self.options.widest is Tier.NEAR_DUPLICATE:
                self._add_neighbours(collector, takes_part)
        pairs = put_anchors_first(collector.pairs(), self.subjects, marks)
        has_reference = np.array([subject.is_reference for subject in self.subjects], bool)
        is_candidate = np.ones(len(pairs), bool)
        if has_reference.any():
            is_candidate &= has_reference[pairs.first] != has_reference[pairs.second]
        if self.options.widest is not Tier.NEAR_DUPLICATE:
            is_candidate &= pairs.distances <= 0  # equal pixels have equal hashes
        for place in np.flatnonzero(is_candidate) if self.options.not_duplicates else ():
            first, second = self.subjects[pairs.first[place]], self.subjects[pairs.second[place]]
            is_candidate[place] = not self._are_apart(first, second)
        candidates = CandidatePairs(
            pairs.first[is_candidate], pairs.second[is_candidate], pairs.distances[is_candidate]
        )

        def layout_of(number: int) -> Layouts | None:
            outline = judge.outline(self.subjects[number])
            return None if outline is None else layout(outline.identity.fingerprint)

        return thin_crowds(candidates, len(self.subjects), layout_of, self.threads)

    def _add_equal_files(self, collector: PairCollector) -> None:
        last_numbers: dict[str, int] = {}
        pairs: list[Pair] = []
        for subject in self.subjects:
            if subject.digest in last_numbers:
                pairs.append((last_numbers[subject.digest], subject.number))
            last_numbers[subject.digest] = subject.number
        numbers = np.array(pairs, np.int64).reshape(-1, 2)
        collector.add(numbers[:, 0], numbers[:, 1], np.zeros(len(numbers), np.float32))

    def _add_neighbours(self, collector: PairCollector, takes_part: npt.NDArray[np.bool_]) -> None:
        advance = self._advance("neighbours found", len(self.subjects))
        for numbers, neighbour_numbers, scores in self.vectors.batches():
            shown_neighbours = np.where(
                takes_part[numbers][:, None] & takes_part[neighbour_numbers], neighbour_numbers, -1
            )
            add_neighbour_pairs(collector, numbers, shown_neighbours, scores)
            advance(len(numbers))

    def _groups(self, forest: Forest, marks: Sequence[Marks | None], judge: PairJudge) -> list[DuplicateGroup]:
        candidates: dict[int, KeepCandidate] = {}

        def candidate(subject: Subject) -> KeepCandidate:
            if subject.number not in candidates:
                candidates[subject.number] = self._candidate(subject, marks[subject.number], judge)
            return candidates[subject.number]

        def judge_wanted(first: Subject, second: Subject) -> PairVerdict | None:
            verdict = judge.judge(first, second)
            return verdict if verdict is None or self._is_wanted(verdict) else None

        maker = GroupMaker(
            judge=judge_wanted,
            find_doubt=judge.find_doubt,
            candidate=candidate,
            are_apart=self._are_apart,
            known_copies=lambda subject: forest.degrees[subject.number],
            rules=self.options.rules,
            threads=self.threads,
        )
        sets = forest.copies.sets(range(len(self.subjects)))
        advance = self._advance("groups made", len(sets))
        groups: list[DuplicateGroup] = []
        for numbers in sets:
            candidates.clear()
            set_groups = maker.groups([self.subjects[number] for number in numbers])
            groups.extend(set_groups)
            advance(1)
        if any(subject.is_reference for subject in self.subjects):
            return [group for group in groups if group.keep is not None and group.keep.is_reference]
        return groups

    def _candidate(self, subject: Subject, marks: Marks | None, judge: PairJudge) -> KeepCandidate:
        view = None if self.options.widest is Tier.SAME_BYTES else judge.outline(subject)
        return KeepCandidate(
            subject,
            sharpness=1.0 if view is None else view.sharpness,
            noise=0.0 if view is None else view.noise,
            colourfulness=0.0 if marks is None else marks.colourfulness,
            clipped=0.0 if marks is None else marks.clipped,
            taken_at=None if marks is None else marks.taken_at,
            pixels_digest="" if view is None else view.identity.pixels_digest,
            status=file_status(subject),
        )

    def _is_wanted(self, verdict: PairVerdict) -> bool:
        return verdict.tier in _TIERS[: _TIERS.index(self.options.widest) + 1]

    def _are_apart(self, first: Subject, second: Subject) -> bool:
        return digest_pair(first.digest, second.digest) in self.options.not_duplicates

    def _advance(self, step: str, total: int) -> Callable[[int], object]:
        return count_steps(self.progress, step, total)
