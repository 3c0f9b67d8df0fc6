"""The real application in this process, without a socket, and the real indexer to fill what it serves."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI

from indexer.console.reporter import JsonReporter
from indexer.ingest.pipeline import PipelineOptions
from indexer.ingest.run import IndexRequest, RunOptions, index_collection
from lookalike.catalogue.records import CollectionSettings
from lookalike.collection.builder import BuildOptions
from lookalike.options import EncoderRequest, ImageLimits, Places
from lookalike.wiring import open_catalogue
from service.app import create_app
from service.services import Services
from service.settings import Settings

T = TypeVar("T")
File = tuple[str, bytes]
BOUNDARY = "a-boundary"
MULTIPART = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}


class Service:
    """An application that runs, and a client that speaks HTTP with it."""

    def __init__(self, app: FastAPI, portal: BlockingPortal, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        self.headers: dict[str, str] = {}
        self._portal = portal

    @property
    def services(self) -> Services:
        """What the application's requests share."""
        services: Services = self.app.state.services
        return services

    def call(self, work: Callable[..., Awaitable[T]], *arguments: object) -> T:
        """What ``work`` gives, done in the application's event loop."""
        return self._portal.call(work, *arguments)

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request; to be awaited in the application's event loop."""
        headers = self.headers | options.pop("headers", {})
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, headers=headers, **options)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request, from this thread."""

        async def work() -> httpx.Response:
            return await self.ask(method, path, **options)

        return self.call(work)

    def get(self, path: str, **options: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """POST."""
        return self.request("POST", path, **options)

    def search(self, picture: bytes | None = None, **fields: object) -> httpx.Response:
        """POST /search with a picture, or with what ``fields`` name."""
        data = {name: str(value) for name, value in fields.items()}
        return self.post("/search", data=data, files={"image": ("query.png", picture)} if picture is not None else None)

    def wait_until_ready(self) -> None:
        """Return when /ready answers 200."""
        self.wait_for(lambda: self.get("/ready").status_code == 200, "/ready answers 200")

    def wait_for(self, holds: Callable[[], bool], what: str) -> None:
        """Return when something holds; fails if it has not come about after a minute."""
        patience, pause = time.monotonic() + 60, 0.01
        while not holds():
            assert time.monotonic() < patience, f"it did not come about that {what}"
            time.sleep(pause)
            pause = min(1.5 * pause, 0.1)  # looking takes as long as what a job's process does in the meantime


@contextmanager
def starting(data: Path, **options: Any) -> Iterator[Service]:
    """An application over a data folder, from its start on; ``options`` are those of Settings."""
    places = options.pop("places", None) or Places(data, encoders=data / "encoders")
    settings = Settings(places, **options)
    app = create_app(settings)
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(app.router.lifespan_context(app)),
    ):
        yield Service(app, portal, settings)


@contextmanager
def serving(data: Path, **options: Any) -> Iterator[Service]:
    """The same, once it is ready."""
    with starting(data, **options) as service:
        service.wait_until_ready()
        yield service


def index(
    data: Path,
    name: str,
    source: Path,
    encoder: str = "bundled",
    *,
    input_size: int | None = None,
    reencode: bool = False,
) -> int:
    """Index a source into a collection as the command does, whatever it has lost; the number of the snapshot."""
    places = Places(data, encoders=data / "encoders")
    limits = ImageLimits()
    settings = CollectionSettings("faiss-flat", 3, limits.max_bytes, limits.max_pixels)
    catalogue = open_catalogue(places)
    try:
        summary = index_collection(
            places,
            IndexRequest(name, str(source), None, EncoderRequest(encoder, input_size=input_size)),
            catalogue=catalogue,
            options=RunOptions(
                PipelineOptions(limits=limits),
                BuildOptions(settings, allow_other_encoder=reencode),
                allow_removals=True,
            ),
            reporter=JsonReporter(out=io.StringIO()),
        )
    finally:
        catalogue.close()
    return summary.manifest.generation


def item_path(key: str, part: str = "", collection: str = "shop") -> str:
    """The path of an item, or of a part of it such as its image."""
    return f"/collections/{collection}/items/{quote(key, safe='')}" + (f"/{part}" if part else "")


def part(name: str, content: bytes, filename: str | None = None) -> bytes:
    """One part of a multipart body, without the boundary that ends the body."""
    file = "" if filename is None else f'; filename="{filename}"'
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    return head.encode() + content + b"\r\n"


def body(*parts: bytes) -> bytes:
    """A whole multipart body."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


class Trickle:
    """A body that comes in pieces, and that counts how many were fetched; it can stop before the last one."""

    def __init__(self, *pieces: bytes, go_on: asyncio.Event | None = None) -> None:
        """``go_on`` is awaited before the last piece."""
        self._pieces = pieces
        self._go_on = go_on
        self.fetched = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for number, piece in enumerate(self._pieces, start=1):
            if number == len(self._pieces) and self._go_on is not None:
                await self._go_on.wait()
            self.fetched += 1
            yield piece


def without_times(answer: Mapping[str, Any]) -> dict[str, Any]:
    """An answer without what differs from one time to the next."""
    return {name: value for name, value in answer.items() if name != "took_ms"}


async def leave(service: Service, content: bytes, *, in_the_middle: bool) -> list[Any]:
    """POST /search by a client that leaves: in the middle of its upload, or while it waits. What it was sent."""
    sent: list[Any] = []
    pieces = [content[:50]] if in_the_middle else [content]

    async def receive() -> dict[str, Any]:
        if pieces:
            return {"type": "http.request", "body": pieces.pop(), "more_body": in_the_middle}
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = {"host": "localhost"} | MULTIPART
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/search",
        "raw_path": b"/search",
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await service.app(scope, receive, send)
    return sent
