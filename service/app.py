"""The application: routes, what surrounds them, and what they share."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Match
from starlette.staticfiles import StaticFiles

from lookalike.errors import LookalikeError
from service.dependencies.fast_route import FastRoute
from service.errors import (
    CollectionFailedError,
    FormInvalidError,
    MethodNotAllowedError,
    PathNotFoundError,
    RequestError,
    UploadError,
)
from service.http.field_errors import fields_error, validation_problems
from service.http.middleware import RequestMiddleware
from service.http.problems import LOGGED_CODES, PublicError, problem_response
from service.http.strict_route import PARAMETER
from service.openapi import describe
from service.routes import (
    calibrations,
    check,
    collection_changes,
    collections,
    compare,
    duplicates,
    filtered_changes,
    item_changes,
    items,
    jobs,
    map,
    operations,
    page,
    search,
    snapshots,
    uploads,
)
from service.services import run_services
from service.settings import Settings, SettingsError
from service.telemetry.metrics import Metrics

_LOG = logging.getLogger(__name__)
ROUTE_MODULES = (
    *(search, compare, check, collections, collection_changes, snapshots, calibrations, duplicates, map),
    *(items, filtered_changes, item_changes, jobs, uploads, operations, page),
)
CORS_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
CORS_REQUEST_HEADERS = (
    *("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-ID", "X-Request-ID"),
    *("Tus-Resumable", "Upload-Length", "Upload-Metadata", "Upload-Offset"),
)
CORS_RESPONSE_HEADERS = (
    *("Content-Disposition", "ETag", "Idempotent-Replayed", "Location", "Retry-After", "Server-Timing", "X-Request-ID"),
    *("X-Snapshot", "Tus-Extension", "Tus-Max-Size", "Tus-Resumable", "Tus-Version", "Upload-Length", "Upload-Offset"),
)
"""What pages of other sites may read besides the few headers that browsers let them read anyway."""


def create_app(settings: Settings) -> FastAPI:
    """The application; nothing is loaded before it starts. Raises SettingsError for settings that are unsafe."""
    settings.check()
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with run_services(settings, metrics) as services:
            app.state.services = services
            yield

    app = FastAPI(
        title="lookalike",
        version=version("lookalike"),
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    # All in one list: a router within a router is searched twice.
    for module in ROUTE_MODULES:
        app.router.routes.extend(module.router.routes)
    app.mount("/static", page.PageFiles(directory=page.STATIC), name="static")
    app.mount("/docs/assets", StaticFiles(directory=page.REFERENCE_FILES), name="reference")
    for kind in (LookalikeError, RequestError, UploadError, CollectionFailedError):
        app.add_exception_handler(kind, _respond_to_error)
    app.add_exception_handler(RequestValidationError, _respond_to_validation_error)
    app.add_exception_handler(HTTPException, _respond_to_http_exception)
    app.add_middleware(RequestMiddleware, metrics=metrics, settings=settings)
    if settings.cors_origins:
        # Outermost: refusals of the middleware within have its headers too, else a page could not read why.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=CORS_METHODS,
            allow_headers=CORS_REQUEST_HEADERS,
            expose_headers=CORS_RESPONSE_HEADERS,
        )
    describe(app, settings.root_path)
    # A request's path is compared with one route after the other: those with the most requests are first.
    app.router.routes.sort(key=lambda route: not isinstance(route, FastRoute))
    _check_root_path(app, settings.root_path)
    return app


def _check_root_path(app: FastAPI, root_path: str) -> None:
    """Raise SettingsError for a path that cannot be told from the service's own."""
    own = {str(getattr(route, "path", "")).split("/")[1] for route in app.routes if getattr(route, "path", "")}
    if root_path and root_path.split("/")[1] in own:
        raise SettingsError(f"{root_path} begins as a path of the service itself does: choose another --root-path")


async def _respond_to_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PublicError)
    request.state.code = error.code
    if error.code in LOGGED_CODES:
        _LOG.error("refused", extra={"code": error.code, "why": error.message})
    return problem_response(error, path=request.url.path, request_id=request.state.request_id)


async def _respond_to_validation_error(request: Request, error: Exception) -> Response:
    """A query parameter out of range, in the same form as a form's field."""
    assert isinstance(error, RequestValidationError)
    # A parameter on its own is told with where it was, as ("query", "limit"); one of a class of them without.
    errors = [{**entry, "loc": entry["loc"][-1:]} for entry in error.errors()]
    problems = validation_problems(errors, {}, kind=PARAMETER)
    return await _respond_to_error(request, fields_error(problems))


async def _respond_to_http_exception(request: Request, error: Exception) -> Response:
    """What the framework itself refuses."""
    assert isinstance(error, HTTPException)
    errors: dict[int, RequestError] = {
        404: PathNotFoundError("this path does not exist; GET /docs lists those that do"),
        405: MethodNotAllowedError(f"{request.method[:20]} is not allowed here; the header Allow lists what is"),
    }
    response = await _respond_to_error(request, errors.get(error.status_code, FormInvalidError(str(error.detail))))
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    if error.status_code == 405:
        response.headers["Allow"] = ", ".join(_allowed_methods(request))
    return response


def _allowed_methods(request: Request) -> list[str]:
    """The methods of all routes of a request's path: the framework names those of the first one alone."""
    allowed: set[str] = set()
    for route in request.app.router.routes:
        match, _ = route.matches(request.scope)
        if match is not Match.NONE:
            allowed |= getattr(route, "methods", None) or {"GET", "HEAD"}
    return sorted(allowed)
