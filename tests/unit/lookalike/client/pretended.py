"""A service that is pretended: it answers what a test says, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx2

from lookalike.client import AsyncClient, Client

T = TypeVar("T")
ADDRESS = "http://shop.example/images"
VERSION = {"version": "1", "python": "3", "torch": "2", "faiss": "1"}


def problem(status: int, code: str, **fields: Any) -> dict[str, Any]:
    """A problem document as the service words it."""
    words = {"type": "about:blank", "title": "A title", "detail": "what is wrong", "instance": "/x", "errors": []}
    return {**words, "status": status, "code": code, "request_id": "a-1", **fields}


def answer(status: int, body: object, **headers: str) -> httpx2.Response:
    """An answer of JSON; underscores in names of headers are dashes."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, content=json.dumps(body), headers={"content-type": "application/json", **sent})


@dataclass
class Pretended:
    """Answers one request after the other with ``answers``, of which an exception is raised, and the last one stays."""

    answers: list[httpx2.Response | type[httpx2.RequestError]]
    requests: list[httpx2.Request] = field(default_factory=list)

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        self.requests.append(request)
        outcome = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(outcome, type):
            raise outcome("it was pretended", request=request)
        return httpx2.Response(outcome.status_code, content=outcome.content, headers=outcome.headers)

    def client(self, **options: Any) -> Client:
        return Client(ADDRESS, transport=httpx2.MockTransport(self.handle), **options)

    def run_async(self, work: Callable[[AsyncClient], Awaitable[T]], **options: Any) -> T:
        async def run() -> T:
            async with AsyncClient(ADDRESS, transport=httpx2.MockTransport(self.handle), **options) as client:
                return await work(client)

        return asyncio.run(run())

    @property
    def paths(self) -> list[str]:
        """Method and path of each request, as they were sent."""
        return [f"{request.method} {request.url.raw_path.decode()}" for request in self.requests]
