"""What the service answers about collections and about itself; see ``answers``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lookalike.client.answer_base import Answer
from lookalike.client.answers import ThresholdAnswer


class CollectionProblem(Answer, frozen=True, kw_only=True):
    """Why a collection, or its newest snapshot, is not served."""

    code: str
    detail: str


class PictureProblem(CollectionProblem, frozen=True, kw_only=True):
    """Why a collection cannot be searched by picture; everything else works."""

    command: str | None = None


class CollectionRow(Answer, frozen=True, kw_only=True):
    """A collection's summary."""

    name: str
    ready: bool
    searchable_by_picture: bool
    count: int | None = None
    snapshot: int | None = None
    encoder: str | None = None
    created_at: datetime | None = None
    problem: CollectionProblem | None = None
    picture_problem: PictureProblem | None = None


class CollectionsAnswer(Answer, frozen=True, kw_only=True):
    """All collections."""

    collections: tuple[CollectionRow, ...]


class EncoderAnswer(Answer, frozen=True, kw_only=True):
    """What a collection's vectors were made with."""

    name: str
    backbone: str
    fusion: str
    dimension: int
    input_size: int
    digest: str


class SourceAnswer(Answer, frozen=True, kw_only=True):
    """Where a collection's pictures came from."""

    kind: str
    location: str


class CalibrationAnswer(Answer, frozen=True, kw_only=True):
    """What the threshold and the confidences of a collection's scores were fitted to."""

    threshold: float
    rule: str
    precision: float
    recall: float
    positives: int
    negatives: int
    method: str
    calibration_error: float
    created_at: datetime
    collection: str | None = None


class ColumnAnswer(Answer, frozen=True, kw_only=True):
    """A column of the items' metadata, by which they can be filtered, grouped and counted."""

    name: str
    types: tuple[str, ...]
    count: int
    declared: bool = False


class CollectionAnswer(Answer, frozen=True, kw_only=True):
    """A collection in full; ``columns`` is None in answers to changes of the collection."""

    name: str
    count: int
    snapshot: int
    change: int
    pending: int
    created_at: datetime
    made_by: str
    encoder: EncoderAnswer
    engine: str
    plan: tuple[str, ...]
    threshold: ThresholdAnswer
    bytes: int
    source: SourceAnswer
    searchable_by_picture: bool
    keep: int
    auto_tags: bool
    pinned: bool
    recall: dict[str, Any] | None = None
    columns: tuple[ColumnAnswer, ...] | None = None
    calibration: CalibrationAnswer | None = None
    picture_problem: PictureProblem | None = None


class SnapshotRow(Answer, frozen=True, kw_only=True):
    """One snapshot; fields of a damaged one are None, and ``problem`` says so."""

    snapshot: int
    is_current: bool
    created_at: datetime | None = None
    count: int | None = None
    bytes: int | None = None
    engine: str | None = None
    encoder: str | None = None
    recall: dict[str, Any] | None = None
    problem: CollectionProblem | None = None


class SnapshotsAnswer(Answer, frozen=True, kw_only=True):
    """The snapshots of a collection, newest first, and whether it is pinned to its current one."""

    collection: str
    pinned: bool
    snapshots: tuple[SnapshotRow, ...]


class CalibrationCurveAnswer(CalibrationAnswer, frozen=True, kw_only=True):
    """A calibration with its whole curve: confidence is linear between the scores, and constant beyond them."""

    source: str
    encoder: str
    encoder_digest: str
    brier: float
    scores: tuple[float, ...]
    confidences: tuple[float, ...]
    holdout: dict[str, Any] | None = None


class CollectionDeletedAnswer(Answer, frozen=True, kw_only=True):
    """A collection that is out of service."""

    collection: str
    restorable: bool


class EncoderRow(Answer, frozen=True, kw_only=True):
    """An encoder that requests can name; dimension, input size and threshold are None until it is loaded."""

    name: str
    installed: bool
    loaded: bool
    dimension: int | None = None
    input_size: int | None = None
    licence: str | None = None
    threshold: ThresholdAnswer | None = None


class EncodersAnswer(Answer, frozen=True, kw_only=True):
    """All encoders, including those that can be installed."""

    encoders: tuple[EncoderRow, ...]


class OperatorAnswer(Answer, frozen=True, kw_only=True):
    """Whether the compiled operator is in use."""

    available: bool
    detail: str


class HealthAnswer(Answer, frozen=True, kw_only=True):
    """How the service is."""

    status: str
    collections: dict[str, int | None]
    searchable_by_key_only: dict[str, PictureProblem]
    in_flight: int
    capacity: int
    uploading: int
    problems: tuple[str, ...]
    operator: OperatorAnswer | None = None
    runtime: str | None = None


class ReadyAnswer(Answer, frozen=True, kw_only=True):
    """The service can answer."""

    ready: bool
    took_ms: float


class MapGroupAnswer(Answer, frozen=True, kw_only=True):
    """A value of the field that a map is coloured by, and how many of the items have it."""

    value: str | float | bool
    count: int


class MapAnswer(Answer, frozen=True, kw_only=True):
    """A collection in two dimensions; ``keys``, ``x``, ``y`` and ``groups`` have an entry for each item."""

    collection: str
    snapshot: int
    map_snapshot: int
    created_at: datetime
    items: int
    placed: int
    missing: int
    field: str | None = None
    values: tuple[MapGroupAnswer, ...]
    others: int
    without: int
    keys: tuple[str, ...]
    x: tuple[int, ...]
    y: tuple[int, ...]
    groups: tuple[int, ...]


class VersionAnswer(Answer, frozen=True, kw_only=True):
    """The versions of the service and of its main dependencies."""

    version: str
    python: str
    torch: str
    faiss: str
