"""The middleware of every request: its id, log line, metrics and headers, and errors without a stack trace."""

from __future__ import annotations

import itertools
import logging
import re
import secrets
import time
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lookalike.errors import LookalikeError
from service.access import NO_COLLECTION, current_access
from service.errors import FieldInvalidError, ForbiddenError, HostNotAllowedError, InternalError, RequestError
from service.http.problems import problem_response
from service.http.responses import root_path
from service.settings import Grant, Settings
from service.settings import Scope as KeyScope
from service.telemetry.logs import request_id as current_request_id
from service.telemetry.metrics import Metrics

_LOG = logging.getLogger(__name__)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PORT = re.compile(r":\d+$")
_SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_USED_HEADERS = frozenset({b"x-request-id", b"host", b"sec-fetch-site", b"authorization", b"origin"})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_PARAMETERS = 64
"""How many parameters a query string may have, unknown ones included."""
_RAW_PATH_PREFIXES = ("/collections/", "/uploads/")
_CLIENT_GONE = 499
_WITHOUT_KEYS = Grant(KeyScope.WRITE)


class RequestMiddleware:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, settings: Settings) -> None:
        self._app = app
        self._metrics = metrics
        self._keys = settings.keys
        self._root_path = settings.root_path
        self._origins = frozenset(origin.encode() for origin in settings.cors_origins)
        self._hosts = frozenset(host.lower() for host in settings.allowed_hosts)
        # Unique: a random prefix for the process and a counter, which costs less than random bytes for each request.
        self._process, self._count = secrets.token_hex(4), itertools.count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name: value for name, value in scope["headers"] if name in _USED_HEADERS}
        requested_id = headers.get(b"x-request-id", b"").decode("latin-1")
        request_id = requested_id if _REQUEST_ID.fullmatch(requested_id) else self._next_id()
        token = current_request_id.set(request_id)
        grant = self._grant(headers.get(b"authorization", b"").decode("latin-1"))
        access_token = current_access.set(NO_COLLECTION if grant is None else grant.access)
        begin = time.perf_counter()
        root_token = root_path.set(self._root_path)
        sender = _ResponseSender(send, request_id, self._root_path)
        inner = _inner_scope(scope, request_id, self._root_path)
        inner["state"]["grant"] = grant
        try:
            if not self._host_allowed(headers.get(b"host", b"").decode("latin-1")):
                await self._refuse(
                    HostNotAllowedError("the host in the header Host is not allowed; see --allowed-hosts"),
                    inner,
                    sender,
                )
                return
            if scope["query_string"].count(b"&") >= MAX_PARAMETERS:
                # To parse a parameter costs a thousand times as much as to count it, and no route has so many.
                message = f"the query string has more than {MAX_PARAMETERS} parameters"
                await self._refuse(FieldInvalidError(message, subject="query"), inner, sender)
                return
            is_cross_site = (
                headers.get(b"sec-fetch-site") == b"cross-site" and headers.get(b"origin") not in self._origins
            )
            if scope["method"] not in _SAFE_METHODS and is_cross_site:
                # Without this, any page in a browser could send searches to a service on the same machine.
                await self._refuse(
                    ForbiddenError("requests of this kind from pages of other sites are not allowed"), inner, sender
                )
                return
            if self._root_path and inner["path"] == self._root_path:
                # The page's links are relative: without the slash they would lead beside it.
                await self._redirect_to_page(inner, sender)
                return
            await self._serve(inner, receive, sender)
        finally:
            self._record(inner, sender, time.perf_counter() - begin)
            root_path.reset(root_token)
            current_access.reset(access_token)
            current_request_id.reset(token)

    def _grant(self, authorization: str) -> Grant | None:
        """What a request may do, without keys everything; None if its key is missing or not known."""
        return self._keys.grant(bearer_key(authorization)) if self._keys else _WITHOUT_KEYS

    def _next_id(self) -> str:
        return f"{self._process}{next(self._count) & 0xFFFFFFFF:08x}"

    async def _serve(self, scope: Scope, receive: Receive, sender: _ResponseSender) -> None:
        try:
            await self._app(scope, receive, sender.send)
        except (ClientGoneError, ClientDisconnect):
            sender.status = _CLIENT_GONE
            self._metrics.disconnects.inc()
        except Exception as error:
            _LOG.exception("failed", extra={"error": type(error).__name__})
            if sender.status is not None:
                raise
            internal = InternalError("an unexpected error; the log has its details under this request's id")
            await self._refuse(internal, scope, sender)

    async def _refuse(self, error: RequestError | LookalikeError, scope: Scope, sender: _ResponseSender) -> None:
        path, request_id = scope["path"], scope["state"]["request_id"]
        scope["state"]["code"] = error.code
        response = problem_response(error, path=path, request_id=request_id)
        await response(scope, _receive_disconnect, sender.send)

    async def _redirect_to_page(self, scope: Scope, sender: _ResponseSender) -> None:
        query = scope["query_string"].decode("latin-1")
        location = f"/?{query}" if query else "/"
        await RedirectResponse(location, 308)(scope, _receive_disconnect, sender.send)

    def _host_allowed(self, host: str) -> bool:
        if not self._hosts:
            return True
        return _PORT.sub("", host).lower() in self._hosts

    def _record(self, scope: Scope, sender: _ResponseSender, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        status = sender.status or _CLIENT_GONE
        method, state = scope["state"]["method"], scope["state"]
        self._metrics.count_response(route, method, status, seconds)
        fields: dict[str, Any] = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 1)}
        if "bytes_in" in state:
            fields["bytes_in"] = state["bytes_in"]
        if "code" in state:
            fields["code"] = state["code"]
            self._metrics.refusals.labels(state["code"]).inc()
        if _LOG.isEnabledFor(logging.INFO):
            # As Logger.info, without looking up the calling file and line, which the log does not show.
            line = logging.LogRecord(_LOG.name, logging.INFO, "", 0, "request", (), None)
            vars(line).update(fields)
            _LOG.handle(line)


def bearer_key(authorization: str) -> str:
    """The key in a header Authorization; empty if there is none."""
    kind, _, key = authorization.partition(" ")
    return key.strip() if kind.lower() == "bearer" else ""


class ClientGoneError(Exception):
    """The client disconnected before its response."""


class _ResponseSender:
    """Sends a response with the headers that all responses have, and records its status."""

    def __init__(self, send: Send, request_id: str, root_path: str) -> None:
        self._send = send
        self._request_id = request_id
        self._root_path = root_path.encode()
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            if self._root_path:
                headers = [(name, self._public(name, value)) for name, value in headers]
            header_names = {name.lower() for name, _ in headers}
            headers.append((b"x-request-id", self._request_id.encode("latin-1")))
            headers.extend(header for header in _SECURITY_HEADERS if header[0] not in header_names)
            message["headers"] = headers
        await self._send(message)

    def _public(self, name: bytes, value: bytes) -> bytes:
        """A header's value as clients have to see it: routes name paths as they know them."""
        return self._root_path + value if name.lower() == b"location" and value.startswith(b"/") else value


def _inner_scope(scope: Scope, request_id: str, root_path: str) -> Scope:
    """The scope as the routes see it, which look at what follows ``root_path`` in the path.

    A proxy may have taken that off, or not: either is answered.

    Keys of items may contain slashes, which stand percent-encoded in a path, and names of uploaded files anything:
    below /collections/ and /uploads/ the path stays as it was sent, and each part is decoded by itself. HEAD is
    answered as GET, whose body the server leaves out.
    """
    state = {**scope.get("state", {}), "request_id": request_id, "method": _method(scope["method"])}
    inner = {**scope, "state": state, "root_path": root_path}
    if scope["method"] == "HEAD":
        inner["method"] = "GET"
    path, raw = scope["path"], (scope.get("raw_path") or b"").partition(b"?")[0].decode("latin-1")
    if root_path and (path == root_path or path.startswith(f"{root_path}/")):
        path, raw = path[len(root_path) :], raw.removeprefix(root_path)
    inner["path"] = root_path + (raw if raw.startswith(_RAW_PATH_PREFIXES) else path)
    return inner


def _method(method: str) -> str:
    """The method as a label: arbitrary methods would each add a time series."""
    return method if method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "OTHER"


async def _receive_disconnect() -> Message:
    return {"type": "http.disconnect"}
