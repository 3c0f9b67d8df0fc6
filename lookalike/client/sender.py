"""Sends calls over the connections of one client, again where that helps, and reads their answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import httpx2

from lookalike.client.call import Call, event_response
from lookalike.client.connection import DEFAULT_RETRIES, DEFAULT_TIMEOUT, http_arguments, part_path, retry_policy
from lookalike.client.pages import Page
from lookalike.client.retries import check_status, connection_error, stream_error

T = TypeVar("T")
P = TypeVar("P", bound=Page)


class Sender:
    """Base of the client: its connections, and how they are used."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        retries: int = DEFAULT_RETRIES,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._http = httpx2.Client(**http_arguments(base_url, api_key, timeout), transport=transport)
        self._policy = retry_policy(retries)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _pages(self, page_call: Callable[[str | None], Call[P]]) -> Iterator[P]:
        cursor: str | None = None
        while True:
            page = self._send(page_call(cursor))
            yield page
            cursor = page.next_cursor
            if cursor is None:
                return

    def _events(self, call: Call[T], is_last: Callable[[T], bool]) -> Iterator[T]:
        """What the events of a stream say, each read as an answer, until the last one; a lost stream is asked again."""
        attempt = 0
        while True:
            try:
                with self._http.sse(call.path) as source:
                    response = source.response
                    if not response.is_success:
                        response.read()
                        delay = self._policy.delay_after_response(response, attempt)
                    else:
                        for event in source:
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
            time.sleep(delay)
            attempt += 1

    def _download(self, call: Call[bytes], out: Path) -> Path:
        """Write the content of an answer to a file, which it may be larger than memory; again from its beginning."""
        part = part_path(out)
        attempt = 0
        try:
            while True:
                try:
                    with self._http.stream(call.method, call.path) as response:
                        if response.is_success:
                            with part.open("wb") as file:
                                file.writelines(response.iter_bytes())
                            return part.replace(out)
                        response.read()
                        delay = self._policy.delay_after_response(response, attempt)
                except httpx2.RequestError as error:
                    delay = self._policy.delay_after_error(call, error, attempt)
                    if delay is None:
                        raise connection_error(call, self._http.base_url, error) from error
                if delay is None:
                    raise stream_error(call, response)
                time.sleep(delay)
                attempt += 1
        finally:
            part.unlink(missing_ok=True)

    def _send(self, call: Call[T]) -> T:
        arguments = call.arguments()
        # One request for all tries: its boundary and its Idempotency-Key stay the same.
        request = self._http.build_request(call.method, call.path, **arguments)
        attempt = 0
        while True:
            try:
                response = self._http.send(request)
            except httpx2.RequestError as error:
                delay = self._policy.delay_after_error(call, error, attempt)
                if delay is None:
                    raise connection_error(call, self._http.base_url, error) from error
            else:
                delay = self._policy.delay_after_response(response, attempt)
                if delay is None:
                    return call.read(check_status(response))
            time.sleep(delay)
            attempt += 1
