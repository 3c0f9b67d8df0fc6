"""Jobs as rows on both databases: who gets one, what becomes of it, and who is left out."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from lookalike.catalogue.database import Database
from lookalike.catalogue.job_store import JobRecord, JobResult, JobState, JobStore, RunningJob, Signal

LOST = {"code": "job-abandoned", "detail": "stopped too often"}


@pytest.fixture
def store(database_url: str) -> Iterator[JobStore]:
    opened = JobStore(Database.open(database_url))
    yield opened
    opened.close()


def add(store: JobStore, collection: str = "shop", kind: str = "index") -> JobRecord:
    record = store.add(collection, kind, {"upload": "u1"}, max_open=100)
    assert record is not None
    return record


def get(store: JobStore, job: JobRecord) -> JobRecord:
    record = store.get(job.id)
    assert record is not None
    return record


def claimed_id(store: JobStore, owner: str = "a", now: float = 0.0) -> str | None:
    record = store.claim(owner, now)
    return None if record is None else record.id


def test_a_job_is_queued_claimed_reported_and_finished(store: JobStore) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)
    job = add(store)
    assert (job.state, job.starts, job.options, job.started_at) == (JobState.QUEUED, 0, {"upload": "u1"}, None)
    assert before < job.created_at < datetime.now(UTC) + timedelta(seconds=5)
    assert claimed_id(store) == job.id
    assert (get(store, job).state, get(store, job).starts) == (JobState.RUNNING, 1)
    assert store.report_progress(job.id, "a", {"done": 3}) is Signal.CONTINUE
    assert get(store, job).progress == {"done": 3}
    assert store.finish(job.id, "a", JobResult(JobState.SUCCEEDED, summary={"items": 7}, has_report=True))
    done = get(store, job)
    assert (done.state, done.summary, done.has_report, done.problem) == (JobState.SUCCEEDED, {"items": 7}, True, None)
    assert done.finished_at is not None
    assert done.finished_at >= done.created_at
    assert claimed_id(store) is None


def test_a_collection_has_one_job_at_a_time_in_the_order_in_which_they_came(store: JobStore) -> None:
    first, second, other = add(store), add(store), add(store, "other")
    assert [claimed_id(store, "a"), claimed_id(store, "b"), claimed_id(store, "c")] == [first.id, other.id, None]
    store.finish(first.id, "a", JobResult(JobState.FAILED, LOST))
    assert claimed_id(store, "c") == second.id


def test_of_many_processes_only_one_gets_a_job(store: JobStore) -> None:
    jobs = {add(store, f"c{number}").id for number in range(3)}
    add(store, "c0")
    with ThreadPoolExecutor(8) as pool:
        claimed = [job for job in pool.map(lambda number: claimed_id(store, f"owner-{number}"), range(16)) if job]
    assert sorted(claimed) == sorted(jobs)


def test_a_job_that_was_put_back_waits_for_its_time_at_its_place(store: JobStore) -> None:
    first, _second = add(store), add(store)
    assert claimed_id(store) == first.id
    assert store.requeue(first.id, "a", not_before=50.0, progress={"stage": "waiting"})
    assert (get(store, first).state, get(store, first).starts) == (JobState.QUEUED, 0)
    assert get(store, first).progress == {"stage": "waiting"}
    assert claimed_id(store, now=49.0) is None, "the second one does not overtake it"
    assert claimed_id(store, now=50.0) == first.id


def test_cancelling_ends_a_queued_job_and_asks_a_running_one(store: JobStore) -> None:
    queued, running = add(store), add(store, "other")
    cancelled = store.cancel(queued.id)
    assert cancelled is not None
    assert (cancelled.state, cancelled.finished_at is None) == (JobState.CANCELLED, False)
    assert claimed_id(store) == running.id
    cancelled = store.cancel(running.id)
    assert cancelled is not None
    assert (cancelled.state, cancelled.is_cancel_requested) == (JobState.RUNNING, True)
    assert store.report_progress(running.id, "a", {}) is Signal.CANCEL
    assert store.requeue(running.id, "a"), "a service that stops puts it back, and it is not run again"
    assert get(store, running).state is JobState.CANCELLED
    for job in (queued, running):
        assert store.cancel(job.id) == get(store, job), "once more changes nothing"
    assert store.cancel("no-such-job") is None


def test_an_abandoned_job_is_taken_over_and_its_owner_has_no_say_any_more(store: JobStore) -> None:
    job = add(store)
    claimed_id(store, "dead")
    store.report_progress(job.id, "dead", {"done": 1})
    (running_job,) = store.running()
    assert running_job == RunningJob(job.id, "dead", 1)
    store.report_progress(job.id, "dead", {"done": 2})
    assert not store.take_over(running_job, max_starts=3, problem=LOST), "it has moved since"
    (running_job,) = store.running()
    assert store.take_over(running_job, max_starts=3, problem=LOST)
    assert get(store, job).state is JobState.QUEUED
    assert store.report_progress(job.id, "dead", {}) is Signal.LOST
    assert not store.finish(job.id, "dead", JobResult(JobState.SUCCEEDED))
    assert claimed_id(store, "alive") == job.id
    assert not store.requeue(job.id, "dead")
    assert get(store, job).starts == 2


def test_a_job_that_takes_every_service_down_fails_in_the_end(store: JobStore) -> None:
    job = add(store)
    for start in range(1, 4):
        assert claimed_id(store, f"owner-{start}") == job.id
        (running_job,) = store.running()
        assert store.take_over(running_job, max_starts=3, problem=LOST)
    assert (get(store, job).state, get(store, job).problem) == (JobState.FAILED, LOST)


def test_an_abandoned_job_that_was_cancelled_is_not_begun_again(store: JobStore) -> None:
    job = add(store)
    claimed_id(store, "dead")
    store.cancel(job.id)
    (running_job,) = store.running()
    assert store.take_over(running_job, max_starts=3, problem=LOST)
    assert get(store, job).state is JobState.CANCELLED


def test_jobs_are_listed_newest_first_by_page_collection_and_state(store: JobStore) -> None:
    jobs = [add(store, "shop" if number % 2 else "other") for number in range(5)]
    store.cancel(jobs[1].id)
    numbers = [job.number for job in jobs]
    assert [job.number for job in store.page(limit=2)] == numbers[:2:-1]
    assert [job.number for job in store.page(before=numbers[3], limit=9)] == numbers[2::-1]
    assert [job.number for job in store.page(collection="shop", limit=9)] == [numbers[3], numbers[1]]
    assert [job.number for job in store.page(state=JobState.CANCELLED, limit=9)] == [numbers[1]]
    assert [job.number for job in store.page(patterns=["sh*"], limit=9)] == [numbers[3], numbers[1]]
    assert [job.number for job in store.page(patterns=["shop", "s_op*"], limit=9)] == [numbers[3], numbers[1]]
    assert store.page(patterns=["s_op*", "sho"], limit=9) == store.page(patterns=[], limit=9) == []
    assert [job.id for job in store.open_jobs()] == [job.id for job in jobs if job is not jobs[1]]


def test_no_more_jobs_than_allowed_are_open(store: JobStore) -> None:
    first = add(store)
    assert store.add("shop", "index", {}, max_open=1) is None
    store.cancel(first.id)
    assert store.add("shop", "index", {}, max_open=1) is not None


def test_old_jobs_are_forgotten_and_open_ones_never(store: JobStore) -> None:
    jobs = [add(store) for _ in range(4)]
    other, running = add(store, "other"), add(store, "third")
    for job in (*jobs, other):
        store.cancel(job.id)
    long_ago = datetime.now(UTC) - timedelta(days=1)
    assert set(store.prune(keep=2, before=long_ago)) == {jobs[0].id, jobs[1].id}
    assert {job.id for job in store.page(limit=9)} == {jobs[2].id, jobs[3].id, other.id, running.id}
    assert set(store.prune(keep=2, before=datetime.now(UTC) + timedelta(days=1))) == {jobs[2].id, jobs[3].id, other.id}
    assert [job.id for job in store.page(limit=9)] == [running.id]
