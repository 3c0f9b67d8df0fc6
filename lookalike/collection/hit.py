"""What a search answers."""

from __future__ import annotations

from dataclasses import dataclass, field

from lookalike.catalogue.records import Metadata, folder_of
from lookalike.filters.values import Scalar
from lookalike.short_repr import ShortRepr
from lookalike.thresholds import Threshold, normalise_score
from lookalike.words.highlights import Highlight


@dataclass(frozen=True, slots=True, repr=False)
class Hit(ShortRepr):
    """One neighbour: ``rank`` from 1, ``score`` the cosine in [-1, 1].

    ``score_problem`` says why the score has no say, where the query is a picture of one colour, or words
    alone: then the score is nan, since there is no picture that an item could be like. None otherwise.
    ``location`` is where its source has it: a path below the folder or the manifest's root, or a member of the zip.
    ``group`` to ``feedback_score`` are of a search with a ``Refinement``: the value that it was grouped by, how many
    items that pass are in its group (None where nothing is grouped), whether it passed the filter, the score with its
    boosts, the score of its group, and the cosine with the query that feedback moved. ``collection`` is of a search in
    several. ``text_score`` to ``highlights`` are of a search for words: how well the item has them (BM25F, from 0 on),
    its rank among the items that have them, what it is ranked by where there is a picture too, and where the words
    stand.
    """

    rank: int
    key: str
    score: float
    title: str | None
    product_id: str | None
    metadata: Metadata
    location: str
    threshold: Threshold | None = field(default=None, repr=False)
    score_problem: str | None = field(default=None, repr=False)
    group: Scalar | None = field(default=None, repr=False)
    group_count: int | None = field(default=None, repr=False)
    passed_filter: bool = field(default=True, repr=False)
    boosted_score: float | None = field(default=None, repr=False)
    group_score: float | None = field(default=None, repr=False)
    feedback_score: float | None = field(default=None, repr=False)
    collection: str | None = field(default=None, repr=False)
    text_score: float | None = field(default=None, repr=False)
    text_rank: int | None = field(default=None, repr=False)
    fused_score: float | None = field(default=None, repr=False)
    highlights: tuple[Highlight, ...] = field(default=(), repr=False)

    @property
    def normalized_score(self) -> float:
        """(cosine + 1) / 2, in [0, 1]; nan where the score is."""
        return normalise_score(self.score)

    @property
    def folder(self) -> str:
        """The path of its folder below the source, empty at the top: ``shoes/red`` of ``shoes/red/1.jpg``."""
        return folder_of(self.location)

    @property
    def similar(self) -> bool | None:
        """Whether the score reaches the ``threshold``; None for hits that were asked for without one."""
        if self.threshold is None:
            return None
        return self.score_problem is None and self.threshold.similar(self.score)

    @property
    def confidence(self) -> float | None:
        """P(same thing | this score).

        None where the scores are not calibrated, where there is no ``threshold``, or a ``score_problem``.
        """
        if self.threshold is None or self.score_problem is not None:
            return None
        return self.threshold.confidence(self.score)
