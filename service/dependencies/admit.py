"""Admission of a request: memory for its body first, then its form, then the permits for its work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import TypeVar

from starlette.requests import Request

from service.http.body import announced_bytes, largest_body
from service.http.forms import Form, read_form
from service.services import Services

F = TypeVar("F", bound=Form)


@contextmanager
def admit(request: Request, services: Services) -> Iterator[None]:
    """A permit for a request without a body, while the caller works; raises OverloadedError if all are taken.

    The permits of a request are on ``request.state.permits``: work that outlives the request takes them over.
    """
    with _permits(request) as permits:
        permits.enter_context(services.admission.permit())
        yield


@asynccontextmanager
async def admit_form(
    request: Request, services: Services, form: type[F], *, pictures: int, weight: Callable[[F], int] | None = None
) -> AsyncIterator[F]:
    """The form of a request, with as many permits as it may have ``pictures``, held while the caller works.

    Where a form needs more permits than it may have pictures, ``weight`` gives their number.
    Memory for the body is reserved by its Content-Length, so that small uploads that stall block no others.
    Raises OverloadedError before the body is read if all permits are taken, and the errors of ``read_form``.
    """
    settings = services.settings
    services.admission.check(pictures)
    max_bytes = largest_body(request, pictures * settings.limits.max_bytes)
    with _permits(request) as permits:
        permits.enter_context(services.uploads.permit(min(announced_bytes(request, default=max_bytes), max_bytes)))
        content = await read_form(request, form, max_bytes=max_bytes, timeout=settings.upload_timeout)
        permits.enter_context(services.admission.permit(pictures if weight is None else weight(content)))
        yield content


@contextmanager
def _permits(request: Request) -> Iterator[ExitStack]:
    with ExitStack() as permits:
        request.state.permits = permits
        yield permits
