"""Routes that have to answer hundreds of requests a second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, get_args, get_type_hints

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.types import Receive, Scope, Send

from service.dependencies.auth import check_key
from service.http.path_params import decode_path_part
from service.http.strict_route import StrictRoute
from service.services import services_of
from service.settings import Scope as KeyScope

PARAMETERS: Final = "parameters"
"""The endpoint's argument that holds the parameters of the query string, a pydantic model."""


class FastRoute(StrictRoute):
    """A route for readers whose endpoint is called directly.

    The framework describes it like any other. What it does for each request (resolving dependencies, two exit stacks)
    costs more than a response to a search by key, so it is left out: the endpoint is given ``request``, ``services``,
    the decoded parts of its path, and where it has an argument ``parameters``, the checked query string.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        hint = get_type_hints(endpoint, include_extras=True).get(PARAMETERS)
        self._parameters: type[BaseModel] | None = None if hint is None else get_args(hint)[0]

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See Starlette's Route."""
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        request = Request(scope, receive, send)
        check_key(request, KeyScope.READ)
        if scope["query_string"]:
            self.check_parameters(request.query_params, scope)
        arguments: dict[str, Any] = {name: decode_path_part(value) for name, value in scope["path_params"].items()}
        if self._parameters is not None:
            arguments[PARAMETERS] = _validate(self._parameters, request)
        response = await self.endpoint(request, services_of(request), **arguments)
        await response(scope, receive, send)


def _validate(parameters: type[BaseModel], request: Request) -> BaseModel:
    try:
        return parameters.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False)) from error
