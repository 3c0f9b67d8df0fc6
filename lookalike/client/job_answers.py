"""What the service answers about jobs and uploads; see ``answers``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lookalike.client.answer_base import Answer
from lookalike.client.answers import Problem

FINAL_STATES = frozenset({"succeeded", "failed", "cancelled"})


class JobAnswer(Answer, frozen=True, kw_only=True):
    """A job as it is now."""

    id: str
    collection: str
    kind: str
    options: dict[str, Any]
    state: str
    cancel_requested: bool
    rejected: dict[str, int]
    created_at: datetime
    starts: int
    stage: str | None = None
    done: int | None = None
    total: int | None = None
    rate: float | None = None
    seconds_left: float | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    problem: Problem | None = None
    summary: dict[str, Any] | None = None
    report: str | None = None
    file: str | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing more will become of it."""
        return self.state in FINAL_STATES


class JobsAnswer(Answer, frozen=True, kw_only=True):
    """A page of jobs, newest first."""

    jobs: tuple[JobAnswer, ...]
    next_cursor: str | None = None


class UploadAnswer(Answer, frozen=True, kw_only=True):
    """An upload as it is now; ``id`` is what a job names."""

    id: str
    filename: str
    length: int
    offset: int
    complete: bool
    created_at: datetime
    expires_at: datetime
