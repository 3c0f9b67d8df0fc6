"""Requests that are done once, however often they are sent: the header Idempotency-Key.

As the IETF's draft "The Idempotency-Key HTTP Header Field" has it: the first answer is stored, the same request with
the same key gets it again, another request with this key is refused, and so is the same while the first is worked on.

A route that has this names ``ONCE`` among its dependencies, takes its permits by ``service.dependencies.admit``, and
makes its response by ``answer_once``.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import secrets
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response

from lookalike.catalogue.idempotency_store import Claim, StoredAnswer
from lookalike.errors import LookalikeError
from service.completion import complete
from service.dependencies.auth import client_digest
from service.errors import (
    FieldInvalidError,
    IdempotencyMismatchError,
    IdempotencyRunningError,
    RequestError,
    UploadError,
)
from service.http.disconnect import run_while_connected
from service.http.problems import problem_response
from service.services import Services

_LOG = logging.getLogger(__name__)
HEADER = "idempotency-key"
REPLAYED = {"Idempotent-Replayed": "true"}
"""The header of an answer that was stored."""
_KEY = re.compile(r'"?([\x21\x23-\x7e]{1,255})"?')
_STORED_HEADERS = ("content-type", "etag", "x-snapshot", "location", "cache-control")
_TRANSIENT = frozenset({408, 409, 425, 429})
"""Statuses below 500 that say nothing of the request itself: it may be sent again a moment later."""
_REFUSALS = (LookalikeError, RequestError, UploadError)
Work = Callable[[], Coroutine[Any, Any, Response]]


async def read_key(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            description="A text of the client's own for this request, such as a UUID: sent again with the same request "
            "within 24 hours, it gets the first answer, and nothing is done twice."
        ),
    ] = None,
) -> None:
    """Find a request's key, without the quotation marks that the draft has around it; raises FieldInvalidError."""
    request.state.idempotency_key = None
    if idempotency_key is not None:
        match = _KEY.fullmatch(idempotency_key.strip())
        if match is None:
            raise FieldInvalidError(
                "Idempotency-Key must be 1 to 255 visible ASCII characters, without quotation marks within",
                subject=HEADER,
            )
        request.state.idempotency_key = match[1]


ONCE = Depends(read_key)


def no_body() -> str:
    """The digest of a request without a body."""
    return ""


async def answer_once(
    request: Request,
    services: Services,
    work: Work,
    *,
    body_digest: Callable[[], str],
    timeout: float | None,
) -> Response:
    """The response that ``work`` makes, or that it made when this request was sent before with its Idempotency-Key.

    Without a key the work ends when the client leaves, or after ``timeout`` seconds. With one it goes on to its end,
    since its client may ask again, and keeps the request's permits until then. ``body_digest`` is called in a thread: a
    digest of all that the request's body says. Raises IdempotencyMismatchError, IdempotencyRunningError, and what the
    work raises.
    """
    key: str | None = request.state.idempotency_key
    if key is None:
        return await work() if timeout is None else await run_while_connected(request, work(), timeout=timeout)
    digest = hashlib.sha256(f"{client_digest(request)}\0{key}".encode()).hexdigest()
    request_digest = await asyncio.to_thread(_digest_request, request, body_digest)
    owner = secrets.token_hex(16)
    outcome = await services.stored_answers.claim(digest, request_digest, owner)
    if isinstance(outcome, StoredAnswer):
        return Response(outcome.body, outcome.status, {**outcome.headers, **REPLAYED})
    if outcome is Claim.OTHER_REQUEST:
        raise IdempotencyMismatchError(
            "this Idempotency-Key was sent with another request before: send each request with a key of its own",
            subject=HEADER,
        )
    if outcome is Claim.RUNNING:
        raise IdempotencyRunningError(
            "the request with this Idempotency-Key is being worked on: send it again in a moment", subject=HEADER
        )
    task = services.stored_answers.start(_work_and_store(request, services, work, digest, owner))
    return await _wait(request, task, timeout)


async def _work_and_store(request: Request, services: Services, work: Work, digest: str, owner: str) -> Response:
    answers = services.stored_answers
    renewal = asyncio.create_task(answers.renew_forever(digest, owner))
    try:
        try:
            response = await work()
        except Exception as error:
            # A cancellation is no Exception: the service stops, and a thread may still be at the work, so the key
            # stays claimed until its lease ends.
            await complete(answers.finish(digest, owner, _stored_problem(request, error)))
            raise
        await complete(answers.finish(digest, owner, _stored_answer(response)))
        return response
    finally:
        renewal.cancel()


def _stored_problem(request: Request, error: Exception) -> StoredAnswer | None:
    """What is stored of a refusal; None for a defect."""
    if not isinstance(error, _REFUSALS):
        return None
    return _stored_answer(problem_response(error, path=request.url.path, request_id=request.state.request_id))


def _stored_answer(response: Response) -> StoredAnswer | None:
    """What is stored of a response; None for one that may be another the next time."""
    if response.status_code >= 500 or response.status_code in _TRANSIENT:
        return None
    headers = {name: response.headers[name] for name in _STORED_HEADERS if name in response.headers}
    return StoredAnswer(response.status_code, headers, bytes(response.body))


async def _wait(request: Request, task: asyncio.Task[Response], timeout: float | None) -> Response:
    """The result of a task that goes on, with the request's permits, when its client leaves or the time is over."""

    async def wait() -> Response:
        return await asyncio.shield(task)

    try:
        return await wait() if timeout is None else await run_while_connected(request, wait(), timeout=timeout)
    finally:
        if not task.done():
            task.add_done_callback(partial(_end_detached, request.state.permits.pop_all()))


def _end_detached(permits: ExitStack, task: asyncio.Task[Response]) -> None:
    """Free the permits of work whose request has ended, and log a defect, which nobody else does."""
    permits.close()
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, _REFUSALS):
        _LOG.error("failed", exc_info=error, extra={"error": type(error).__name__})


def _digest_request(request: Request, body_digest: Callable[[], str]) -> str:
    parts = (
        request.method,
        request.url.path,
        request.url.query,
        request.headers.get("if-match", ""),
        body_digest(),
        # Only where it is sent: without it, a request has the digest that earlier versions have stored.
        *request.headers.getlist("if-none-match"),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
