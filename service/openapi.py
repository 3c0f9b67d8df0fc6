"""The OpenAPI document: what the routes say of themselves, and what all of them have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from service.dependencies.auth import SCHEME
from service.http.json_form import IN_JSON
from service.http.problems import MEDIA_TYPE, Problem

DESCRIPTION = """Image similarity search: post a picture, get the indexed pictures most like it.

Errors are `application/problem+json` with a stable `code`. Scores are cosines, -1 to 1; `normalized_score` is
(cosine + 1) / 2. Every answer has `X-Request-ID`; answers from a collection have `X-Snapshot`.
"""


def describe(app: FastAPI, root_path: str) -> None:
    """Make ``app.openapi()`` give the whole document, its paths in the order in which the routes are now.

    The paths are below ``root_path``.
    """
    routes = list(app.routes)

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, routes) | ({"servers": [{"url": root_path}]} if root_path else {})
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # the framework's documented way


def _document(app: FastAPI, routes: Sequence[BaseRoute]) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=routes)
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs", {}) | {"Problem": problem}
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    components["securitySchemes"] = {"key": SCHEME}
    document["security"] = [{}, {"key": []}]
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            # What forms refer to stands with them, since a route does not know the whole document.
            for content in operation.get("requestBody", {}).get("content", {}).values():
                schemas |= content["schema"].pop("$defs", {})
            operation["responses"]["default"] = {
                "description": "What went wrong.",
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }
    _remove(document, IN_JSON)
    return document


def _remove(value: Any, name: str) -> None:
    """Remove members of this name at every depth."""
    if isinstance(value, dict):
        value.pop(name, None)
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _remove(part, name)
