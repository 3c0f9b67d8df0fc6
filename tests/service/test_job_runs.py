"""How jobs are run, with a command in the indexer's place: cancelled, interrupted, waited for, shared and followed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from lookalike.catalogue.database import Database
from lookalike.catalogue.job_store import JobState, JobStore
from lookalike.errors import DataPathError
from service import folding, indexer_process
from service.inference.admission import Admission
from service.jobs import runner
from service.jobs.stored_sources import StoredSources
from tests.service.harness import Service, serving

FINAL = ("succeeded", "failed", "cancelled")
COMMAND = """
import json, os, pathlib, signal, sys, time
folder, name = pathlib.Path(sys.argv[1]), sys.argv[sys.argv.index("--collection") + 1]
log = folder / name
starts = len(log.read_text().split()) if log.exists() else 0
with log.open("a") as file:
    file.write(f"{os.getpid()}\\n")

def event(kind, **fields):
    print(json.dumps({"event": kind, **fields}), flush=True)

if name.startswith("stubborn"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("no event")
event("progress", stage=f"{name}: encoding", done=1, total=4, rate=2.0, eta_s=1.5, rejected_codes={"image-empty": 1})
if name.startswith("crash"):
    sys.exit(f"Traceback\\nsecret words of {name}")
if name.startswith("killed"):
    os.kill(os.getpid(), signal.SIGKILL)
if name.startswith("busy") and starts < 2:
    event("error", code="collection-busy", message="another indexer is working on it", subject=name)
    sys.exit(1)
if name.startswith("own-error"):
    event("error", code="no-such-code", message="?", subject=name)
    sys.exit(1)
if name.startswith(("slow", "stubborn")) or (name.startswith("first-slow") and starts == 0):
    time.sleep(600)
event("answer", items=3, snapshot=1)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command notes its starts, a file a collection; it is started in the indexer's place."""
    (tmp_path / "pictures").mkdir()
    (tmp_path / "command.py").write_text(COMMAND)
    notes = tmp_path / "notes"
    notes.mkdir()

    def command(*arguments: str) -> list[str]:
        return [sys.executable, str(tmp_path / "command.py"), str(notes), *arguments]

    for module in (runner, folding):
        monkeypatch.setattr(module, "indexer_command", command)
    monkeypatch.setattr(runner, "_LOOK_SECONDS", 0.05)
    return notes


def settings_of(folder: Path, **options: Any) -> dict[str, Any]:
    return {"data": folder.parent / "data", "allow_sources": (folder.parent / "pictures",), **options}


@pytest.fixture
def service(folder: Path) -> Iterator[Service]:
    with serving(**settings_of(folder)) as running:
        yield running


def begin(service: Service, collection: str) -> str:
    path = str(service.settings.allow_sources[0])
    response = service.post(f"/collections/{collection}/jobs", data={"kind": "index", "path": path})
    assert response.status_code == 202, response.text
    job_id: str = response.json()["id"]
    return job_id


def look(service: Service, job_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = service.get(f"/jobs/{job_id}").json()
    return answer


def wait(service: Service, job_id: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    service.wait_for(lambda: holds(look(service, job_id)), f"the job comes so far: {look(service, job_id)}")
    return look(service, job_id)


def ended(service: Service, job_id: str) -> dict[str, Any]:
    return wait(service, job_id, lambda job: job["state"] in FINAL)


def running(service: Service, job_id: str) -> dict[str, Any]:
    return wait(service, job_id, lambda job: job["state"] == "running" and job["stage"] is not None)


def pids(folder: Path, collection: str) -> list[int]:
    return [int(line) for line in (folder / collection).read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_running_job_says_how_far_it_is_and_is_stopped_when_it_is_cancelled(service: Service, folder: Path) -> None:
    job_id = begin(service, "slow")
    job = running(service, job_id)
    assert {name: job[name] for name in ("stage", "done", "total", "rate", "seconds_left", "rejected")} == {
        "stage": "encoding",
        "done": 1,
        "total": 4,
        "rate": 2.0,
        "seconds_left": 1.5,
        "rejected": {"image-empty": 1},
    }
    (pid,) = pids(folder, "slow")
    response = service.request("DELETE", f"/jobs/{job_id}")
    assert (response.status_code, response.json()["cancel_requested"]) == (200, True)
    job = ended(service, job_id)
    assert (job["state"], job["problem"], job["finished_at"] is None) == ("cancelled", None, False)
    assert not is_alive(pid)
    again = service.post(f"/jobs/{job_id}/cancel")
    assert (again.status_code, again.json()) == (200, job), "once more changes nothing"


def test_a_process_that_does_not_stop_is_killed(
    service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer_process, "_STOP_SECONDS", 0.2)
    job_id = begin(service, "stubborn")
    running(service, job_id)
    service.request("DELETE", f"/jobs/{job_id}")
    assert ended(service, job_id)["state"] == "cancelled"
    assert not is_alive(pids(folder, "stubborn")[0])


def test_a_fold_that_does_not_stop_is_killed_with_the_service(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer_process, "_STOP_SECONDS", 0.2)
    with serving(**settings_of(folder)) as service:

        async def begin_to_fold() -> None:
            folds.append(asyncio.create_task(service.services.folding.fold("stubborn")))

        folds: list[asyncio.Task[bool]] = []
        service.call(begin_to_fold)
        service.wait_for((folder / "stubborn").exists, "its process has started")
        time.sleep(0.2)
    assert folds[0].cancelled()
    assert not is_alive(pids(folder, "stubborn")[0])


@pytest.mark.parametrize(
    ("collection", "why"), [("busy", "another indexer is working on it"), ("crash", "secret words of crash")]
)
def test_why_a_fold_failed_is_in_the_log(service: Service, log_lines: Any, collection: str, why: str) -> None:
    assert not service.call(service.services.folding.fold, collection)
    assert [line["why"] for line in log_lines() if line["event"] == "changes not folded in"] == [why]


def test_a_queued_job_is_cancelled_at_once_and_never_begins(service: Service, folder: Path) -> None:
    first, second = begin(service, "slow"), begin(service, "slow")
    running(service, first)
    assert look(service, second)["state"] == "queued"
    assert service.request("DELETE", f"/jobs/{second}").json()["state"] == "cancelled"
    service.request("DELETE", f"/jobs/{first}")
    ended(service, first)
    assert len(pids(folder, "slow")) == 1


@pytest.mark.parametrize(("collection", "how"), [("crash", "with exit code 1"), ("killed", "by signal 9")])
def test_a_process_that_dies_fails_its_job_and_its_last_words_stay_in_the_log(
    service: Service, log_lines: Any, collection: str, how: str
) -> None:
    job = ended(service, begin(service, collection))
    assert (job["state"], job["problem"]["code"], job["problem"]["status"]) == ("failed", "job-failed", 500)
    assert how in job["problem"]["detail"]
    assert "secret words" not in json.dumps(job)
    if collection == "crash":
        assert [line["why"] for line in log_lines() if line["event"] == "job failed"] == ["secret words of crash"]


def test_an_error_that_the_service_does_not_know_is_a_failure_without_details(service: Service) -> None:
    assert ended(service, begin(service, "own-error"))["problem"]["code"] == "job-failed"


def test_a_job_waits_for_another_process_that_works_on_its_collection(service: Service, folder: Path) -> None:
    job_id = begin(service, "busy")
    waiting = wait(service, job_id, lambda job: "waiting" in (job["stage"] or ""))
    assert (waiting["state"], waiting["starts"]) == ("queued", 0)
    job = ended(service, job_id)
    assert (job["state"], job["starts"], len(pids(folder, "busy"))) == ("succeeded", 1, 3)


def test_a_job_that_waits_too_long_fails_with_the_reason(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_BUSY_SECONDS", 0.0)
    job = ended(service, begin(service, "busy"))
    assert (job["state"], job["problem"]["code"], job["problem"]["status"]) == ("failed", "collection-busy", 409)


def test_a_service_that_stops_puts_its_job_back_and_the_next_one_goes_on(folder: Path) -> None:
    with serving(**settings_of(folder)) as service:
        job_id = begin(service, "first-slow")
        running(service, job_id)
        (pid,) = pids(folder, "first-slow")
    assert not is_alive(pid)
    with serving(**settings_of(folder)) as service:
        job = ended(service, job_id)
        assert (job["state"], job["starts"], job["summary"]) == ("succeeded", 1, {"items": 3, "snapshot": 1})


def test_a_job_of_a_service_that_died_is_taken_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_ABANDONED_SECONDS", 0.3)
    with serving(**settings_of(folder, max_jobs=0)) as service:
        job_id = begin(service, "orphan")
        time.sleep(0.3)
        assert look(service, job_id)["state"] == "queued", "this process runs none"
    store = JobStore(Database.open(folder.parent / "data" / "catalogue.db"))
    assert store.claim("a process that died", time.time()) is not None
    store.close()
    with serving(**settings_of(folder)) as service:
        job = ended(service, job_id)
        assert (job["state"], job["starts"]) == ("succeeded", 2)


def test_a_job_that_took_the_service_down_three_times_is_given_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_ABANDONED_SECONDS", 0.05)
    store = JobStore(Database.open(folder.parent / "data" / "catalogue.db"))
    record = store.add("poison", "index", {}, max_open=9)
    assert record is not None
    for number in range(3):
        assert store.claim(f"dead {number}", time.time()) is not None
        if number < 2:
            (running_job,) = store.running()
            store.take_over(running_job, max_starts=3, problem={})
    store.close()
    with serving(**settings_of(folder)) as service:
        job = ended(service, record.id)
        assert (job["state"], job["problem"]["code"]) == ("failed", "job-abandoned")
        assert not (folder / "poison").exists()


def test_who_lost_a_job_stops_and_says_nothing_of_it(service: Service, folder: Path) -> None:
    job_id = begin(service, "first-slow")
    running(service, job_id)
    (pid,) = pids(folder, "first-slow")

    def take_over(store: JobStore) -> bool:
        (running_job,) = store.running()
        return store.take_over(running_job, max_starts=9, problem={})

    # The process may report between the two steps: then it is not abandoned.
    service.wait_for(lambda: service.call(service.services.jobs.queue.call, take_over), "it is taken over")
    service.wait_for(lambda: not is_alive(pid), "its process ends")
    job = ended(service, job_id)
    assert (job["state"], job["starts"]) == ("succeeded", 2)


def test_two_services_over_one_folder_share_the_queue(folder: Path) -> None:
    with ExitStack() as stack:
        first, second = (stack.enter_context(serving(**settings_of(folder))) for _ in range(2))
        jobs = [begin(service, f"quick-{number % 3}") for number, service in enumerate([first, second] * 4)]
        for job_id in jobs:
            assert ended(first, job_id)["starts"] == 1
        assert ended(second, jobs[-1]) == ended(first, jobs[-1])
        starts = [len(pids(folder, f"quick-{number}")) for number in range(3)]
    assert sum(starts) == len(jobs), "none was run twice"


def test_no_more_jobs_are_queued_than_allowed(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "MAX_OPEN", 1)
    job_id = begin(service, "slow")
    path = str(service.settings.allow_sources[0])
    refused = service.post("/collections/slow/jobs", data={"kind": "index", "path": path})
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    service.request("DELETE", f"/jobs/{job_id}")
    ended(service, job_id)


def test_a_listener_takes_a_place_and_gives_it_back_when_it_leaves(service: Service) -> None:
    service.services.job_listeners = Admission(1)
    job_id = begin(service, "slow")
    running(service, job_id)

    async def scenario() -> tuple[int, int, list[dict[str, Any]]]:
        left = asyncio.Event()
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        path = f"/jobs/{job_id}/events"
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"localhost")],
        }
        listening = asyncio.create_task(service.app(scope, receive, send))
        while len(sent) < 2:
            await asyncio.sleep(0.01)
        refused = await service.ask("GET", path)
        left.set()
        await listening
        return refused.status_code, service.services.job_listeners.in_flight, sent

    status, in_flight, sent = service.call(scenario)
    assert (status, in_flight) == (429, 0)
    assert sent[0]["status"] == 200
    assert b"data: " in sent[1]["body"]
    service.request("DELETE", f"/jobs/{job_id}")
    ended(service, job_id)


def test_a_quiet_stream_has_heartbeats(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.routes.jobs._HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr("service.routes.jobs._LISTEN_SECONDS", 0.05)
    job_id = begin(service, "slow")
    running(service, job_id)

    async def scenario() -> str:
        async def cancel_later() -> None:
            await asyncio.sleep(1)
            await service.ask("DELETE", f"/jobs/{job_id}")

        later = asyncio.create_task(cancel_later())
        stream = await service.ask("GET", f"/jobs/{job_id}/events")
        await later
        return stream.text

    text = service.call(scenario)
    assert "\n: the job has not gone on since\n" in text
    assert '"state":"cancelled"' in text.rpartition("data: ")[2]


def upload_job(service: Service, collection: str) -> str:
    sent = service.post("/uploads", content=b"PK a zip of sorts")
    response = service.post(f"/collections/{collection}/jobs", data={"kind": "index", "upload": sent.json()["id"]})
    assert response.status_code == 202, response.text
    job_id: str = response.json()["id"]
    return job_id


def test_a_job_whose_collection_is_deleted_under_it_ends_as_it_did(service: Service, folder: Path) -> None:
    job_id = upload_job(service, "slow")
    running(service, job_id)
    collection = service.settings.places.data / "collections" / "slow"
    collection.rename(collection.with_name("slow~deleted"))
    service.request("DELETE", f"/jobs/{job_id}")
    assert ended(service, job_id)["state"] == "cancelled"
    assert not collection.exists()


@pytest.mark.parametrize("error", [DataPathError("no such folder", subject="sources"), OSError("gone")])
def test_what_goes_wrong_when_a_job_is_cleaned_up_does_not_lose_its_end(
    service: Service, monkeypatch: pytest.MonkeyPatch, log_lines: Any, error: Exception
) -> None:
    def settle(*_arguments: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(StoredSources, "settle", settle)
    job = ended(service, upload_job(service, "quick"))
    assert (job["state"], job["summary"]) == ("succeeded", {"items": 3, "snapshot": 1})
    assert [line["why"] for line in log_lines() if line["event"] == "job not cleaned up"] == [str(error)]


def test_a_defect_ends_its_job_and_is_logged(service: Service, monkeypatch: pytest.MonkeyPatch, log_lines: Any) -> None:
    def settle(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("a defect with secret words")

    monkeypatch.setattr(StoredSources, "settle", settle)
    job = ended(service, upload_job(service, "quick"))
    assert (job["state"], job["problem"]["code"], job["problem"]["status"]) == ("failed", "job-failed", 500)
    assert "secret words" not in json.dumps(job)
    assert any(line["event"] == "job failed" for line in log_lines())


def test_who_lost_a_job_leaves_its_archive_to_the_other_one(
    service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uses: list[bool] = []

    def settle(_sources: StoredSources, used: Path, **_options: object) -> None:
        uses.append(used.exists())

    monkeypatch.setattr(StoredSources, "settle", settle)
    job_id = upload_job(service, "first-slow")
    running(service, job_id)

    def take_over(store: JobStore) -> bool:
        (running_job,) = store.running()
        return store.take_over(running_job, max_starts=9, problem={})

    service.wait_for(lambda: service.call(service.services.jobs.queue.call, take_over), "it is taken over")
    assert ended(service, job_id)["starts"] == 2
    assert uses == [True], "only who ran it to its end"


def test_a_service_that_stops_stores_the_result_of_a_job_whose_process_has_ended(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def keep_slowly(*_arguments: object) -> bool:
        entered.set()
        assert go_on.wait(10)
        return True

    monkeypatch.setattr(runner, "keep_report", keep_slowly)
    with serving(**settings_of(folder)) as service:
        job_id = upload_job(service, "quick")
        service.wait_for(entered.is_set, "the job's process has ended")
        threading.Timer(0.5, go_on.set).start()
    with serving(**settings_of(folder, max_jobs=0)) as service:
        job = look(service, job_id)
        assert (job["state"], job["starts"], job["summary"]) == ("succeeded", 1, {"items": 3, "snapshot": 1})
        assert job["report"] == f"/jobs/{job_id}/report"
        assert service.get(f"/uploads/{job['options']['upload']}").status_code == 404


def test_a_job_whose_service_was_killed_before_its_result_was_stored_is_run_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = threading.Event()

    async def die(*_arguments: object) -> None:
        killed.set()
        raise RuntimeError("killed")

    with serving(**settings_of(folder)) as service, monkeypatch.context() as patch:
        patch.setattr(runner.JobRunner, "_finish", die)
        job_id = upload_job(service, "quick")
        service.wait_for(killed.is_set, "the job's process has ended")
    monkeypatch.setattr(runner, "_ABANDONED_SECONDS", 0.3)
    with serving(**settings_of(folder)) as service:
        job = ended(service, job_id)
        assert (job["state"], job["problem"], job["starts"]) == ("succeeded", None, 2)


def make_collection(service: Service, name: str) -> None:
    created = service.request("PUT", f"/collections/{name}", data={"encoder": "bundled"})
    assert created.status_code == 201, created.text


def test_deleting_a_collection_cancels_its_jobs_and_no_other_s(service: Service, folder: Path) -> None:
    make_collection(service, "slow")
    other = begin(service, "slow-other")
    first, second = upload_job(service, "slow"), begin(service, "slow")
    running(service, other)
    deleted = service.request("DELETE", "/collections/slow?confirm=slow")
    assert (deleted.status_code, deleted.json()["restorable"]) == (200, True)
    assert [look(service, job_id)["state"] for job_id in (first, second)] == ["cancelled"] * 2
    assert look(service, other)["state"] == "running"
    assert service.get("/collections/slow").status_code == 404
    service.request("DELETE", f"/jobs/{other}")
    ended(service, other)


def test_a_running_job_is_stopped_before_its_collection_is_deleted(service: Service, folder: Path) -> None:
    make_collection(service, "slow")
    job_id = upload_job(service, "slow")
    running(service, job_id)
    assert service.request("DELETE", "/collections/slow?confirm=slow").status_code == 200
    assert look(service, job_id)["state"] == "cancelled"
    assert not is_alive(pids(folder, "slow")[0])
    assert not (service.settings.places.data / "collections" / "slow").exists()


def test_a_collection_whose_job_does_not_stop_in_time_is_not_deleted(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer_process, "_STOP_SECONDS", 2.0)
    with serving(**settings_of(folder, request_timeout=5.0)) as service:
        make_collection(service, "stubborn")
        job_id = begin(service, "stubborn")
        running(service, job_id)
        object.__setattr__(service.settings, "request_timeout", 0.2)
        refused = service.request("DELETE", "/collections/stubborn?confirm=stubborn")
        assert (refused.status_code, refused.json()["code"]) == (409, "collection-busy")
        assert service.get("/collections/stubborn").status_code == 200
        assert ended(service, job_id)["state"] == "cancelled"


def test_the_environment_of_a_job_has_no_secrets_and_no_flags(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from lookalike.options import Places
    from service.indexer_process import indexer_environment

    for name in ("API_KEYS", "WATCH", "LABEL", "JSON"):
        monkeypatch.setenv(f"LOOKALIKE_{name}", "x")
    environment = indexer_environment(Places(tmp_path, "postgresql+psycopg://u:p@h/n"))
    assert {name for name in environment if name.startswith("LOOKALIKE_")} == {
        "LOOKALIKE_RUNTIME",
        "LOOKALIKE_DATABASE_URL",
    }
    assert environment["PATH"] == os.environ["PATH"]


def test_a_line_that_is_too_long_is_left_out_and_the_next_one_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer_process, "_LONGEST_LINE", 100_000)
    code = (
        "import json; print(json.dumps({'event': 'answer', 'groups': 'x' * 3_000_000}));"
        "print(json.dumps({'event': 'summary', 'groups': 1})); print('[1]')"
    )

    async def events() -> list[dict[str, Any]]:
        started = await indexer_process.IndexerProcess.start([sys.executable, "-c", code], dict(os.environ))
        events = [event async for event in started.events()]
        assert await started.wait() == 0
        await started.stop()
        return events

    assert asyncio.run(events()) == [{"event": "summary", "groups": 1}]


def test_states_are_those_of_the_store() -> None:
    assert {state.value for state in JobState if state.is_final} == set(FINAL)
