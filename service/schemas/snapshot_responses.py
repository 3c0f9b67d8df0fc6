"""Responses about the snapshots of a collection, and about its calibration."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, Field

from lookalike.calibration import Calibration
from lookalike.collection.pins import SnapshotSummary
from service.http.problems import detail_of
from service.schemas.responses import CalibrationAnswer, CollectionProblem


class SnapshotRow(BaseModel):
    """One snapshot; fields of a damaged one are null, and `problem` says so."""

    snapshot: int
    is_current: bool = Field(description="Whether it is the one that the collection serves.")
    created_at: datetime | None
    count: int | None = Field(description="How many items it has.")
    bytes: int | None = Field(description="What its files take on the disk.")
    engine: str | None = Field(description="The type of its index.")
    encoder: str | None
    recall: dict[str, Any] | None = Field(description="Measured when it was published; null of an empty one.")
    problem: CollectionProblem | None

    @classmethod
    def of(cls, summary: SnapshotSummary) -> Self:
        """From the library's object."""
        problem = summary.problem
        return cls(
            snapshot=summary.generation,
            is_current=summary.is_current,
            created_at=summary.created_at,
            count=summary.count,
            bytes=summary.bytes,
            engine=summary.engine,
            encoder=summary.encoder,
            recall=None if summary.recall is None else asdict(summary.recall),
            problem=None if problem is None else CollectionProblem(code=problem.code, detail=detail_of(problem)),
        )


class SnapshotsAnswer(BaseModel):
    """The snapshots of a collection, newest first, and whether it is pinned to its current one."""

    collection: str
    pinned: bool = Field(description="Whether it stays at its current snapshot, and takes no changes.")
    snapshots: list[SnapshotRow]


class CalibrationCurveAnswer(CalibrationAnswer):
    """A calibration with its whole curve: confidence is linear between the scores, and constant beyond them."""

    source: str = Field(description="collection, if it was fitted to this collection's pictures, else encoder.")
    encoder: str
    encoder_digest: str = Field(description="Of the encoder whose scores it is for.")
    brier: float = Field(ge=0, le=1, description="Mean squared error of the confidence, on the hold-out split.")
    scores: list[float] = Field(description="Cosines, ascending.")
    confidences: list[float] = Field(description="The confidence at each of the scores, never descending.")
    holdout: dict[str, Any] | None = Field(
        description="Further figures on the hold-out split, with 95 % intervals; null of an old calibration."
    )

    @classmethod
    def of(cls, calibration: Calibration) -> Self:
        """From the library's object."""
        shared = {name: getattr(calibration, name) for name in CalibrationAnswer.model_fields}
        return cls(
            **shared,
            source="encoder" if calibration.collection is None else "collection",
            encoder=calibration.encoder,
            encoder_digest=calibration.encoder_digest,
            brier=calibration.brier,
            scores=list(calibration.scores),
            confidences=list(calibration.probabilities),
            holdout=None if calibration.held_back is None else asdict(calibration.held_back),
        )
