"""The application: routes, what surrounds them, and what they share."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
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
    check,
    collection_changes,
    collections,
    compare,
    duplicates,
    item_changes,
    items,
    operations,
    page,
    search,
)
from service.services import run_services
from service.settings import Settings
from service.telemetry.metrics import Metrics

_LOG = logging.getLogger(__name__)


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
    for module in (
        search,
        compare,
        check,
        collections,
        collection_changes,
        duplicates,
        items,
        item_changes,
        operations,
        page,
    ):
        app.router.routes.extend(module.router.routes)
    app.mount("/static", page.PageFiles(directory=page.STATIC), name="static")
    app.mount("/docs/assets", StaticFiles(directory=page.REFERENCE_FILES), name="reference")
    app.add_exception_handler(LookalikeError, _respond_to_error)
    app.add_exception_handler(RequestError, _respond_to_error)
    app.add_exception_handler(UploadError, _respond_to_error)
    app.add_exception_handler(CollectionFailedError, _respond_to_error)
    app.add_exception_handler(RequestValidationError, _respond_to_validation_error)
    app.add_exception_handler(HTTPException, _respond_to_http_exception)
    app.add_middleware(RequestMiddleware, metrics=metrics, allowed_hosts=settings.allowed_hosts)
    describe(app)
    # A request's path is compared with one route after the other: those with the most requests are first.
    app.router.routes.sort(key=lambda route: not isinstance(route, FastRoute))
    return app


async def _respond_to_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PublicError)
    request.state.code = error.code
    if error.code in LOGGED_CODES:
        _LOG.error("refused", extra={"code": error.code, "why": error.message})
    return problem_response(error, path=request.url.path, request_id=request.state.request_id)


async def _respond_to_validation_error(request: Request, error: Exception) -> Response:
    """A query parameter out of range, in the same form as a form's field."""
    assert isinstance(error, RequestValidationError)
    problems = validation_problems(error.errors(), (), kind=PARAMETER, name_at=-1)
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
    return response
