"""Authorization: bearer keys with a scope, if the service has any."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from fastapi import Depends, Request

from service.access import current_access
from service.errors import ForbiddenError, UnauthorizedError
from service.http.middleware import bearer_key
from service.http.path_params import decode_path_part
from service.services import services_of
from service.settings import Grant, Scope

SCHEME = {"type": "http", "scheme": "bearer", "description": "Only if the service has API keys."}


def _refuse_other_sites(request: Request) -> None:
    """Raise ForbiddenError for what a page of another site sends: without keys a browser sends it for anybody.

    Sites that the settings name may send it.
    """
    origin = request.headers.get("origin")
    if origin is None or origin in services_of(request).settings.cors_origins:
        return
    if urlsplit(origin).netloc != request.headers.get("host"):
        raise ForbiddenError("a page of another site may not change anything here")


def client_digest(request: Request) -> str:
    """A digest of the key that a request sends; the same for all requests without one."""
    key = bearer_key(request.headers.get("authorization", ""))
    return sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def require(scope: Scope, *, every_collection: bool = False) -> Callable[[Request], Coroutine[Any, Any, None]]:
    """A dependency that lets requests with a key of this scope pass; all of them if the service has no keys.

    With ``every_collection`` the key must be for all collections. It raises UnauthorizedError and ForbiddenError.
    """

    async def check(request: Request) -> None:
        check_key(request, scope)
        if every_collection and current_access.get().is_limited:
            raise ForbiddenError("this API key is for some collections; this request needs one for all of them")

    return check


def check_key(request: Request, required_scope: Scope) -> None:
    """Raise UnauthorizedError or ForbiddenError unless a request has a key of this scope, or the service no keys.

    Where the path names a collection the key has to be for that one, whether or not it exists.
    """
    if not services_of(request).settings.keys:
        if required_scope is Scope.WRITE:
            _refuse_other_sites(request)
        return
    grant: Grant | None = request.state.grant
    if grant is None:
        if not bearer_key(request.headers.get("authorization", "")):
            raise UnauthorizedError("this service requires an API key: send the header Authorization: Bearer KEY")
        raise UnauthorizedError("this API key is not valid")
    if required_scope is Scope.WRITE and grant.scope is not Scope.WRITE:
        raise ForbiddenError("this API key has scope read; this request needs scope write")
    name = request.path_params.get("name")
    if name is not None:
        grant.access.require(decode_path_part(name))


READERS = (Depends(require(Scope.READ)),)
"""The dependencies of a router whose routes are for those who may read."""
