"""Responses about jobs and uploads."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from lookalike.catalogue.job_store import JobState
from service.http.problems import Problem


class JobAnswer(BaseModel):
    """A job as it is now; events have the same fields."""

    id: str
    collection: str
    kind: str = Field(
        description="index, reindex, duplicates, calibrate, evaluate, export, cluster, outliers or mislabelled."
    )
    options: dict[str, Any] = Field(description="What was sent, apart from `kind`.")
    state: JobState = Field(description="queued, running, succeeded, failed or cancelled; the last three are final.")
    cancel_requested: bool = Field(description="Whether it is to stop; it is cancelled when it has.")
    stage: str | None = Field(description="What it is doing, in words; null before it says so.")
    done: int | None = Field(description="Steps of the stage that are done.")
    total: int | None = Field(description="Steps of the stage; null if that is not known.")
    rate: float | None = Field(description="Steps a second.")
    seconds_left: float | None = Field(description="Until the stage ends, by its rate.")
    rejected: dict[str, int] = Field(description="Files that cannot be used, by error code.")
    created_at: datetime
    started_at: datetime | None = Field(description="When it began first; null while it is queued.")
    finished_at: datetime | None
    starts: int = Field(ge=0, description="How often it was begun: again after the service was stopped.")
    problem: Problem | None = Field(description="Why it failed; null otherwise.")
    summary: dict[str, Any] | None = Field(description="What came of it, by kind; null unless it succeeded.")
    report: str | None = Field(description="Path of its report; null if it has none.")
    file: str | None = Field(description="Path of the file that an export left, for a day; null if there is none.")


class JobsAnswer(BaseModel):
    """A page of jobs, newest first."""

    jobs: list[JobAnswer]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")


class UploadAnswer(BaseModel):
    """An upload as it is now."""

    id: str = Field(description="What a job names as `upload`.")
    filename: str
    length: int = Field(ge=0, description="Bytes of the whole.")
    offset: int = Field(ge=0, description="Bytes that have arrived.")
    complete: bool
    created_at: datetime
    expires_at: datetime = Field(description="When it is removed, unless more of it arrives or a job uses it.")
