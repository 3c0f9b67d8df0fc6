"""Groups of copies: every member was confirmed, on pixels, as a copy of the one that is kept.

Being a copy is not handed on: of a picture, a copy of it and a copy of that one, the third may show something else. So
what hangs together in the forest is only where members are looked for. The one to keep is the one that shows the most
picture and the least border around it; the others are in its group if the pair with it is confirmed. What is left over
makes groups of its own. Two parts of one picture are in its group though they show nothing in common, which is what is
wanted: both were made of it, and it is kept. A group of n costs about 2 n verdicts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from lookalike.duplicates.keep_rules import COLOUR_SHARE, NOISE, KeepCandidate, KeepRules
from lookalike.duplicates.picture_pairs import LOSSLESS, PairVerdict, Relation
from lookalike.duplicates.report import Action, DuplicateGroup, GroupKind, Member
from lookalike.duplicates.subjects import FileStatus, Subject
from lookalike.tiers import Tier

Judge = Callable[[Subject, Subject], PairVerdict | None]

_MORE = 0.03
"""Share of a picture from which what it shows beyond another one counts."""
_ADDED = 0.02
"""Share of a picture from which a border, banner or caption counts."""
_SAME_SCALE = 0.1
"""By how much the pixels of what two pictures both show may differ for a frame to be all that was added or cut away."""
_FINER = 1.5
"""How many times the pixels of what both show make a picture the finer one."""
_COARSER, _GREYER = 0.7, 0.5
"""Shares of the kept one's resolution and colour below which the other has less."""
_MIN_CROP = 0.55
"""Share of the kept picture that a part of it must show: one that shows less is a detail, or went into a collage."""
_LESS_COMPRESSED, _AS_SHARP = 1.5, 0.9
"""How many times the bytes, and the sharpness, of one with as many pixels make a picture the less compressed one."""
_TRIES = 4
"""Pictures that are tried as the one to keep."""


@dataclass(frozen=True, slots=True)
class GroupMaker:
    """Makes groups of pictures that hang together; ``judge`` gives the verdict on two if copies may be made of it.

    ``find_doubt`` says why the first of two copies of one frame may have been made of the second, None if nothing says
    so; ``candidate`` has what the rules of keeping go by; ``are_apart`` says of two pictures that a person has decided
    that they are no duplicates; ``known_copies`` is how many copies of a picture are known already.
    """

    judge: Judge
    find_doubt: Callable[[Subject, Subject], str | None]
    candidate: Callable[[Subject], KeepCandidate]
    are_apart: Callable[[Subject, Subject], bool]
    known_copies: Callable[[Subject], int]
    rules: KeepRules
    threads: Executor

    def groups(self, subjects: Sequence[Subject]) -> Iterator[DuplicateGroup]:
        """The groups of copies among pictures that hang together."""
        left = list(subjects)
        while len(left) > 1:
            keep, verdicts, reason = self._choose_keeper(left)
            members = self._members(keep, [subject for subject in left if subject.number in verdicts], verdicts)
            if members:
                yield DuplicateGroup(GroupKind.COPIES, (Member(keep, Action.KEEP, None, reason), *members))
            numbers = {keep.number, *(member.subject.number for member in members)}
            left = [subject for subject in left if subject.number not in numbers]

    def _choose_keeper(self, subjects: Sequence[Subject]) -> tuple[Subject, dict[int, PairVerdict], str]:
        """The one to keep, the verdicts of its copies by number, and why it is kept."""
        # Most verdicts with the picture that has most copies are known; any other one costs a verdict a member.
        keep, reason = max(subjects, key=lambda subject: (subject.is_reference, self.known_copies(subject))), ""
        verdicts = self._copies_of(keep, subjects)
        tried = {keep.number}
        for _ in range(_TRIES):
            better = max(
                (subject for subject in subjects if subject.number in verdicts and subject.number not in tried),
                key=lambda subject: _advantage(verdicts[subject.number]),
                default=None,
            )
            if (
                better is None
                or _advantage(verdicts[better.number]) <= (0, 0)
                or keep.is_reference > better.is_reference
            ):
                break
            keep, verdicts = better, self._copies_of(better, subjects)
            tried.add(keep.number)
            reason = "shows the whole picture, and no border, banner or caption around it"
        equals = [
            subject
            for subject in subjects
            if subject.number in verdicts and _advantage(verdicts[subject.number]) == (0, 0)
        ]
        best, best_reason = self._best([keep, *equals])
        if best is not keep:
            best_verdicts = self._copies_of(best, subjects)
            if len(best_verdicts) >= len(verdicts):  # a miss of the check must not split the group
                return best, best_verdicts, best_reason
            return keep, verdicts, reason
        return keep, verdicts, reason or best_reason

    def _best(self, subjects: Sequence[Subject]) -> tuple[Subject, str]:
        references = [subject for subject in subjects if subject.is_reference]
        candidate, reason = self.rules.choose([self.candidate(subject) for subject in references or subjects])
        return candidate.subject, reason

    def _copies_of(self, keep: Subject, subjects: Sequence[Subject]) -> dict[int, PairVerdict]:
        others = [subject for subject in subjects if subject is not keep and not self.are_apart(keep, subject)]
        verdicts = self.threads.map(lambda subject: self.judge(keep, subject), others)
        return {
            subject.number: verdict
            for subject, verdict in zip(others, verdicts, strict=True)
            if verdict is not None and verdict.relation is Relation.COPY
        }

    def _members(self, keep: Subject, copies: Sequence[Subject], verdicts: dict[int, PairVerdict]) -> list[Member]:
        members: list[Member] = []
        dropped_files: set[tuple[int, int]] = set()
        for subject in sorted(copies, key=lambda subject: (-subject.pixels, -subject.item.byte_size, subject.key)):
            if any(self.are_apart(member.subject, subject) for member in members):
                continue
            member = self._member(keep, subject, verdicts[subject.number])
            status = self.candidate(subject).status
            if member.action is Action.DROP and status is not None:
                if status.identity in dropped_files:
                    member = replace(member, shares_file=True, reason="another name of a file that goes too")
                dropped_files.add(status.identity)
            members.append(member)
        return members

    def _member(self, keep: Subject, subject: Subject, verdict: PairVerdict) -> Member:
        kept, candidate = self.candidate(keep), self.candidate(subject)
        if _are_one_file(kept.status, candidate.status):
            return Member(subject, Action.SAME_FILE, verdict.tier, "the same file, frees nothing")
        if subject.is_reference:
            return Member(subject, Action.NONE, verdict.tier, f"also in {subject.owner}")
        reason = _why_not_dropped(verdict, kept, candidate)
        if reason is None and verdict.tier is Tier.NEAR_DUPLICATE and _is_same_frame(verdict):
            doubt = self.find_doubt(keep, subject)
            reason = None if doubt is None else f"look at both: {doubt}"
        if reason is not None:
            return Member(subject, Action.NONE, verdict.tier, reason)
        return Member(subject, Action.DROP, verdict.tier, _drop_reason(verdict, kept, candidate))


def _why_not_dropped(verdict: PairVerdict, kept: KeepCandidate, candidate: KeepCandidate) -> str | None:
    """What a copy has that the kept one lacks, in words; None if nothing.

    Kept may be a poor copy of all, or what a reference has, where good ones are no copies of each other.
    """
    keep_part, part = verdict.parts
    # Both ways: a border or a banner has sharp edges of its own, and an enlarged picture pixels without detail.
    finer = (part.covered / max(keep_part.covered, 0.01)) * min(
        candidate.subject.pixels / kept.subject.pixels, candidate.resolved_pixels / kept.resolved_pixels
    )
    is_less_compressed = (
        verdict.tier is Tier.NEAR_DUPLICATE
        and kept.subject.item.format not in LOSSLESS
        and candidate.size == kept.size
        and candidate.sharpness >= _AS_SHARP * kept.sharpness
        and candidate.subject.item.byte_size > _LESS_COMPRESSED * kept.subject.item.byte_size
    )
    reasons = (
        (part.more > _MORE, f"{part.more:.0%} of it is not in the kept one"),
        (
            kept.taken_at is not None and candidate.taken_at is not None and kept.taken_at != candidate.taken_at,
            "taken at another time than the kept one, by their EXIF data",
        ),
        (verdict.is_mirrored, f"mirrored: look which of the two is the right way round; {verdict.why}"),
        (verdict.is_tilted, f"set straight by hand, or another shot: {verdict.why}"),
        (
            keep_part.covered < _MIN_CROP,
            f"a detail, or part of a collage: shows {keep_part.covered:.0%} of the kept one",
        ),
        (
            _differs_by_ground(verdict, kept, candidate),
            "look at both: one has more of the same ground around it, which was added or cut away",
        ),
        (finer > _FINER, f"shows what is in both with {finer:.1f} times the pixels"),
        (kept.colourfulness < COLOUR_SHARE * candidate.colourfulness, "has more colour than the kept one"),
        (is_less_compressed, "is less compressed than the kept one"),
        (
            verdict.tier is Tier.NEAR_DUPLICATE and candidate.noise > kept.noise + NOISE,
            "has noise: look whether it was added, or smoothed away in the kept one",
        ),
    )
    reason = next((reason for holds, reason in reasons if holds), None)
    change = None if verdict.likeness is None else verdict.likeness.change()
    return reason or (None if change is None else f"look at both: {change}; {verdict.why}")


def _differs_by_ground(verdict: PairVerdict, kept: KeepCandidate, candidate: KeepCandidate) -> bool:
    """Whether one of two pictures of one scale has only more ground around it."""
    keep_part, part = verdict.parts
    shown_pixels = candidate.subject.pixels * (1 - part.ground) / (kept.subject.pixels * (1 - keep_part.ground))
    return max(part.ground, keep_part.ground) > _ADDED and abs(shown_pixels - 1) <= _SAME_SCALE


def _advantage(verdict: PairVerdict) -> tuple[float, float]:
    """By how much the second picture of a verdict shows more than the first, and has less around it; 0 for the same."""
    first, second = verdict.parts
    more = second.more - first.more
    if abs(more) > _MORE:
        return more, 0.0
    added = first.added - second.added
    return 0.0, added if abs(added) > _ADDED else 0.0


def _is_same_frame(verdict: PairVerdict) -> bool:
    """Whether both show the same, with nothing around it."""
    return all(part.more <= _MORE and part.added <= _ADDED for part in verdict.parts)


def _are_one_file(first: FileStatus | None, second: FileStatus | None) -> bool:
    return first is not None and second is not None and first.identity == second.identity


def _drop_reason(verdict: PairVerdict, kept: KeepCandidate, candidate: KeepCandidate) -> str:
    """What the picture is to the kept one, in words."""
    if verdict.tier is not Tier.NEAR_DUPLICATE:
        return verdict.why
    keep_part, part = verdict.parts
    words = []
    if keep_part.more > _MORE:
        words.append(f"shows {keep_part.covered:.0%} of the kept one")
    if part.added > _ADDED:
        words.append(f"{part.added:.0%} of it is border, banner or caption")
    resolution = candidate.resolved_pixels / max(1.0, kept.resolved_pixels * max(keep_part.covered, 0.01))
    if resolution < _COARSER:
        words.append("has less detail")
    elif candidate.subject.pixels > _FINER * kept.subject.pixels:
        words.append("is enlarged")
    if candidate.colourfulness < _GREYER * kept.colourfulness:
        words.append("has less colour")
    return "; ".join([*words, verdict.why])
