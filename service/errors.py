"""What can be wrong with a request itself, beside what the library says of pictures, encoders and collections."""

from __future__ import annotations

from typing import ClassVar


class RequestError(Exception):
    """Base of the errors below; ``subject`` is the field, header or path that the error is about."""

    code: ClassVar[str]

    def __init__(self, message: str, *, subject: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.subject = subject


class FormInvalidError(RequestError):
    """The body is not the form that its content type announces."""

    code = "form-invalid"


class HostNotAllowedError(RequestError):
    """The Host header names a host that this service does not answer for."""

    code = "host-not-allowed"


class UnauthorizedError(RequestError):
    """The request has no key, or one that is not known."""

    code = "unauthorized"


class ForbiddenError(RequestError):
    """The key is known but may not do this."""

    code = "forbidden"


class PathNotFoundError(RequestError):
    """There is nothing under this path."""

    code = "not-found"


class MethodNotAllowedError(RequestError):
    """The path exists, but not with this method."""

    code = "method-not-allowed"


class UploadTimeoutError(RequestError):
    """The body did not arrive in time."""

    code = "upload-timeout"


class BodyTooLargeError(RequestError):
    """The body has more bytes than the form may have; it was refused while it arrived."""

    code = "body-too-large"


class MediaTypeError(RequestError):
    """The body is of a content type that is not taken."""

    code = "media-type-unsupported"


class FieldInvalidError(RequestError):
    """A field, or several, are missing, unknown, repeated or out of range."""

    code = "field-invalid"

    def __init__(self, message: str, *, subject: str | None = None, fields: list[dict[str, str]] | None = None) -> None:
        super().__init__(message, subject=subject)
        self.fields = fields or [{"field": subject or "form", "code": "invalid", "message": message}]


class ImageMissingError(RequestError):
    """No picture was sent, or two where one was meant."""

    code = "image-missing"


class ItemChangedError(RequestError):
    """An indexed picture's file is another one by now, so that its score and its pixels do not belong together."""

    code = "item-changed"


class OverloadedError(RequestError):
    """All permits are taken; ``retry_after`` is the number of seconds after which to try again."""

    code = "overloaded"

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StartingError(RequestError):
    """The service has not finished starting."""

    code = "starting"


class DeadlineError(RequestError):
    """The answer took longer than it may."""

    code = "deadline-exceeded"


class EncodingError(RequestError):
    """The encoder failed at a picture that was decoded well."""

    code = "encoding-failed"


class InternalError(RequestError):
    """Something went wrong that should not have; the log has the rest under the request's id."""

    code = "internal"


def request_errors() -> list[type[RequestError]]:
    """All of them, in the order above."""
    return list(RequestError.__subclasses__())
