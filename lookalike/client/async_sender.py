"""The same for programs with an event loop; see ``sender``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import anyio
import anyio.to_thread
import httpx2

from lookalike.client.call import Call, event_response
from lookalike.client.connection import DEFAULT_RETRIES, DEFAULT_TIMEOUT, http_arguments, part_path, retry_policy
from lookalike.client.pages import Page
from lookalike.client.retries import check_status, connection_error, stream_error

T = TypeVar("T")
P = TypeVar("P", bound=Page)


class AsyncSender:
    """Base of the asynchronous client: its connections, and how they are used."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        retries: int = DEFAULT_RETRIES,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx2.AsyncClient(**http_arguments(base_url, api_key, timeout), transport=transport)
        self._policy = retry_policy(retries)

    async def aclose(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _pages(self, page_call: Callable[[str | None], Call[P]]) -> AsyncIterator[P]:
        cursor: str | None = None
        while True:
            page = await self._send(page_call(cursor))
            yield page
            cursor = page.next_cursor
            if cursor is None:
                return

    async def _events(self, call: Call[T], is_last: Callable[[T], bool]) -> AsyncIterator[T]:
        """What the events of a stream say, each read as an answer, until the last one; a lost stream is asked again."""
        attempt = 0
        while True:
            try:
                async with self._http.sse(call.path) as source:
                    response = source.response
                    if not response.is_success:
                        await response.aread()
                        delay = self._policy.delay_after_response(response, attempt)
                    else:
                        async for event in source:
                            attempt = 0
                            result = call.read(event_response(event, response))
                            yield result
                            if is_last(result):
                                return
                        delay = self._policy.delay_after_end(attempt)
            except httpx2.RequestError as error:
                delay = self._policy.delay_after_error(call, error, attempt)
                if delay is None:
                    raise connection_error(call, self._http.base_url, error) from error
            if delay is None:
                raise stream_error(call, response)
            await anyio.sleep(delay)
            attempt += 1

    async def _download(self, call: Call[bytes], out: Path) -> Path:
        """See ``Sender``."""
        part = part_path(out)
        attempt = 0
        try:
            while True:
                try:
                    async with self._http.stream(call.method, call.path) as response:
                        if response.is_success:
                            async with await anyio.open_file(part, "wb") as file:
                                async for piece in response.aiter_bytes():
                                    await file.write(piece)
                            return part.replace(out)
                        await response.aread()
                        delay = self._policy.delay_after_response(response, attempt)
                except httpx2.RequestError as error:
                    delay = self._policy.delay_after_error(call, error, attempt)
                    if delay is None:
                        raise connection_error(call, self._http.base_url, error) from error
                if delay is None:
                    raise stream_error(call, response)
                await anyio.sleep(delay)
                attempt += 1
        finally:
            part.unlink(missing_ok=True)

    async def _send(self, call: Call[T]) -> T:
        arguments = await anyio.to_thread.run_sync(call.arguments) if call.pictures else call.arguments()
        # One request for all tries: its boundary and its Idempotency-Key stay the same.
        request = self._http.build_request(call.method, call.path, **arguments)
        attempt = 0
        while True:
            try:
                response = await self._http.send(request)
            except httpx2.RequestError as error:
                delay = self._policy.delay_after_error(call, error, attempt)
                if delay is None:
                    raise connection_error(call, self._http.base_url, error) from error
            else:
                delay = self._policy.delay_after_response(response, attempt)
                if delay is None:
                    return call.read(check_status(response))
            await anyio.sleep(delay)
            attempt += 1
