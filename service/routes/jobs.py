"""Jobs: work on a collection that takes longer than a request. To look is reading, to begin and cancel is writing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from fastapi.sse import format_sse_event
from starlette.types import Receive, Send
from starlette.types import Scope as ConnectionScope

from lookalike.catalogue.job_store import JobRecord, JobState, JobStore
from lookalike.errors import CatalogueError
from service.access import current_access
from service.dependencies.admit import admit_form
from service.dependencies.auth import READERS, require
from service.dependencies.idempotency import ONCE, answer_once
from service.errors import FieldInvalidError, JobNotFoundError, ReportMissingError
from service.http.body import refuse_body
from service.http.forms import digest_form, form_schema
from service.http.path_params import Name
from service.http.problems import SENT_SOURCE_STATUS, STATUS, Problem
from service.http.responses import encode_json, json_response, root_path
from service.http.strict_route import StrictRoute
from service.inference.admission import Admission
from service.jobs.job_files import MEDIA_TYPES, JobFile, find_job_file
from service.jobs.kinds import JobForm
from service.jobs.reports import ROWS_FILE, csv_report, json_report
from service.schemas.job_requests import ExportOptions
from service.schemas.job_responses import JobAnswer, JobsAnswer
from service.schemas.refinement_fields import EMPTY_IS_NOT_SENT
from service.services import Services, ServicesDependency
from service.settings import Scope

router = APIRouter(tags=["jobs"], dependencies=READERS, route_class=StrictRoute)
WRITER = Depends(require(Scope.WRITE))
_JOB_ID = re.compile(r"[0-9a-f]{16}")
_SERVER_PATHS = ("path", "images_root")
_LISTEN_SECONDS = 0.5
"""Seconds between two looks whether a job has gone on."""
_HEARTBEAT_SECONDS = 15.0
_EVENT = {
    "type": "object",
    "properties": {
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/JobAnswer"},
        },
        "id": {"type": "string", "description": "The event's number in this stream."},
        "retry": {"type": "integer", "minimum": 0, "description": "Milliseconds; in the first event."},
    },
    "required": ["data", "id"],
}
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}, "itemSchema": _EVENT}}}
}
"""``itemSchema`` is of OpenAPI 3.2: what each of the events is. Tools of 3.1 pass over it, as FastAPI counts on."""
_REPORT: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/csv": {"schema": {"type": "string"}},
        }
    }
}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {name: {"schema": {"type": "string", "format": "binary"}} for name in MEDIA_TYPES}}
}
JobId = Annotated[str, Path(description="The job's id.")]
Limit = Annotated[int, Query(ge=1, le=100, description="Jobs a page.")]
Cursor = Annotated[str | None, Query(max_length=20, description="`next_cursor` of the page before."), EMPTY_IS_NOT_SENT]
GivenState = Annotated[JobState | None, Query(description="Only jobs in this state.")]


class ReportFormat(StrEnum):
    """How a report is given out."""

    JSON = "json"
    CSV = "csv"


@router.post(
    "/collections/{name}/jobs",
    operation_id="create_job",
    status_code=202,
    response_model=JobAnswer,
    dependencies=[WRITER, ONCE],
    openapi_extra=form_schema(JobForm),
)
async def create_job(request: Request, services: ServicesDependency, name: Name) -> Response:
    """Begin a job; the header Location has its path. For `index`, the collection need not exist yet.

    A collection's jobs run one after the other, in the order in which they came.
    """
    async with admit_form(request, services, JobForm, pictures=0, weight=lambda _: 1) as form:
        sent = form.model_dump(exclude_unset=True)
        work = partial(_submit, request, services, name, str(sent.pop("kind")), sent)
        timeout = services.settings.request_timeout
        return await answer_once(request, services, work, body_digest=partial(digest_form, form), timeout=timeout)


@router.get("/jobs", operation_id="list_jobs", response_model=JobsAnswer)
async def list_jobs(
    request: Request,
    services: ServicesDependency,
    limit: Limit = 20,
    cursor: Cursor = None,
    state: GivenState = None,
) -> Response:
    """The jobs of all collections, newest first."""
    return await _list(request, services, None, limit=limit, cursor=cursor, state=state)


@router.get("/collections/{name}/jobs", operation_id="list_collection_jobs", response_model=JobsAnswer)
async def list_collection_jobs(
    request: Request,
    services: ServicesDependency,
    name: Name,
    limit: Limit = 20,
    cursor: Cursor = None,
    state: GivenState = None,
) -> Response:
    """The jobs of a collection, newest first; none for one that there is not."""
    return await _list(request, services, name, limit=limit, cursor=cursor, state=state)


@router.get("/jobs/{job_id}", operation_id="get_job", response_model=JobAnswer)
async def get_job(request: Request, services: ServicesDependency, job_id: JobId) -> Response:
    """A job: how far it is, and what came of it."""
    return json_response(job_answer(request, await _find(services, job_id)))


@router.get("/jobs/{job_id}/events", operation_id="follow_job", response_class=StreamingResponse, responses=_EVENTS)
async def follow_job(request: Request, services: ServicesDependency, job_id: JobId) -> Response:
    """The job as server-sent events: now, whenever it has gone on, and at last in its final state, which ends them.

    Each event's data is what GET /jobs/{job_id} answers. A client that connects again begins with the job as it is.
    """
    record = await _find(services, job_id)
    services.job_listeners.check()
    return _EventStream(request, services, record)


@router.delete(
    "/jobs/{job_id}",
    operation_id="cancel_job",
    response_model=JobAnswer,
    dependencies=[WRITER, Depends(refuse_body)],
)
async def cancel_job(request: Request, services: ServicesDependency, job_id: JobId) -> Response:
    """Cancel a job: one that is queued at once, one that runs as soon as it has stopped; a finished one stays.

    What was published stays as it is, and what a cancelled run has encoded is found again by the next one.
    """
    return await _cancel(request, services, job_id)


@router.post(
    "/jobs/{job_id}/cancel",
    operation_id="post_cancel_job",
    response_model=JobAnswer,
    dependencies=[WRITER, Depends(refuse_body)],
)
async def post_cancel_job(request: Request, services: ServicesDependency, job_id: JobId) -> Response:
    """The same, for clients that cannot send DELETE."""
    return await _cancel(request, services, job_id)


@router.get("/jobs/{job_id}/report", operation_id="get_job_report", response_class=StreamingResponse, responses=_REPORT)
async def get_job_report(
    services: ServicesDependency,
    job_id: JobId,
    report_format: Annotated[
        ReportFormat, Query(alias="format", description="json, or csv for a spreadsheet.")
    ] = ReportFormat.JSON,
) -> Response:
    """What a finished job leaves: files that cannot be used and why, the table of what was found, or the figures."""
    record = await _find(services, job_id)
    path = services.jobs.folder / record.id / ROWS_FILE
    if not record.has_report or not await asyncio.to_thread(path.is_file):
        raise ReportMissingError("this job has no report: wait until it is finished", subject="job")
    headers = {"Cache-Control": "no-store"}
    if report_format is ReportFormat.JSON:
        head = {"job": record.id, "collection": record.collection, "kind": record.kind}
        return StreamingResponse(json_report(path, head), headers=headers, media_type="application/json")
    name = f"{record.collection}-{record.kind}-{record.id}.csv"
    headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return StreamingResponse(csv_report(path), headers=headers, media_type="text/csv; charset=utf-8")


@router.get("/jobs/{job_id}/file", operation_id="get_job_file", response_class=FileResponse, responses=_FILE)
async def get_job_file(services: ServicesDependency, job_id: JobId) -> Response:
    """The file that an export left; it is kept for a day. A part of it can be asked for with the header Range."""
    record = await _find(services, job_id)
    file = _find_file(record)
    path = None if file is None else services.jobs.folder / record.id / file.name
    if file is None or path is None or not await asyncio.to_thread(path.is_file):
        raise ReportMissingError(
            "this job has no file: an export has one for a day after it has succeeded; send it again", subject="job"
        )
    headers = {"Cache-Control": "no-store"}
    return FileResponse(path, headers=headers, media_type=file.media_type, filename=file.download_name)


def _find_file(record: JobRecord) -> JobFile | None:
    return find_job_file(record, ExportOptions().format.value)


def job_answer(request: Request, record: JobRecord) -> JobAnswer:
    """A job as JSON; a key that only reads sees no more than the last part of paths of the server."""
    options = dict(record.options)
    if request.state.grant is None or request.state.grant.scope is not Scope.WRITE:
        options |= {name: PurePath(str(options[name])).name for name in _SERVER_PATHS if options.get(name) is not None}
    problem, progress, path = record.problem, record.progress, f"{root_path.get()}/jobs/{record.id}"
    return JobAnswer(
        id=record.id,
        collection=record.collection,
        kind=record.kind,
        options=options,
        state=record.state,
        cancel_requested=record.is_cancel_requested,
        stage=progress.get("stage"),
        done=progress.get("done"),
        total=progress.get("total"),
        rate=progress.get("rate"),
        seconds_left=None if record.state.is_final else progress.get("seconds_left"),
        rejected=progress.get("rejected", {}),
        created_at=record.created_at,
        started_at=record.started_at,
        finished_at=record.finished_at,
        starts=record.starts,
        problem=None if problem is None else _problem(record.kind, problem, path),
        summary=None if record.summary is None else dict(record.summary),
        report=f"{path}/report" if record.has_report else None,
        file=None if _find_file(record) is None else f"{path}/file",
    )


def _problem(kind: str, problem: Mapping[str, Any], path: str) -> Problem:
    code, detail = problem["code"], problem["detail"]
    statuses = STATUS | SENT_SOURCE_STATUS if kind == "index" else STATUS
    status = HTTPStatus(statuses[code])
    return Problem(title=status.phrase, status=status, detail=detail, instance=path, code=code, request_id="")


async def _submit(request: Request, services: Services, name: str, kind: str, options: dict[str, Any]) -> Response:
    record = await services.jobs.submit(name, kind, options)
    response = json_response(job_answer(request, record))
    response.status_code = 202
    response.headers["Location"] = f"/jobs/{record.id}"
    return response


async def _list(
    request: Request,
    services: Services,
    collection: str | None,
    *,
    limit: int,
    cursor: str | None,
    state: JobState | None,
) -> Response:
    before = None if cursor is None else (await _find_cursor(services, cursor)).number
    patterns = current_access.get().patterns
    page = partial(JobStore.page, collection=collection, patterns=patterns, state=state, before=before, limit=limit + 1)
    records = await services.jobs.queue.look(page) or []
    next_cursor = records[limit - 1].id if len(records) > limit else None
    return json_response(
        JobsAnswer(jobs=[job_answer(request, record) for record in records[:limit]], next_cursor=next_cursor)
    )


async def _find_cursor(services: Services, cursor: str) -> JobRecord:
    """The last job of the page before: its id tells nothing of the jobs of other collections, as its number would."""
    try:
        return await _find(services, cursor)
    except JobNotFoundError as error:
        raise FieldInvalidError("the cursor is invalid: start again without one", subject="cursor") from error


async def _cancel(request: Request, services: Services, job_id: str) -> Response:
    await _find(services, job_id)
    record = await services.jobs.cancel(job_id)
    if record is None:
        raise _not_found()
    return json_response(job_answer(request, record))


async def _find(services: Services, job_id: str) -> JobRecord:
    record = None
    if _JOB_ID.fullmatch(job_id):
        record = await services.jobs.queue.look(lambda store: store.get(job_id))
    if record is None or not current_access.get().covers(record.collection):
        raise _not_found()
    return record


def _not_found() -> JobNotFoundError:
    return JobNotFoundError("this job does not exist, or is forgotten: GET /jobs lists those that are known")


class _EventStream(StreamingResponse):
    """The events of one job; while they are sent, the client takes a place among the listeners."""

    def __init__(self, request: Request, services: Services, record: JobRecord) -> None:
        self._listeners: Admission = services.job_listeners
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(_events(request, services, record), headers=headers, media_type="text/event-stream")

    async def __call__(self, scope: ConnectionScope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        with self._listeners.permit():
            await super().__call__(scope, receive, send)


async def _events(request: Request, services: Services, record: JobRecord | None) -> AsyncIterator[bytes]:
    jobs, number, last_data, quiet_seconds = services.jobs, 0, "", 0.0
    while record is not None:
        data = encode_json(job_answer(request, record)).decode()
        if data != last_data:
            number, last_data, quiet_seconds = number + 1, data, 0.0
            yield format_sse_event(data_str=data, id=str(number), retry=2000 if number == 1 else None)
        elif quiet_seconds >= _HEARTBEAT_SECONDS:
            quiet_seconds = 0.0
            yield format_sse_event(comment="the job has not gone on since")
        if record.state.is_final or jobs.is_stopping.is_set():
            return
        try:
            async with asyncio.timeout(_LISTEN_SECONDS):
                await jobs.is_stopping.wait()
        except TimeoutError:
            quiet_seconds += _LISTEN_SECONDS
        with suppress(CatalogueError):  # such as a database that is locked for a while: the job stays as it was seen
            record = await jobs.queue.look(partial(JobStore.get, job_id=record.id))
