"""Routes that are asked hundreds of times a second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, get_args, get_type_hints

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.types import Receive, Scope, Send

from service.dependencies.auth import check_key
from service.http.path_params import decoded
from service.services import services_of
from service.settings import Scope as KeyScope

QUESTION: Final = "asked"
"""The endpoint's parameter that holds the fields of the query string, a pydantic model."""


class PlainRoute(APIRoute):
    """A route for readers whose endpoint is called as it stands.

    The framework describes it like any other. What it does for each request (finding dependencies, two stacks of what
    is to be closed) costs more than the answer to a key, so it is left out: the endpoint is given ``request``,
    ``services``, the parts of its path, decoded, and where it has a parameter ``asked``, the checked query string.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        hint = get_type_hints(endpoint, include_extras=True).get(QUESTION)
        self._question: type[BaseModel] | None = None if hint is None else get_args(hint)[0]

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See Starlette's Route."""
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        request = Request(scope, receive, send)
        check_key(request, KeyScope.READ)
        arguments: dict[str, Any] = {name: decoded(value) for name, value in scope["path_params"].items()}
        if self._question is not None:
            arguments[QUESTION] = _checked(self._question, request)
        response = await self.endpoint(request, services_of(request), **arguments)
        await response(scope, receive, send)


def _checked(question: type[BaseModel], request: Request) -> BaseModel:
    try:
        return question.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False)) from error
