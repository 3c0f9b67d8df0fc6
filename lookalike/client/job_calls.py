"""The requests of the API about jobs and uploads; see ``calls``."""

from __future__ import annotations

from typing import Any

import httpx2

from lookalike.client.call import (
    Call,
    filter_text,
    json_text,
    path_of,
    read_as,
    read_bytes,
    read_nothing,
    texts,
)
from lookalike.client.errors import AnswerInvalidError
from lookalike.client.job_answers import JobAnswer, JobsAnswer, UploadAnswer
from lookalike.client.options import JobOptions
from lookalike.client.uploads import PIECE_TYPE, TUS_HEADERS, UploadFile


def create_job(collection: str, kind: str, options: JobOptions) -> Call[JobAnswer]:
    """A new job."""
    sent: dict[str, Any] = dict(options)
    if "fields" in options:
        sent["fields"] = json_text(list(options["fields"]))
    if "filter" in options:
        sent["filter"] = filter_text(options["filter"])
    lists = {name: list(value) for name, value in sent.items() if isinstance(value, list | tuple)}
    others: dict[str, Any] = {name: value for name, value in sent.items() if name not in lists}
    return Call(
        method="POST",
        path=path_of("collections", collection, "jobs"),
        read=read_as(JobAnswer),
        fields={"kind": kind, **texts(**others), **lists},
        is_write=True,
    )


def list_jobs(collection: str | None, state: str | None, limit: int | None, cursor: str | None) -> Call[JobsAnswer]:
    """A page of jobs, of one collection or of all."""
    path = "/jobs" if collection is None else path_of("collections", collection, "jobs")
    parameters = texts(state=state, limit=limit, cursor=cursor)
    return Call(method="GET", path=path, read=read_as(JobsAnswer), parameters=parameters)


def get_job(job_id: str) -> Call[JobAnswer]:
    """One job."""
    return Call(method="GET", path=path_of("jobs", job_id), read=read_as(JobAnswer))


def follow_job(job_id: str) -> Call[JobAnswer]:
    """The events of a job, each of which is read as the job."""
    return Call(method="GET", path=path_of("jobs", job_id, "events"), read=read_as(JobAnswer))


def cancel_job(job_id: str) -> Call[JobAnswer]:
    """A job less."""
    return Call(method="DELETE", path=path_of("jobs", job_id), read=read_as(JobAnswer), is_write=True)


def get_job_report(job_id: str, format: str | None) -> Call[bytes]:
    """What a job leaves."""
    path = path_of("jobs", job_id, "report")
    return Call(method="GET", path=path, read=read_bytes, parameters=texts(format=format))


def get_job_file(job_id: str) -> Call[bytes]:
    """The file that an export left."""
    return Call(method="GET", path=path_of("jobs", job_id, "file"), read=read_bytes)


def create_upload(file: UploadFile) -> Call[UploadAnswer]:
    """An upload of which nothing has arrived."""
    headers = file.creation_headers()
    return Call(
        method="POST",
        path="/uploads",
        read=read_as(UploadAnswer),
        headers=headers,
        is_write=True,
        is_repeatable=False,
    )


def append_to_upload(upload_id: str, offset: int, piece: bytes) -> Call[int]:
    """The next piece; gives how much has arrived."""
    headers = {**TUS_HEADERS, "Upload-Offset": str(offset), "Content-Type": PIECE_TYPE}
    return Call(
        method="PATCH",
        path=path_of("uploads", upload_id),
        read=_read_offset,
        content=piece,
        headers=headers,
        is_write=True,
        is_repeatable=False,
    )


def get_upload(upload_id: str) -> Call[UploadAnswer]:
    """How much has arrived."""
    return Call(method="GET", path=path_of("uploads", upload_id), read=read_as(UploadAnswer))


def delete_upload(upload_id: str) -> Call[None]:
    """An upload less."""
    path = path_of("uploads", upload_id)
    return Call(method="DELETE", path=path, read=read_nothing, is_write=True, is_repeatable=False)


def _read_offset(response: httpx2.Response) -> int:
    text = response.headers.get("upload-offset", "")
    if not (text.isascii() and text.isdigit()):
        raise AnswerInvalidError(
            f"{response.request.method} {response.request.url} answered {response.status_code} without a number in the "
            "header Upload-Offset: if there is a proxy before the service, let it pass this header on"
        )
    return int(text)
