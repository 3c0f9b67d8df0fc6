"""Labelled pictures with their vectors, and what must be true of the labels before anything is fitted to them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from indexer.calibration.pairs import Rows, Vectors
from indexer.datasets.labels import examples
from lookalike.errors import LabelsMissingError, PairsInsufficientError
from lookalike.sources.base import printable

IDENTICAL = 1 - 1e-5
"""Cosines from here on are of one picture that is there twice: two runtimes' batches differ by less."""
MOST_CONTRADICTIONS = 0.05
"""Share of the pictures that may be there under a second label as well."""
DECIMALS = 2


@dataclass(frozen=True, eq=False)
class LabelledSet:
    """Pictures of one collection or source: ``vectors`` (n, D), unit length, their ``labels`` (n) and ``keys`` (n).

    ``name`` says where they come from, as a message has it.
    """

    name: str
    vectors: Vectors
    labels: Sequence[str]
    keys: Sequence[str]

    def only(self, rows: Rows) -> LabelledSet:
        """The pictures of these rows."""
        labels, keys = ([values[row] for row in rows.tolist()] for values in (self.labels, self.keys))
        return dataclasses.replace(self, vectors=self.vectors[rows], labels=labels, keys=keys)


def check_classes(name: str, labels: Sequence[str]) -> None:
    """Raise unless ``labels`` make same and different pairs: LabelsMissingError for none, or for one kind of pair."""
    counts = Counter(labels)
    if not counts:
        what = "have no label, so that nothing says which of them show the same: name a column with --label"
    elif len(counts) == 1:
        what = (
            f"all have the label {printable(labels[0])!r}, so that there is no pair of different ones: name another "
            "column with --label, add pictures of something else"
        )
    elif counts.most_common(1)[0][1] == 1:
        what = (
            f"have a label of their own each ({examples(list(counts))}), so that there is no pair of the same: name "
            "another column with --label, add pictures of the same things"
        )
    else:
        return
    raise LabelsMissingError(
        f"the {len(labels)} pictures of {name} {what}, or list judged pairs with --pairs", subject=name
    )


def drop_copies(pictures: LabelledSet) -> tuple[LabelledSet, tuple[str, ...]]:
    """The set without pictures that are there twice under one label, and what a person should know of it.

    A pair of copies teaches nothing of pictures that are alike, and copies on both sides of a division would make the
    side held back know what the other does. Raises PairsInsufficientError if many pictures are there under several
    labels: the labels do not say what a picture shows then.
    """
    picture = identical_pictures(pictures.vectors)
    first_of: dict[tuple[int, str], int] = {}
    for row, (number, label) in enumerate(zip(picture.tolist(), pictures.labels, strict=True)):
        first_of.setdefault((number, label), row)
    rows = np.array(list(first_of.values()), np.int64)
    copies = len(pictures.labels) - len(rows)
    notes = []
    if copies:
        notes.append(f"{copies} pictures of {pictures.name} are copies of others with their label and were left out")
    distinct = pictures.only(rows)
    note = _check_contradictions(distinct, picture[rows])
    return distinct, (*notes, *note)


def identical_pictures(vectors: Vectors) -> Rows:
    """(n,) a number for each of ``vectors`` (n, D), unit length, equal where two are of the same picture."""
    numbers = np.arange(len(vectors))
    first_of: dict[bytes, int] = {}
    # Vectors of one picture differ in their last bits at most, so all but a few in a thousand round to the same; of
    # those that do, the cosine decides.
    for row, rounded in enumerate(np.round(vectors, DECIMALS) + np.float32(0)):
        first = first_of.setdefault(rounded.tobytes(), row)
        if first != row and float(vectors[first] @ vectors[row]) >= IDENTICAL:
            numbers[row] = first
    return numbers


def _check_contradictions(pictures: LabelledSet, picture: Rows) -> tuple[str, ...]:
    """A note for a few pictures under two labels; raises PairsInsufficientError for many."""
    counts = np.bincount(picture, minlength=1)
    several = np.flatnonzero(counts[picture] > 1)
    if len(several) == 0:
        return ()
    one, other = np.flatnonzero(picture == picture[several[0]])[:2].tolist()
    named = " and ".join(
        f"{printable(pictures.keys[row])!r} ({printable(pictures.labels[row])})" for row in (one, other)
    )
    words = (
        f"{len(several)} of {len(picture)} pictures of {pictures.name} are there under more than one label ({named})"
    )
    if len(several) > MOST_CONTRADICTIONS * len(picture):
        raise PairsInsufficientError(
            f"{words}, so the labels do not say what a picture shows: are they folders of copies? Remove the copies "
            "(`python -m indexer duplicates` lists them), name a column with --label, or list judged pairs with "
            "--pairs",
            subject=pictures.keys[one],
        )
    return (f"{words} and count as different",)
