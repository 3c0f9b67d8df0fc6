"""The errors of requests themselves; those of pictures, encoders and collections are in ``lookalike.errors``."""

from __future__ import annotations

from typing import ClassVar

from lookalike.errors import ImageError, LookalikeError


class RequestError(Exception):
    """Base of the errors below, to catch them all; ``subject`` is the field, header or path that is wrong."""

    code: ClassVar[str]

    def __init__(self, message: str, *, subject: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.subject = subject


class FormInvalidError(RequestError):
    """The body cannot be read as the content type that it declares."""

    code = "form-invalid"


class HostNotAllowedError(RequestError):
    """The header Host names a host that is not among the allowed hosts."""

    code = "host-not-allowed"


class UnauthorizedError(RequestError):
    """The request has no API key, or an invalid one."""

    code = "unauthorized"


class ForbiddenError(RequestError):
    """The API key is valid, but its scope does not allow this request."""

    code = "forbidden"


class PathNotFoundError(RequestError):
    """The path does not exist."""

    code = "not-found"


class MethodNotAllowedError(RequestError):
    """The path exists, but does not allow this method."""

    code = "method-not-allowed"


class UploadTimeoutError(RequestError):
    """The body did not arrive within the time limit for uploads."""

    code = "upload-timeout"


class BodyTooLargeError(RequestError):
    """The body is larger than the form allows; it was refused before all of it had arrived."""

    code = "body-too-large"


class MediaTypeError(RequestError):
    """The body has an unsupported content type."""

    code = "media-type-unsupported"


class FieldInvalidError(RequestError):
    """Fields or query parameters are missing, unknown, repeated or out of range."""

    code = "field-invalid"

    def __init__(self, message: str, *, subject: str | None = None, fields: list[dict[str, str]] | None = None) -> None:
        super().__init__(message, subject=subject)
        self.fields = fields or [{"field": subject or "form", "code": "invalid", "message": message}]


class CursorOutdatedError(RequestError):
    """The state that the page before was of is no longer there: begin again without a cursor."""

    code = "cursor-outdated"


class ImageMissingError(RequestError):
    """No picture was sent, or two where one is expected."""

    code = "image-missing"


class ItemChangedError(RequestError):
    """An indexed picture's file has changed since it was indexed, so its pixels do not belong to its vector."""

    code = "item-changed"


class SnapshotUnknownError(RequestError):
    """The collection has no snapshot of this number, or has it no longer; the detail lists those that there are."""

    code = "snapshot-unknown"


class CalibrationMissingError(RequestError):
    """Neither the collection nor its encoder is calibrated, or the collection has no calibration of its own."""

    code = "calibration-missing"


class DuplicatesNotSearchedError(RequestError):
    """The collection has not been searched for duplicates yet; the detail has the command that does it."""

    code = "duplicates-not-searched"


class IdempotencyMismatchError(RequestError):
    """The Idempotency-Key was sent with another request before."""

    code = "idempotency-mismatch"


class IdempotencyRunningError(RequestError):
    """The request with this Idempotency-Key is still being worked on."""

    code = "idempotency-running"


class OverloadedError(RequestError):
    """The service is at capacity; ``retry_after`` is the number of seconds after which to try again."""

    code = "overloaded"

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UploadNotFoundError(RequestError):
    """There is no upload of this id, or it has expired."""

    code = "upload-not-found"


class UploadOffsetError(RequestError):
    """A piece of an upload does not begin where the upload ends."""

    code = "upload-offset-mismatch"


class UploadIncompleteError(RequestError):
    """An upload is to be used before all of it has arrived."""

    code = "upload-incomplete"


class UploadLockedError(RequestError):
    """Another request is writing to the upload."""

    code = "upload-locked"


class UploadVersionError(RequestError):
    """The client speaks another version of the tus protocol than this service."""

    code = "upload-version-unsupported"
    supported: ClassVar[str] = "1.0.0"


class StorageInsufficientError(RequestError):
    """The disk has no room for an upload."""

    code = "storage-insufficient"


class SourceNotAllowedError(RequestError):
    """A path of the server that is to be indexed is not below a folder that --allow-sources names."""

    code = "source-not-allowed"


class JobNotFoundError(RequestError):
    """There is no job of this id, or it was finished so long ago that it is forgotten."""

    code = "job-not-found"


class ReportMissingError(RequestError):
    """The job has no report: it has not come so far, or there is none of its kind."""

    code = "report-missing"


class JobFailedError(RequestError):
    """The process of a job ended without saying why; the service's log has its last words."""

    code = "job-failed"


class JobAbandonedError(RequestError):
    """The service was stopped several times while it ran the job, which is not tried again."""

    code = "job-abandoned"


class StartingError(RequestError):
    """The service has not finished starting."""

    code = "starting"


class DeadlineError(RequestError):
    """The response took longer than the time limit for requests."""

    code = "deadline-exceeded"


class EncodingError(RequestError):
    """The encoder failed on a picture that had been decoded."""

    code = "encoding-failed"


class InternalError(RequestError):
    """An unexpected error; the log has its details under the request's id."""

    code = "internal"


class UploadError(Exception):
    """An uploaded picture cannot be used: ``error`` says why, ``field`` is the form's field that it came in."""

    def __init__(self, field: str, error: ImageError) -> None:
        super().__init__(error.message)
        self.field = field
        self.error = error

    @property
    def code(self) -> str:
        """That of ``error``."""
        return self.error.code

    @property
    def message(self) -> str:
        """That of ``error``, which names the file."""
        return self.error.message


class CollectionFailedError(Exception):
    """One of several collections cannot be searched, and so the request fails: ``error`` says why."""

    def __init__(self, collection: str, error: LookalikeError) -> None:
        super().__init__(error.message)
        self.collection = collection
        self.error = error

    @property
    def code(self) -> str:
        """That of ``error``."""
        return self.error.code

    @property
    def message(self) -> str:
        """That of ``error``, after the collection's name."""
        return f"collection {self.collection!r}: {self.error.message}"


def request_errors() -> list[type[RequestError]]:
    """All classes of errors of this module, in the order above."""
    return list(RequestError.__subclasses__())
