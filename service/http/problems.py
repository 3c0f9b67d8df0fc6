"""Errors as HTTP responses: one table from code to status, one format (RFC 9457) for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from pydantic import BaseModel, Field
from starlette.responses import Response

from lookalike.encoder.int8.artifact import SUFFIX, is_quantised
from lookalike.errors import FilterInvalidError, LookalikeError, MetadataInvalidError
from service.errors import (
    CollectionFailedError,
    FieldInvalidError,
    IdempotencyRunningError,
    OverloadedError,
    RequestError,
    UploadError,
    UploadVersionError,
)

MEDIA_TYPE = "application/problem+json"
PublicError = RequestError | LookalikeError | UploadError | CollectionFailedError
"""What a request may be refused with."""

STATUS = {
    "form-invalid": 400,
    "host-not-allowed": 400,
    "key-invalid": 404,
    "unauthorized": 401,
    "forbidden": 403,
    "source-not-allowed": 403,
    "not-found": 404,
    "collection-not-found": 404,
    "item-not-found": 404,
    "job-not-found": 404,
    "report-missing": 404,
    "upload-not-found": 404,
    "duplicates-not-searched": 404,
    "map-not-made": 404,
    "snapshot-unknown": 404,
    "calibration-missing": 404,
    "encoder-unknown": 404,
    "entry-missing": 404,
    "entry-outside": 404,
    "method-not-allowed": 405,
    "upload-timeout": 408,
    "collection-busy": 409,
    "collection-exists": 409,
    "collection-pinned": 409,
    "column-conflict": 409,
    "encoder-not-installed": 409,
    "encoder-mismatch": 409,
    "calibration-mismatch": 409,
    "key-duplicate": 409,
    "map-unusable": 409,
    "scores-not-comparable": 409,
    "item-changed": 409,
    "output-exists": 409,
    "cursor-outdated": 409,
    "idempotency-running": 409,
    "upload-incomplete": 409,
    "upload-offset-mismatch": 409,
    "upload-version-unsupported": 412,
    "version-mismatch": 412,
    "body-too-large": 413,
    "image-too-large": 413,
    "too-many-pixels": 413,
    "media-type-unsupported": 415,
    "unsupported-format": 415,
    "raw-without-preview": 415,
    "field-invalid": 422,
    "collection-name-invalid": 422,
    "filter-invalid": 422,
    "export-invalid": 422,
    "idempotency-mismatch": 422,
    "metadata-invalid": 422,
    "image-missing": 422,
    "image-empty": 422,
    "image-truncated": 422,
    "image-corrupt": 422,
    "encoder-options-invalid": 422,
    "tags-unavailable": 422,
    "pairs-insufficient": 422,
    "quantised-too-far": 422,
    "source-empty": 422,
    "source-shrunk": 422,
    "pattern-invalid": 422,
    "labels-missing": 422,
    "upload-locked": 423,
    "overloaded": 429,
    "internal": 500,
    "encoding-failed": 500,
    "job-abandoned": 500,
    "job-failed": 500,
    "layout-unavailable": 500,
    "weights-invalid": 500,
    "operator-unavailable": 500,
    "download-failed": 502,
    "starting": 503,
    "collection-not-ready": 503,
    "snapshot-damaged": 503,
    "snapshot-not-found": 503,
    "index-damaged": 503,
    "recall-too-low": 503,
    "vectors-invalid": 503,
    "calibration-invalid": 503,
    "catalogue-unavailable": 503,
    "catalogue-locked": 503,
    "catalogue-outdated": 503,
    "source-not-found": 503,
    "source-unsupported": 503,
    "manifest-invalid": 503,
    "archive-unsafe": 503,
    "archive-damaged": 503,
    "entry-unreadable": 503,
    "data-path-invalid": 503,
    "disk-full": 503,
    "deadline-exceeded": 504,
    "storage-insufficient": 507,
}
"""The HTTP status of every error code; no other place has it."""

SENT_SOURCE_STATUS = dict.fromkeys(("archive-damaged", "archive-unsafe", "manifest-invalid", "source-unsupported"), 422)
"""The same of a job that was sent its source: not the service's files are bad then, but what it was to read."""

INDEXER_CODES = frozenset(
    {
        "download-failed",
        "export-invalid",
        "key-duplicate",
        "key-invalid",
        "labels-missing",
        "layout-unavailable",
        "operator-unavailable",
        "output-exists",
        "pairs-insufficient",
        "pattern-invalid",
        "quantised-too-far",
        "recall-too-low",
        "source-empty",
        "source-shrunk",
    }
)
"""Codes that only the indexer and the Python API raise; no request is answered with one, but jobs may fail with it."""

JOB_CODES = frozenset({"job-abandoned", "job-failed"})
"""Codes that only jobs fail with; no request is answered with one."""

_LOG_HINT = "the operator of this service finds details in its log"


@dataclass(frozen=True, slots=True)
class _PublicDetail:
    """What a response says in place of an error's message, which is logged instead where ``is_logged``.

    ``{subject}`` and ``{command}`` are filled in.
    """

    text: str
    is_logged: bool = False


# The messages of these errors name files of the server, which clients must not see.
_PUBLIC_DETAILS = {
    "encoder-not-installed": _PublicDetail(
        "the weights of {subject} are not installed here; the operator of this service can run "
        "`python -m indexer encoders {command}`"
    ),
    "snapshot-damaged": _PublicDetail("the collection's snapshot is damaged", is_logged=True),
    "index-damaged": _PublicDetail("the collection's index is damaged", is_logged=True),
    "snapshot-not-found": _PublicDetail("the collection's snapshot no longer exists", is_logged=True),
    "vectors-invalid": _PublicDetail("the collection's index cannot be used", is_logged=True),
    "calibration-invalid": _PublicDetail("a calibration is damaged or missing", is_logged=True),
    "calibration-mismatch": _PublicDetail("a calibration belongs to another encoder", is_logged=True),
    "catalogue-unavailable": _PublicDetail("the catalogue cannot be reached; try again later"),
    "catalogue-locked": _PublicDetail("the catalogue is locked by another program; try again later"),
    "catalogue-outdated": _PublicDetail("the catalogue belongs to another version of this service", is_logged=True),
    "weights-invalid": _PublicDetail("the encoder's weights are damaged", is_logged=True),
    "source-not-found": _PublicDetail("the collection's source cannot be read by this service"),
    "source-unsupported": _PublicDetail("the collection's source cannot be read by this service"),
    "manifest-invalid": _PublicDetail("the manifest of the collection's source can no longer be read"),
    "entry-unreadable": _PublicDetail("the picture cannot be read from the collection's source"),
    "entry-missing": _PublicDetail("the picture no longer exists in the collection's source"),
    "entry-outside": _PublicDetail("the picture is no longer within the collection's source"),
    "archive-damaged": _PublicDetail("the archive that is the collection's source is damaged"),
    "archive-unsafe": _PublicDetail("the archive that is the collection's source is no longer safe to read"),
    "data-path-invalid": _PublicDetail("the service's data folder cannot be used", is_logged=True),
    "disk-full": _PublicDetail("no room is left for the service's data; nothing was lost", is_logged=True),
}
LOGGED_CODES = frozenset(code for code, detail in _PUBLIC_DETAILS.items() if detail.is_logged)
"""Codes of errors whose message is logged, and whose response refers to the log."""


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="The field's name.")
    code: str = Field(description="The kind of error, in kebab-case.")
    message: str = Field(description="What is wrong, in a sentence.")


class Problem(BaseModel):
    """An error in the format of RFC 9457."""

    type: str = Field(default="about:blank", description="Always about:blank; `code` identifies the error.")
    title: str = Field(description="The name of the HTTP status.")
    status: int = Field(ge=400, le=599, description="The HTTP status.")
    detail: str = Field(description="What is wrong, with what, and what to do about it.")
    instance: str = Field(description="The path of the request.")
    code: str = Field(description="Stable, in kebab-case; docs/api.md lists all codes.")
    request_id: str = Field(description="As in X-Request-ID and in the log.")
    errors: list[FieldProblem] = Field(
        default_factory=list, description="The fields or parameters that are wrong, if any."
    )


def problem_of(error: PublicError, *, path: str, request_id: str) -> Problem:
    """The problem document of an error."""
    status = STATUS[error.code]
    fields = error.fields if isinstance(error, FieldInvalidError) else []
    if isinstance(error, UploadError):
        detail = error.message
        fields = [{"field": error.field, "code": error.code, "message": detail}]
    elif isinstance(error, CollectionFailedError):
        detail = f"collection {error.collection!r}: {detail_of(error.error)}"
        field = error.error.subject if isinstance(error.error, FilterInvalidError) else None
        fields = [{"field": field or "collections", "code": error.code, "message": detail}]
    else:
        detail = detail_of(error)
    if isinstance(error, FilterInvalidError):
        fields = [{"field": error.subject or "filter", "code": error.code, "message": error.message}]
    if isinstance(error, MetadataInvalidError):
        fields = [{"field": "metadata", "code": error.code, "message": error.message}]
    return Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=path,
        code=error.code,
        request_id=request_id,
        errors=[FieldProblem(**field) for field in fields],
    )


def detail_of(error: RequestError | LookalikeError) -> str:
    """What a response says about an error, without the server's own files."""
    public = _PUBLIC_DETAILS.get(error.code)
    if public is None:
        return error.message
    subject = error.subject or ""
    command = f"quantise {subject.removesuffix(SUFFIX)}" if is_quantised(subject) else f"install {subject}"
    detail = public.text.format(subject=subject, command=command)
    return f"{detail}; {_LOG_HINT}" if public.is_logged else detail


def problem_response(error: PublicError, *, path: str, request_id: str) -> Response:
    """The response for an error, with the headers that belong to its status."""
    problem = problem_of(error, path=path, request_id=request_id)
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, OverloadedError):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, IdempotencyRunningError):
        headers["Retry-After"] = "1"
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "2"
    if isinstance(error, UploadVersionError):
        headers["Tus-Version"] = UploadVersionError.supported
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(problem.model_dump_json(), problem.status, headers, MEDIA_TYPE)
