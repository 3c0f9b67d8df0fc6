"""Runs queued jobs, each in a process of its own: claims them, reports how far they are, and stores what came of them.

Several services over one catalogue share the queue; a job that one of them began and did not finish, because it was
killed, is taken over by another one, or by itself after its restart: all kinds go on where they were.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from lookalike.catalogue.job_store import JobRecord, JobResult, JobState, JobStore, RunningJob, Signal
from lookalike.errors import LookalikeError
from service.completion import complete
from service.errors import JobAbandonedError, JobFailedError, OverloadedError, RequestError
from service.http.problems import detail_of
from service.indexer_process import IndexerProcess, indexer_command, indexer_environment
from service.jobs.job_events import GOOD_CODES, JobEvents
from service.jobs.job_files import remove_old_files
from service.jobs.job_queue import JobQueue
from service.jobs.kinds import KINDS, JobKind, options_by_flag, validate_options
from service.jobs.reports import keep_report
from service.jobs.upload_store import UploadStore
from service.jobs.work import JobCommand, JobWork
from service.loop_guard import LoopGuard
from service.settings import Settings
from service.snapshots import Snapshots

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0
"""Seconds between two looks for jobs of others, and between two reports of how far one is."""
_ABANDONED_SECONDS = 20.0
"""Seconds without a sign of life after which a job's process is taken to be gone."""
_STOPPED_SECONDS = 0.1
"""Seconds between two looks whether jobs that were cancelled have stopped."""
_SWEEP_SECONDS = 600.0
"""Seconds between two clean-ups of uploads and old jobs."""
_BUSY_SECONDS = 3600.0
"""Seconds for which a job waits for another process that works on its collection."""
MAX_STARTS = 3
"""How often a job is begun that takes the service down with it, or is there when it goes down."""
MAX_OPEN = 100
"""Jobs that may be queued or running at once."""
KEPT_JOBS = 100
"""Finished jobs of a collection that are remembered."""
KEPT_DAYS = 30
_WAITING = ("collection-busy", "catalogue-locked")
_REJECTED_WAIT = 60


@dataclass(eq=False)
class _Run:
    """A job that this process runs; ``is_lost`` once it is another one's."""

    record: JobRecord
    events: JobEvents
    command: JobCommand | None = None
    process: IndexerProcess | None = None
    exit_code: int = -1
    is_cancelled: bool = False
    is_lost: bool = False


class JobRunner:
    """The jobs of one service; methods are for the event loop's thread."""

    def __init__(self, settings: Settings, snapshots: Snapshots, uploads: UploadStore) -> None:
        self._settings = settings
        self._snapshots = snapshots
        self._uploads = uploads
        self.guard = LoopGuard("looking for jobs")
        self.queue = JobQueue(settings.places)
        self.is_stopping = asyncio.Event()
        self._owner = f"{socket.gethostname()[:32]}:{os.getpid()}:{secrets.token_hex(8)}"
        self._runs: dict[asyncio.Task[None], str] = {}
        self._wake = asyncio.Event()
        self._seen: dict[RunningJob, float] = {}
        self._last_sweep = -_SWEEP_SECONDS
        self._is_reported = False

    @property
    def folder(self) -> Path:
        """Where jobs keep their files."""
        return self._settings.places.data / "jobs"

    async def submit(self, collection: str, kind: str, sent: Mapping[str, Any]) -> JobRecord:
        """Check and queue a job; raises what is wrong with it, and OverloadedError if too many are open."""
        work = self._work(collection, kind, sent, Path())
        await asyncio.to_thread(KINDS[kind].check, work)
        options = work.options.model_dump(mode="json", exclude_unset=True)
        record = await self.queue.call(lambda store: store.add(collection, kind, options, max_open=MAX_OPEN))
        if record is None:
            raise OverloadedError(
                f"{MAX_OPEN} jobs are queued or running: wait for one to finish, or cancel one",
                retry_after=_REJECTED_WAIT,
            )
        self._wake.set()
        return record

    async def cancel(self, job_id: str) -> JobRecord | None:
        """Cancel a job, or ask for it where it runs; None without such a job."""
        record = await self.queue.look(lambda store: store.cancel(job_id))
        self._wake.set()
        return record

    async def stop_all(self, collection: str) -> None:
        """Cancel all jobs of a collection, and return when none runs any more; a caller bounds the time."""
        while jobs := [job for job in await self._open_jobs() if job.collection == collection]:
            for job in jobs:
                if not job.is_cancel_requested:
                    await self.cancel(job.id)
            if any(job.state is JobState.RUNNING for job in jobs):
                await asyncio.sleep(_STOPPED_SECONDS)

    async def run_forever(self) -> None:
        """Run what is queued, until cancelled."""
        while True:
            with self.guard:
                try:
                    await self._look()
                    self._is_reported = False
                except LookalikeError as error:  # such as a database that cannot be reached: it is tried again
                    if not self._is_reported:
                        _LOG.warning("jobs not looked for", extra={"code": error.code, "why": error.message})
                    self._is_reported = True
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._wake.wait()
            self._wake.clear()

    def end_streams(self) -> None:
        """End the events of all jobs: the service is about to stop, and clients connect again to the next one."""
        self.is_stopping.set()

    async def close(self) -> None:
        """Stop what runs, and put it back into the queue: whoever is there next goes on with it."""
        self.end_streams()
        tasks = list(self._runs)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.queue.close()

    async def _look(self) -> None:
        if time.monotonic() - self._last_sweep >= _SWEEP_SECONDS:
            self._last_sweep = time.monotonic()
            await self._sweep()
        await self._take_over()
        while len(self._runs) < self._settings.max_jobs:
            record = await self.queue.look(lambda store: store.claim(self._owner, time.time()))
            if record is None:
                return
            task = asyncio.create_task(self._run(record), name=f"job {record.id}")
            self._runs[task] = record.id
            task.add_done_callback(self._end_run)

    def _end_run(self, task: asyncio.Task[None]) -> None:
        del self._runs[task]
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("job failed", exc_info=error)

    async def _take_over(self) -> None:
        """Take over jobs of which nothing has been heard for long."""
        running = await self.queue.look(JobStore.running) or []
        now = time.monotonic()
        own = set(self._runs.values())
        self._seen = {job: self._seen.get(job, now) for job in running if job.id not in own}
        problem = {
            "code": JobAbandonedError.code,
            "detail": f"the service was stopped {MAX_STARTS} times while it ran this job; look into its log, and send "
            "the job again",
        }
        for job, since in self._seen.items():
            if now - since >= _ABANDONED_SECONDS:
                await self.queue.call(partial(JobStore.take_over, job=job, max_starts=MAX_STARTS, problem=problem))
                _LOG.warning("job taken over", extra={"job": job.id})

    async def _sweep(self) -> None:
        """Forget old jobs, and remove files of jobs and uploads that nobody needs."""
        before = datetime.now(UTC) - timedelta(days=KEPT_DAYS)
        jobs = await self._open_jobs()
        forgotten = await self.queue.look(lambda store: store.prune(keep=KEPT_JOBS, before=before)) or []
        used = {str(job.options.get("upload")) for job in jobs}
        try:
            await asyncio.to_thread(self._uploads.remove_expired, used)
        except OSError as error:
            _LOG.warning("uploads not cleaned up", extra={"why": str(error)})
        await asyncio.to_thread(remove_old_files, self.folder)
        for job_id in forgotten:
            await asyncio.to_thread(shutil.rmtree, self.folder / job_id, ignore_errors=True)

    async def _open_jobs(self) -> list[JobRecord]:
        return await self.queue.look(JobStore.open_jobs) or []

    async def _run(self, record: JobRecord) -> None:
        """Run a claimed job to its end."""
        kind, folder = KINDS[record.kind], self.folder / record.id
        run = _Run(record, JobEvents(record.collection, {}, {}))
        beat = asyncio.create_task(self._report_progress(run))
        try:
            try:
                failure = await self._run_command(run, kind, folder)
            except asyncio.CancelledError:
                await complete(self._put_back(run))
                raise
            # A service that stops waits for this: to run the job again would report on another run, or find no upload.
            await complete(self._conclude(run, kind, folder, failure))
        finally:
            beat.cancel()
            await asyncio.gather(beat, return_exceptions=True)

    async def _run_command(self, run: _Run, kind: JobKind, folder: Path) -> JobResult | None:
        """Run the job's process to its end; how the job failed if that was not possible."""
        record = run.record
        try:
            work = self._work(record.collection, record.kind, record.options, folder)
            await asyncio.to_thread(_make_empty, folder)
            run.command = await asyncio.to_thread(kind.command, work)
            run.events = JobEvents(record.collection, self._hidden(run.command), options_by_flag(kind))
            run.exit_code = await self._run_process(run, run.command)
        except Exception as error:  # noqa: BLE001  # the job ends with it
            return _failed(record, error)
        return None

    async def _conclude(self, run: _Run, kind: JobKind, folder: Path, failure: JobResult | None) -> None:
        """Store how the job ended, and clean up, unless it is another process's, which uses the same files."""
        if run.is_lost:
            return
        command, succeeded = run.command, failure is None and run.exit_code in GOOD_CODES and bool(run.events.answer)
        try:
            # While the job is the collection's only one, as the next one may be of the same archive.
            await self._clean_up(run, None if command is None else command.settle)
            if failure is None and not succeeded and not run.is_cancelled and await self._waits(run):
                return
            result = failure or await self._result(run, kind, folder, succeeded=succeeded)
        except Exception as error:  # noqa: BLE001  # the job ends with it
            result = _failed(run.record, error)
        if not run.is_lost:
            await self._finish(run.record, replace(result, progress=run.events.progress))
            # Not before: a job that is begun again, because its service was killed, needs its upload again.
            if command is not None and result.state is JobState.SUCCEEDED:
                await self._clean_up(run, command.discard)

    async def _put_back(self, run: _Run) -> None:
        """Queue the job of a service that stops again."""
        if not run.is_lost:
            await self._clean_up(run, None if run.command is None else run.command.settle)
            requeue = partial(JobStore.requeue, job_id=run.record.id, owner=self._owner, progress=run.events.progress)
            await self._store(requeue)

    async def _clean_up(self, run: _Run, work: Callable[[], None] | None) -> None:
        """Clean up after a job's process; a failure leaves files behind, and the job ends as it did."""
        try:
            if work is not None:
                await asyncio.to_thread(work)
        except (LookalikeError, OSError) as error:
            _LOG.warning("job not cleaned up", extra={"job": run.record.id, "why": str(error)})

    async def _run_process(self, run: _Run, command: JobCommand) -> int:
        data = str(self._settings.places.data)
        words = indexer_command(*command.arguments, "--data", data, "--json")
        if run.is_cancelled or run.is_lost:
            return -1
        process = await IndexerProcess.start(words, indexer_environment(self._settings.places))
        run.process = process
        try:
            async for event in process.events():
                run.events.take(event)
            return await process.wait()
        finally:
            await process.stop()

    async def _waits(self, run: _Run) -> bool:
        """Whether the job goes back to the queue, because somebody else works on its collection."""
        record = run.record
        waited = (datetime.now(UTC) - record.created_at).total_seconds()
        if run.events.error_code not in _WAITING or waited > _BUSY_SECONDS:
            return False
        progress = {"stage": "waiting for another process that works on the collection"}
        not_before = time.time() + min(60.0, max(2.0, waited / 4))
        await self._store(lambda store: store.requeue(record.id, self._owner, not_before=not_before, progress=progress))
        return True

    async def _result(self, run: _Run, kind: JobKind, folder: Path, *, succeeded: bool) -> JobResult:
        events, record, code = run.events, run.record, run.exit_code
        has_report = await asyncio.to_thread(keep_report, folder, kind.report, events)
        if succeeded:
            await self._snapshots.poll(record.collection)
            return JobResult(JobState.SUCCEEDED, summary=kind.summary(events.answer), has_report=has_report)
        if run.is_cancelled:
            return JobResult(JobState.CANCELLED, has_report=has_report)
        problem = events.problem()
        if problem is None:
            last_words = "" if run.process is None else run.process.last_words
            _LOG.warning("job failed", extra={"job": record.id, "exit_code": code, "why": last_words})
            how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            detail = f"the job's process ended {how} without saying why; the service's log has its last words"
            problem = {"code": JobFailedError.code, "detail": detail}
        return JobResult(JobState.FAILED, problem, has_report=has_report)

    async def _finish(self, record: JobRecord, result: JobResult) -> None:
        await self._store(lambda store: store.finish(record.id, self._owner, result))
        extra = {"job": record.id, "kind": record.kind, "collection": record.collection, "state": result.state.value}
        _LOG.info("job", extra=extra)

    async def _report_progress(self, run: _Run) -> None:
        """Say every second that the job is alive, and stop it when it is cancelled, or another process's."""
        guard = LoopGuard("reporting how far a job is")
        while True:
            with guard, suppress(LookalikeError):  # a database that is locked for a while
                progress = run.events.progress
                report = partial(JobStore.report_progress, job_id=run.record.id, owner=self._owner, progress=progress)
                signal = await self.queue.call(report)
                run.is_cancelled = run.is_cancelled or signal is Signal.CANCEL
                run.is_lost = signal is Signal.LOST
                if (run.is_cancelled or run.is_lost) and run.process is not None:
                    await run.process.stop()
            await asyncio.sleep(_LOOK_SECONDS)

    async def _store(self, work: Callable[[JobStore], object]) -> None:
        """Write what must not be lost, however long the database cannot be written."""
        for wait in (1.0, 2.0, 5.0, 10.0):
            try:
                await self.queue.call(work)
                return
            except LookalikeError as error:
                _LOG.warning("job not stored", extra={"code": error.code, "why": error.message})
                await asyncio.sleep(wait)
        await self.queue.call(work)

    def _hidden(self, command: JobCommand) -> dict[str, str]:
        """Words for paths of the server, each as it is written and with links followed."""
        places = self._settings.places
        words = {str(places.encoders_dir.absolute()): "ENCODERS", str(places.data.absolute()): "DATA", **command.hidden}
        return {str(Path(path).resolve()): name for path, name in words.items()} | words

    def _work(self, collection: str, kind: str, options: Mapping[str, Any], folder: Path) -> JobWork:
        form = validate_options(kind, options)
        return JobWork(self._settings, self._uploads, collection, form, folder.absolute())


def _failed(record: JobRecord, error: Exception) -> JobResult:
    """The end of a job that the service could not run; its log has what is nobody else's business."""
    if isinstance(error, (LookalikeError, RequestError)):
        return JobResult(JobState.FAILED, {"code": error.code, "detail": detail_of(error)})
    if isinstance(error, OSError):  # such as no memory for another process
        _LOG.warning("job not started", extra={"job": record.id, "why": str(error)})
        detail = "the job's process could not be started; the service's log has why"
    else:
        _LOG.error("job failed", exc_info=error, extra={"job": record.id})
        detail = "the service could not run the job; its log has why"
    return JobResult(JobState.FAILED, {"code": JobFailedError.code, "detail": detail})


def _make_empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
