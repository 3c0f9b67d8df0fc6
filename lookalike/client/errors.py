"""What the client raises: one exception for each kind of refusal, with all that the service said about it."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from lookalike.client.answers import FieldProblem, Problem

if TYPE_CHECKING:
    from lookalike.client.answers import ChangeEntry


class ClientError(Exception):
    """Base of everything that the client raises on purpose."""


class PictureError(ClientError):
    """A picture, or a file to upload, cannot be sent: there is no such file, or it is no picture, or a pipe."""


class ConnectionFailedError(ClientError):
    """The service cannot be reached, the connection broke, or no answer came in time."""


class AnswerInvalidError(ClientError):
    """The answer is not what this client expects: another program answered, or a much older service."""


class ChangesInterruptedError(ClientError):
    """Something ended a list of changes before its end; ``results`` has what became of those before.

    ``__cause__`` says why: a refused batch, a broken connection, a picture that cannot be read.
    """

    def __init__(self, message: str, results: Sequence[ChangeEntry]) -> None:
        super().__init__(message)
        self.results = list(results)


class ServiceError(ClientError):
    """The service refused the request, or failed; its attributes are those of the service's problem document.

    ``code`` is stable, ``detail`` a sentence for people, ``errors`` names the fields that are wrong, and ``request_id``
    finds the request in the service's log. ``retry_after`` is in seconds, where the service gave it.
    """

    def __init__(self, problem: Problem, *, retry_after: float | None = None) -> None:
        fields = "".join(f"\n  {error.field}: {error.message}" for error in problem.errors)
        super().__init__(f"{problem.code} ({problem.status}): {problem.detail}{fields}")
        self.problem = problem
        self.retry_after = retry_after

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status

    @property
    def code(self) -> str:
        """What kind of problem it is, in kebab-case; docs/api.md lists all codes."""
        return self.problem.code

    @property
    def title(self) -> str:
        """The name of the HTTP status."""
        return self.problem.title

    @property
    def detail(self) -> str:
        """What is wrong, with what, and what to do about it."""
        return self.problem.detail

    @property
    def errors(self) -> tuple[FieldProblem, ...]:
        """The fields that are wrong, if any."""
        return self.problem.errors

    @property
    def request_id(self) -> str:
        """The number under which the service's log has the request."""
        return self.problem.request_id


class InvalidRequestError(ServiceError):
    """400, 405, 413, 415, 422: a field, a filter or a picture that the service cannot take."""


class UnauthorizedError(ServiceError):
    """401: no API key was sent, or one that is not valid."""


class ForbiddenError(ServiceError):
    """403: the API key does not allow this request."""


class NotFoundError(ServiceError):
    """404: no collection, item or path of this name."""


class ConflictError(ServiceError):
    """409, 423: the state of the collection does not allow it; ``code`` says what is in the way."""


class PreconditionFailedError(ServiceError):
    """412: the item is another version than the one that the change was meant for."""


class TooBusyError(ServiceError):
    """429: the service is at capacity, and was so at each try."""


class UnavailableError(ServiceError):
    """503: the service or the collection cannot answer at present, and could not at each try."""


class ServiceFailedError(ServiceError):
    """500, 502, 504, 507: the service failed or took too long."""


_BY_STATUS: dict[int, type[ServiceError]] = {
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    412: PreconditionFailedError,
    423: ConflictError,
    429: TooBusyError,
    503: UnavailableError,
}


def service_error(problem: Problem, *, retry_after: float | None = None) -> ServiceError:
    """The exception for a problem."""
    other = InvalidRequestError if problem.status < HTTPStatus.INTERNAL_SERVER_ERROR else ServiceFailedError
    return _BY_STATUS.get(problem.status, other)(problem, retry_after=retry_after)
