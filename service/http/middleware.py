"""What happens around every request: its id, its log line, its measurements, its headers, and no stack trace, ever."""

from __future__ import annotations

import itertools
import logging
import re
import secrets
import time
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lookalike.errors import LookalikeError
from service.errors import FieldInvalidError, ForbiddenError, HostNotAllowedError, InternalError, RequestError
from service.http.problems import problem_response
from service.telemetry.logs import request_id as current_request_id
from service.telemetry.metrics import Metrics

_LOG = logging.getLogger(__name__)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PORT = re.compile(r":\d+$")
_SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_READ = frozenset({b"x-request-id", b"host", b"sec-fetch-site"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
MOST_PARAMETERS = 64
"""How many parameters a query string may have, those that no route knows too."""
_RAW = "/collections/"
_CLIENT_GONE = 499


class RequestMiddleware:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, allowed_hosts: tuple[str, ...]) -> None:
        self._app = app
        self._metrics = metrics
        self._hosts = frozenset(host.lower() for host in allowed_hosts)
        # Unlike any other process's, and never the same twice: to ask the system each time for random bytes costs more.
        self._process, self._count = secrets.token_hex(4), itertools.count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name: value for name, value in scope["headers"] if name in _READ}
        asked = headers.get(b"x-request-id", b"").decode("latin-1")
        request_id = asked if _REQUEST_ID.fullmatch(asked) else self._next_id()
        token = current_request_id.set(request_id)
        begin = time.perf_counter()
        answered = _Answered(send, request_id)
        inner = _inner_scope(scope, request_id)
        try:
            if not self._host_allowed(headers.get(b"host", b"").decode("latin-1")):
                await self._refuse(HostNotAllowedError("this service does not answer for that host"), inner, answered)
                return
            if scope["query_string"].count(b"&") >= MOST_PARAMETERS:
                # To take one apart costs a thousand times as much as to count it, and no route has so many.
                wrong = f"the query string has more than {MOST_PARAMETERS} parameters"
                await self._refuse(FieldInvalidError(wrong, subject="query"), inner, answered)
                return
            if scope["method"] not in _SAFE and headers.get(b"sec-fetch-site") == b"cross-site":
                # Without this, any page in a browser could keep a service on the same machine busy.
                await self._refuse(ForbiddenError("a page of another site may not send this"), inner, answered)
                return
            await self._serve(inner, receive, answered)
        finally:
            self._record(inner, answered, time.perf_counter() - begin)
            current_request_id.reset(token)

    def _next_id(self) -> str:
        return f"{self._process}{next(self._count) & 0xFFFFFFFF:08x}"

    async def _serve(self, scope: Scope, receive: Receive, answered: _Answered) -> None:
        try:
            await self._app(scope, receive, answered.send)
        except (ClientGoneError, ClientDisconnect):
            answered.status = _CLIENT_GONE
            self._metrics.abandoned.inc()
        except Exception as error:
            _LOG.exception("failed", extra={"error": type(error).__name__})
            if answered.status is not None:
                raise
            wrong = InternalError("something went wrong here; the log has more under this request's id")
            await self._refuse(wrong, scope, answered)

    async def _refuse(self, error: RequestError | LookalikeError, scope: Scope, answered: _Answered) -> None:
        path, request_id = scope["path"], scope["state"]["request_id"]
        scope["state"]["code"] = error.code
        response = problem_response(error, path=path, request_id=request_id)
        await response(scope, _nothing, answered.send)

    def _host_allowed(self, host: str) -> bool:
        if not self._hosts:
            return True
        return _PORT.sub("", host).lower() in self._hosts

    def _record(self, scope: Scope, answered: _Answered, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        status = answered.status or _CLIENT_GONE
        method, state = scope["state"]["method"], scope["state"]
        self._metrics.answered(route, method, status, seconds)
        fields: dict[str, Any] = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 1)}
        if "bytes_in" in state:
            fields["bytes_in"] = state["bytes_in"]
        if "code" in state:
            fields["code"] = state["code"]
            self._metrics.refused.labels(state["code"]).inc()
        if _LOG.isEnabledFor(logging.INFO):
            # As Logger.info does it, but for looking up which line of which file this is, which nobody is told.
            line = logging.LogRecord(_LOG.name, logging.INFO, "", 0, "request", (), None)
            vars(line).update(fields)
            _LOG.handle(line)


class ClientGoneError(Exception):
    """The client left before its answer; there is nobody to tell."""


class _Answered:
    """Sends an answer with the headers that all have, and remembers its status."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            there = {name.lower() for name, _ in headers}
            headers.append((b"x-request-id", self._request_id.encode("latin-1")))
            headers.extend(header for header in _SECURITY if header[0] not in there)
            message["headers"] = headers
        await self._send(message)


def _inner_scope(scope: Scope, request_id: str) -> Scope:
    """The scope as the routes see it.

    Keys of items may contain slashes, which stand percent-encoded in a path: below /collections/ the path stays as
    it was sent, and each part is decoded by itself. HEAD is answered as GET, whose body the server leaves out.
    """
    inner = {**scope, "state": {**scope.get("state", {}), "request_id": request_id, "method": _method(scope["method"])}}
    if scope["method"] == "HEAD":
        inner["method"] = "GET"
    raw = scope.get("raw_path")
    if raw is not None and raw.startswith(_RAW.encode()):
        inner["path"] = raw.partition(b"?")[0].decode("latin-1")
    return inner


def _method(method: str) -> str:
    """The method as a label: what is no method of HTTP could be anything, and would make a new series each."""
    return method if method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "OTHER"


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
