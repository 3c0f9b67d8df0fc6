"""Jobs of the service as rows: queued, claimed by one process, and kept for a while when they are finished.

A process that runs a job counts its ``beat`` up, every second or so. Another one that sees the same beat for long by
its own clock takes the job to be abandoned: no clocks of two machines are compared. Every write of a runner names the
owner, so that one that lost its job changes nothing of it any more.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, delete, false, func, or_, select
from sqlalchemy.orm import Session

from lookalike.catalogue.database import Database
from lookalike.catalogue.models import JobRow, utc_now
from lookalike.catalogue.visible_items import CHUNK


class JobState(StrEnum):
    """Where a job is on its way."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing happens to the job any more."""
        return self not in _OPEN


_OPEN = (JobState.QUEUED, JobState.RUNNING)


class Signal(StrEnum):
    """What a runner learns when it reports how far its job is."""

    CONTINUE = "continue"
    CANCEL = "cancel"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One job, as stored; ``number`` rises from job to job, ``progress`` is what its process said last."""

    number: int
    id: str
    collection: str
    kind: str
    options: Mapping[str, Any]
    state: JobState
    is_cancel_requested: bool
    starts: int
    progress: Mapping[str, Any]
    problem: Mapping[str, Any] | None
    summary: Mapping[str, Any] | None
    has_report: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class RunningJob(NamedTuple):
    """A job that some process runs; the same beat for long says that the process is gone."""

    id: str
    owner: str
    beat: int


@dataclass(frozen=True, slots=True)
class JobResult:
    """How a job ended: ``state`` is a final one, ``progress`` how far it came, None for what is stored."""

    state: JobState
    problem: Mapping[str, Any] | None = None
    summary: Mapping[str, Any] | None = None
    has_report: bool = False
    progress: Mapping[str, Any] | None = None


class JobStore:
    """All jobs, each call one transaction; safe from several threads and processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def add(self, collection: str, kind: str, options: Mapping[str, Any], *, max_open: int) -> JobRecord | None:
        """Queue a job; None if ``max_open`` are queued or running already."""
        with self._database.write_session() as session:
            open_count = session.scalar(select(func.count()).select_from(JobRow).where(_is_open())) or 0
            if open_count >= max_open:
                return None
            row = JobRow(
                id=secrets.token_hex(8),
                collection=collection,
                kind=kind,
                options=dict(options),
                state=JobState.QUEUED,
                progress={},
            )
            session.add(row)
            session.flush()
            return _record(row)

    def get(self, job_id: str) -> JobRecord | None:
        """The job of this id, if there is one."""
        with self._database.read_session() as session:
            row = session.scalar(select(JobRow).where(JobRow.id == job_id))
            return None if row is None else _record(row)

    def page(
        self,
        *,
        collection: str | None = None,
        patterns: Sequence[str] | None = None,
        state: JobState | None = None,
        before: int | None = None,
        limit: int,
    ) -> list[JobRecord]:
        """Jobs, newest first: those with a number below ``before``.

        ``patterns`` are names of collections, and beginnings of names with a ``*`` behind; None for all collections.
        """
        query = select(JobRow).order_by(JobRow.number.desc()).limit(limit)
        if collection is not None:
            query = query.where(JobRow.collection == collection)
        if patterns is not None:
            query = query.where(or_(false(), *(_matches(pattern) for pattern in patterns)))
        if state is not None:
            query = query.where(JobRow.state == state)
        if before is not None:
            query = query.where(JobRow.number < before)
        with self._database.read_session() as session:
            return [_record(row) for row in session.scalars(query)]

    def open_jobs(self) -> list[JobRecord]:
        """All jobs that are queued or running, oldest first."""
        with self._database.read_session() as session:
            return [_record(row) for row in session.scalars(select(JobRow).where(_is_open()).order_by(JobRow.number))]

    def claim(self, owner: str, now: float) -> JobRecord | None:
        """Take the oldest queued job that may begin: the first of its collection, of which none runs; None without one.

        ``now`` is in seconds since 1970. Of several processes only one gets a job.
        """
        for number, collection in self._candidates(now):
            with self._database.write_session() as session:
                # All of a collection in one order, so that two processes wait for each other instead of taking two.
                is_of_collection = and_(_is_open(), JobRow.collection == collection)
                rows = session.scalars(
                    select(JobRow).where(is_of_collection).order_by(JobRow.number).with_for_update()
                ).all()
                if not rows or rows[0].number != number or any(row.state == JobState.RUNNING for row in rows):
                    continue
                row = rows[0]
                row.state, row.owner, row.beat = JobState.RUNNING, owner, 0
                row.starts += 1
                row.started_at = row.started_at or utc_now()
                session.flush()
                return _record(row)
        return None

    def _candidates(self, now: float) -> list[tuple[int, str]]:
        """The first queued job of each collection that none runs of, by age; a look that locks nothing."""
        with self._database.read_session() as session:
            rows = session.execute(
                select(JobRow.number, JobRow.collection, JobRow.state, JobRow.not_before)
                .where(_is_open())
                .order_by(JobRow.number)
            ).all()
        busy = {row.collection for row in rows if row.state == JobState.RUNNING}
        candidates = []
        for row in rows:
            if row.collection not in busy:
                busy.add(row.collection)
                if row.not_before <= now:
                    candidates.append((row.number, row.collection))
        return candidates

    def report_progress(self, job_id: str, owner: str, progress: Mapping[str, Any]) -> Signal:
        """Say that the job is alive, and how far it is; what is to be done with it."""
        with self._database.write_session() as session:
            row = _owned(session, job_id, owner)
            if row is None:
                return Signal.LOST
            row.beat += 1
            row.progress = dict(progress)
            return Signal.CANCEL if row.is_cancel_requested else Signal.CONTINUE

    def finish(self, job_id: str, owner: str, result: JobResult) -> bool:
        """Store how a job ended; false if it is no longer this owner's."""
        with self._database.write_session() as session:
            row = _owned(session, job_id, owner)
            if row is None:
                return False
            _finish(row, result)
            return True

    def requeue(
        self, job_id: str, owner: str, *, not_before: float = 0.0, progress: Mapping[str, Any] | None = None
    ) -> bool:
        """Put a job that was not to blame back at its place in the queue; false if it is no longer this owner's."""
        with self._database.write_session() as session:
            row = _owned(session, job_id, owner)
            if row is None:
                return False
            if row.is_cancel_requested:
                _finish(row, JobResult(JobState.CANCELLED))
                return True
            row.state, row.owner, row.not_before = JobState.QUEUED, None, not_before
            row.starts -= 1
            row.progress = dict(progress or {})
            return True

    def running(self) -> list[RunningJob]:
        """The jobs that some process runs."""
        with self._database.read_session() as session:
            rows = session.execute(
                select(JobRow.id, JobRow.owner, JobRow.beat).where(JobRow.state == JobState.RUNNING)
            ).all()
        return [RunningJob(row.id, row.owner or "", row.beat) for row in rows]

    def take_over(self, job: RunningJob, *, max_starts: int, problem: Mapping[str, Any]) -> bool:
        """Queue an abandoned job again, or end it with a problem after so many starts; false if it is not abandoned."""
        with self._database.write_session() as session:
            row = _owned(session, job.id, job.owner)
            if row is None or row.beat != job.beat:
                return False
            if row.is_cancel_requested:
                _finish(row, JobResult(JobState.CANCELLED))
            elif row.starts >= max_starts:
                _finish(row, JobResult(JobState.FAILED, problem))
            else:
                row.state, row.owner = JobState.QUEUED, None
            return True

    def cancel(self, job_id: str) -> JobRecord | None:
        """End a queued job, ask the owner of a running one to stop, leave a finished one; None without such a job."""
        with self._database.write_session() as session:
            row = session.scalar(select(JobRow).where(JobRow.id == job_id).with_for_update())
            if row is None:
                return None
            if row.state == JobState.QUEUED:
                row.is_cancel_requested = True
                _finish(row, JobResult(JobState.CANCELLED))
            elif row.state == JobState.RUNNING:
                row.is_cancel_requested = True
            session.flush()
            return _record(row)

    def prune(self, *, keep: int, before: datetime) -> list[str]:
        """Forget finished jobs that ended before this time, and of each collection all but the newest ``keep``."""
        is_final = JobRow.state.not_in(_OPEN)
        age = func.row_number().over(partition_by=JobRow.collection, order_by=JobRow.number.desc())
        with self._database.write_session() as session:
            ranked = select(JobRow.id, age.label("age"), JobRow.finished_at).where(is_final).subquery()
            is_old = (ranked.c.age > keep) | (ranked.c.finished_at < before)
            ids = list(session.scalars(select(ranked.c.id).where(is_old)))
            for chunk in _chunks(ids):
                session.execute(delete(JobRow).where(JobRow.id.in_(chunk)))
            return ids


def _matches(pattern: str) -> ColumnElement[bool]:
    if pattern.endswith("*"):
        return JobRow.collection.startswith(pattern[:-1], autoescape=True)
    return JobRow.collection == pattern


def _is_open() -> ColumnElement[bool]:
    return JobRow.state.in_(_OPEN)


def _owned(session: Session, job_id: str, owner: str) -> JobRow | None:
    """The row of a running job, locked, if this owner has it."""
    return session.scalar(
        select(JobRow)
        .where(JobRow.id == job_id, JobRow.owner == owner, JobRow.state == JobState.RUNNING)
        .with_for_update()
    )


def _finish(row: JobRow, result: JobResult) -> None:
    row.state, row.owner, row.finished_at = result.state, None, utc_now()
    row.problem = None if result.problem is None else dict(result.problem)
    row.summary = None if result.summary is None else dict(result.summary)
    row.has_report = result.has_report
    if result.progress is not None:
        row.progress = dict(result.progress)


def _chunks(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]


def _utc(moment: datetime | None) -> datetime | None:
    """SQLite gives times back without their zone."""
    return None if moment is None else moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _record(row: JobRow) -> JobRecord:
    created_at = _utc(row.created_at)
    assert created_at is not None
    return JobRecord(
        number=row.number,
        id=row.id,
        collection=row.collection,
        kind=row.kind,
        options=row.options,
        state=JobState(row.state),
        is_cancel_requested=row.is_cancel_requested,
        starts=row.starts,
        progress=row.progress,
        problem=row.problem,
        summary=row.summary,
        has_report=row.has_report,
        created_at=created_at,
        started_at=_utc(row.started_at),
        finished_at=_utc(row.finished_at),
    )
