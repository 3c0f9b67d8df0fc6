"""When a request is sent again, and after how long; and what a refusal becomes."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TypeVar

import httpx2
import msgspec

from lookalike.client.answers import Problem
from lookalike.client.call import Call
from lookalike.client.errors import ClientError, ConnectionFailedError, service_error

T = TypeVar("T")
FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
"""Seconds; a service that wants to be left alone for longer is not waited for."""
_BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_UNSENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
"""Nothing of the request has reached the service."""
_EXCERPT = 200


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a request is sent again.

    429 and 503 are waited out, as long as the service asks for. A request whose connection failed is sent again if it
    did not get through, or if it is one that may be sent twice. An answer that did not come in time is not asked for
    again: the service may still be at work on it.
    """

    retries: int

    def delay_after_response(self, response: httpx2.Response, attempt: int) -> float | None:
        """Seconds until the next try; None for an answer that stands. ``attempt`` counts from 0."""
        wait = retry_after(response)
        # 409 with a time says that the same change, sent before, is still being made.
        is_busy = response.status_code in _BUSY or (response.status_code == HTTPStatus.CONFLICT and wait is not None)
        if not is_busy or attempt >= self.retries:
            return None
        if wait is None:
            return _backoff(attempt)
        # Those who were refused together would else come back together.
        return None if wait > LONGEST_DELAY else wait + random.uniform(0, FIRST_DELAY)

    def delay_after_error(self, call: Call[T], error: httpx2.RequestError, attempt: int) -> float | None:
        """Seconds until the next try; None if there is none."""
        is_broken = isinstance(error, httpx2.NetworkError | httpx2.RemoteProtocolError)
        may_repeat = isinstance(error, _UNSENT) or (is_broken and call.is_repeatable)
        return _backoff(attempt) if may_repeat and attempt < self.retries else None

    def delay_after_end(self, attempt: int) -> float | None:
        """Seconds until a stream is asked for again that ended before its last event; None if it is not."""
        return _backoff(attempt) if attempt < self.retries else None


def _backoff(attempt: int) -> float:
    """Between nothing and twice as much at each try, so that many clients do not return at the same moment."""
    return random.uniform(0, min(LONGEST_DELAY, FIRST_DELAY * 2**attempt))


def retry_after(response: httpx2.Response) -> float | None:
    """The seconds of the header Retry-After; proxies write a date there."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def check_status(response: httpx2.Response) -> httpx2.Response:
    """The response if it is a success; raises ServiceError."""
    if response.is_success:
        return response
    raise service_error(_problem_of(response), retry_after=retry_after(response))


def connection_error(call: Call[T], base_url: httpx2.URL, error: httpx2.RequestError) -> ConnectionFailedError:
    """The exception for a request that got no answer."""
    if isinstance(error, httpx2.TimeoutException):
        what = "did not answer in time"
    elif isinstance(error, httpx2.ConnectError):
        what = "cannot be reached"
    else:
        what = "broke the connection off"
    reason = f": {error}" if str(error) else ""
    return ConnectionFailedError(f"{base_url} {what} ({call.method} {call.path}){reason}")


def stream_error(call: Call[T], response: httpx2.Response) -> ClientError:
    """The exception for a stream that was refused, or that ended too soon."""
    if response.is_success:
        return ConnectionFailedError(f"the events of {call.path} ended before the last one")
    return service_error(_problem_of(response), retry_after=retry_after(response))


def _problem_of(response: httpx2.Response) -> Problem:
    """What the service says is wrong; or what can be said where something else answered, such as a proxy."""
    try:
        return msgspec.json.decode(response.content, type=Problem)
    except msgspec.DecodeError:
        where = response.headers.get("location")
        detail = f"it redirects to {where}: use that as the base URL" if where else response.text[:_EXCERPT].strip()
        return Problem(
            title=response.reason_phrase,
            status=response.status_code,
            detail=detail or response.reason_phrase,
            code=f"status-{response.status_code}",
            instance=response.request.url.path,
            request_id=response.headers.get("x-request-id", ""),
        )
