"""Authorization: bearer keys with a scope, if the service has any."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from fastapi import Depends, Request

from service.errors import ForbiddenError, UnauthorizedError
from service.services import services_of
from service.settings import Scope

SCHEME = {"type": "http", "scheme": "bearer", "description": "Only if the service has API keys."}


def _refuse_other_sites(request: Request) -> None:
    """Raise ForbiddenError for what a page of another site sends: without keys a browser sends it for anybody."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise ForbiddenError("a page of another site may not change anything here")


def may_read(request: Request) -> bool:
    """Whether this request may read: it has a valid key, or the service has no keys."""
    keys = services_of(request).settings.keys
    return not keys or keys.scope(_key(request)) is not None


def _key(request: Request) -> str:
    """The key that a request sends; empty if it sends none."""
    kind, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if kind.lower() == "bearer" else ""


def client_digest(request: Request) -> str:
    """A digest of the key that a request sends; the same for all requests without one."""
    return sha256(_key(request).encode("utf-8", "surrogateescape")).hexdigest()


def require(scope: Scope) -> Callable[[Request], Coroutine[Any, Any, None]]:
    """A dependency that lets requests with a key of this scope pass; all of them if the service has no keys.

    It raises UnauthorizedError and ForbiddenError.
    """

    async def check(request: Request) -> None:
        check_key(request, scope)

    return check


def check_key(request: Request, required_scope: Scope) -> None:
    """Raise UnauthorizedError or ForbiddenError unless a request has a key of this scope, or the service no keys."""
    keys = services_of(request).settings.keys
    if not keys:
        if required_scope is Scope.WRITE:
            _refuse_other_sites(request)
        return
    key = _key(request)
    if not key:
        raise UnauthorizedError("this service requires an API key: send the header Authorization: Bearer KEY")
    scope = keys.scope(key)
    if scope is None:
        raise UnauthorizedError("this API key is not valid")
    if required_scope is Scope.WRITE and scope is not Scope.WRITE:
        raise ForbiddenError("this API key has scope read; this request needs scope write")


READERS = (Depends(require(Scope.READ)),)
"""The dependencies of a router whose routes are for those who may read."""
