"""Routes that refuse query parameters which they do not have."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import Any

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope, Send

from service.http.body import MULTIPART_FORM, content_type_of, is_picture
from service.http.field_errors import REPEATED_CODE, UNKNOWN_CODE, field_problem, fields_error, unknown_message

PARAMETER = "parameter"
FILTER, FILTER_PAIR = "filter", "filter["
"""Where there is a parameter ``filter``, there are ``filter[NAME]`` and ``filter[NAME][OPERATOR]`` too."""


class StrictRoute(APIRoute):
    """A route that takes the query parameters which the OpenAPI document lists for it, each at most once."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See Starlette's Route; raises FieldInvalidError before a body is read."""
        if scope["query_string"] and scope["method"] in (self.methods or ()):
            self.check_parameters(QueryParams(scope["query_string"]), scope)
        await super().handle(scope, receive, send)

    def check_parameters(self, parameters: QueryParams, scope: Scope) -> None:
        """Raise FieldInvalidError for parameters that are unknown or repeated.

        The fields of a form are parameters where the body of the request is its picture.
        """
        known_names = self.parameter_names
        if self._form_fields and is_picture(content_type_of(scope)):
            known_names = [*known_names, *self._form_fields]
        has_filter = FILTER in known_names
        counts = Counter(
            name for name, _ in parameters.multi_items() if not (has_filter and name.startswith(FILTER_PAIR))
        )
        problems = [
            field_problem(name, UNKNOWN_CODE, self._unknown_message(name, known_names))
            if name not in known_names
            else field_problem(name, REPEATED_CODE, "must be sent once only")
            for name, count in counts.items()
            if name not in known_names or count > 1
        ]
        if problems:
            raise fields_error(problems)

    @cached_property
    def parameter_names(self) -> list[str]:
        """The route's query parameters."""
        return [parameter["name"] for parameter in self._operation.get("parameters", []) if parameter["in"] == "query"]

    def _unknown_message(self, name: str, known_names: list[str]) -> str:
        if name in self._form_fields:
            return "is a field of the form; send it in the body, not in the query string"
        return unknown_message(name, known_names, PARAMETER)

    @cached_property
    def _form_fields(self) -> list[str]:
        form = self._operation.get("requestBody", {}).get("content", {}).get(MULTIPART_FORM, {})
        return list(form.get("schema", {}).get("properties", {}))

    @cached_property
    def _operation(self) -> dict[str, Any]:
        document = get_openapi(title="", version="", routes=[self])
        operations: list[dict[str, Any]] = [
            operation for methods in document["paths"].values() for operation in methods.values()
        ]
        return operations[0] if operations else {}
