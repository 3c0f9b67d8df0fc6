"""Labelled pictures with their vectors, and the checks of labels before a fit."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from indexer.calibration.pairs import Rows
from lookalike.encoder.base import Vectors
from lookalike.errors import LabelsMissingError, PairsInsufficientError
from lookalike.sources.base import printable
from lookalike.sources.labels import examples

IDENTICAL = 1 - 1e-5
"""Cosines from here on are of two copies of one picture: vectors of different batches or runtimes differ by less."""
MAX_CONTRADICTIONS = 0.05
"""Greatest share of pictures that may also occur under a second label."""
DECIMALS = 2


@dataclass(frozen=True, eq=False)
class LabelledSet:
    """Pictures of one collection or source: ``vectors`` (n, D), unit length, their ``labels`` (n) and ``keys`` (n).

    ``name`` names the collection or source in messages.
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
        problem = "have no label: name a column with --label"
    elif len(counts) == 1:
        problem = (
            f"all have the label {printable(labels[0])!r}, so that there is no pair of different ones: name another "
            "column with --label, add pictures of something else"
        )
    elif counts.most_common(1)[0][1] == 1:
        problem = (
            f"have a label of their own each ({examples(list(counts))}), so that there is no pair of the same: name "
            "another column with --label, add pictures of the same things"
        )
    else:
        return
    raise LabelsMissingError(
        f"the {len(labels)} pictures of {name} {problem}, or list judged pairs with --pairs", subject=name
    )


def drop_copies(pictures: LabelledSet) -> tuple[LabelledSet, tuple[str, ...]]:
    """The set without copies of a picture under the same label, and notes for the user.

    A pair of copies says nothing of similar pictures, and copies on both sides of the hold-out split would leak from
    one half to the other. Raises PairsInsufficientError if many pictures occur under several labels.
    """
    picture_ids = identical_pictures(pictures.vectors)
    first_rows: dict[tuple[int, str], int] = {}
    for row, (picture_id, label) in enumerate(zip(picture_ids.tolist(), pictures.labels, strict=True)):
        first_rows.setdefault((picture_id, label), row)
    rows = np.array(list(first_rows.values()), np.int64)
    copies = len(pictures.labels) - len(rows)
    notes = []
    if copies:
        notes.append(f"{copies} pictures of {pictures.name} are copies of others with their label and were left out")
    distinct = pictures.only(rows)
    contradiction_notes = _check_contradictions(distinct, picture_ids[rows])
    return distinct, (*notes, *contradiction_notes)


def identical_pictures(vectors: Vectors) -> Rows:
    """(n,) an id for each of ``vectors`` (n, D), unit length, equal where two are of the same picture."""
    picture_ids = np.arange(len(vectors))
    first_rows: dict[bytes, int] = {}
    # Vectors of one picture differ in their last bits at most, so all but a few in a thousand round to the same
    # values; among vectors that do, the cosine decides.
    for row, rounded_vector in enumerate(np.round(vectors, DECIMALS) + np.float32(0)):
        first_row = first_rows.setdefault(rounded_vector.tobytes(), row)
        if first_row != row and float(vectors[first_row] @ vectors[row]) >= IDENTICAL:
            picture_ids[row] = first_row
    return picture_ids


def _check_contradictions(pictures: LabelledSet, picture_ids: Rows) -> tuple[str, ...]:
    """A note if a few pictures have several labels; raises PairsInsufficientError for many."""
    counts = np.bincount(picture_ids, minlength=1)
    contradictory = np.flatnonzero(counts[picture_ids] > 1)
    if len(contradictory) == 0:
        return ()
    first_row, second_row = np.flatnonzero(picture_ids == picture_ids[contradictory[0]])[:2].tolist()
    example = " and ".join(
        f"{printable(pictures.keys[row])!r} ({printable(pictures.labels[row])})" for row in (first_row, second_row)
    )
    summary = (
        f"{len(contradictory)} of {len(picture_ids)} pictures of {pictures.name} occur under more than one label "
        f"({example})"
    )
    if len(contradictory) > MAX_CONTRADICTIONS * len(picture_ids):
        raise PairsInsufficientError(
            f"{summary}, so the labels do not say what a picture shows: are they folders of copies? Remove the copies "
            "(`python -m indexer duplicates` lists them), name a column with --label, or list judged pairs with "
            "--pairs",
            subject=pictures.keys[first_row],
        )
    return (f"{summary} and count as different",)
