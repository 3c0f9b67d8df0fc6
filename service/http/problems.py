"""Errors as HTTP answers: one table from code to status, one shape (RFC 9457) for all of them."""

from __future__ import annotations

from http import HTTPStatus

from pydantic import BaseModel, Field
from starlette.responses import Response

from lookalike.errors import LookalikeError
from service.errors import FieldInvalidError, OverloadedError, RequestError

MEDIA_TYPE = "application/problem+json"

STATUS = {
    "form-invalid": 400,
    "host-not-allowed": 400,
    "collection-name-invalid": 404,
    "key-invalid": 404,
    "unauthorized": 401,
    "forbidden": 403,
    "not-found": 404,
    "collection-not-found": 404,
    "item-not-found": 404,
    "encoder-unknown": 404,
    "entry-missing": 404,
    "entry-outside": 404,
    "method-not-allowed": 405,
    "upload-timeout": 408,
    "collection-busy": 409,
    "encoder-not-installed": 409,
    "encoder-mismatch": 409,
    "calibration-mismatch": 409,
    "key-duplicate": 409,
    "item-changed": 409,
    "body-too-large": 413,
    "image-too-large": 413,
    "too-many-pixels": 413,
    "media-type-unsupported": 415,
    "unsupported-format": 415,
    "field-invalid": 422,
    "image-missing": 422,
    "image-empty": 422,
    "image-truncated": 422,
    "image-corrupt": 422,
    "encoder-options-invalid": 422,
    "pairs-insufficient": 422,
    "quantised-too-far": 422,
    "source-empty": 422,
    "labels-missing": 422,
    "overloaded": 429,
    "internal": 500,
    "encoding-failed": 500,
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
}
"""The one place that knows which status an error has."""

# What these say of the server's own files is for the log and for whoever runs it, not for whoever asks.
_OWN_FILES = {
    "encoder-not-installed": "the weights of {subject} are not installed here: whoever runs this service can run "
    "`python -m indexer encoders install {subject}`",
    "snapshot-damaged": "the collection's snapshot is damaged; whoever runs this service finds more in its log",
    "index-damaged": "the collection's index is damaged; whoever runs this service finds more in its log",
    "snapshot-not-found": "the collection's snapshot is gone; whoever runs this service finds more in its log",
    "vectors-invalid": "the collection's index cannot be used; whoever runs this service finds more in its log",
    "calibration-invalid": "a calibration is damaged or lost; whoever runs this service finds more in its log",
    "calibration-mismatch": "a calibration is of another encoder; whoever runs this service finds more in its log",
    "catalogue-unavailable": "the catalogue cannot be reached; try again later",
    "catalogue-locked": "the catalogue is held by another program; try again later",
    "catalogue-outdated": "the catalogue is of another version of this service; whoever runs it finds more in its log",
    "weights-invalid": "the encoder's weights are damaged; whoever runs this service finds more in its log",
    "source-not-found": "the pictures that the collection was made of cannot be reached from this service",
    "source-unsupported": "the pictures that the collection was made of cannot be reached from this service",
    "manifest-invalid": "the manifest that the collection was made of can no longer be read",
    "entry-unreadable": "the picture cannot be read from where the collection was made of",
    "entry-missing": "the picture is no longer where the collection was made of",
    "entry-outside": "the picture is no longer where the collection was made of",
    "archive-damaged": "the archive that the collection was made of is damaged",
    "archive-unsafe": "the archive that the collection was made of is no longer safe to read",
    "data-path-invalid": "the service's data folder cannot be used; whoever runs it finds more in its log",
}
LOG_HAS_MORE = frozenset(code for code, detail in _OWN_FILES.items() if "in its log" in detail)
"""Codes whose answer sends its reader to the log."""


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="The field's name.")
    code: str = Field(description="What is wrong, in a word.")
    message: str = Field(description="What is wrong, in a sentence.")


class Problem(BaseModel):
    """An error, as RFC 9457 shapes it."""

    type: str = Field(default="about:blank", description="Always about:blank: `code` says what kind it is.")
    title: str = Field(description="The status in words.")
    status: int = Field(ge=400, le=599, description="The HTTP status.")
    detail: str = Field(description="What happened, to which thing, and what to do about it.")
    instance: str = Field(description="The path that was asked.")
    code: str = Field(description="Stable and kebab-case; docs/api.md lists all.")
    request_id: str = Field(description="As in X-Request-ID and in the log.")
    errors: list[FieldProblem] = Field(default_factory=list, description="Which fields are wrong, if any are.")


def problem_of(error: RequestError | LookalikeError, *, path: str, request_id: str) -> Problem:
    """The problem document of an error."""
    status = STATUS[error.code]
    fields = error.fields if isinstance(error, FieldInvalidError) else []
    return Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail_of(error),
        instance=path,
        code=error.code,
        request_id=request_id,
        errors=[FieldProblem(**field) for field in fields],
    )


def detail_of(error: RequestError | LookalikeError) -> str:
    """What an error says to whoever asks, without the server's own files."""
    own = _OWN_FILES.get(error.code)
    return error.message if own is None else own.format(subject=error.subject)


def problem_response(error: RequestError | LookalikeError, *, path: str, request_id: str) -> Response:
    """The answer that carries it, with the headers that its status asks for."""
    problem = problem_of(error, path=path, request_id=request_id)
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, OverloadedError):
        headers["Retry-After"] = str(error.retry_after)
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "2"
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(problem.model_dump_json(), problem.status, headers, MEDIA_TYPE)
