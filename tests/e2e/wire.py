"""A client that does with a connection what no decent client does: stops halfway, goes on too long, goes away."""

from __future__ import annotations

import json
import select
import socket
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.e2e.processes import PATIENCE

BOUNDARY = "a-boundary"
END = f"\r\n--{BOUNDARY}--\r\n".encode()


def file_head(field: str) -> bytes:
    """What stands before the content of a file in a form."""
    disposition = f'Content-Disposition: form-data; name="{field}"; filename="query.jpg"'
    return f"--{BOUNDARY}\r\n{disposition}\r\nContent-Type: image/jpeg\r\n\r\n".encode()


def form(*pictures: bytes, field: str = "image") -> bytes:
    """The body of a form with these files."""
    return b"\r\n".join(file_head(field) + picture for picture in pictures) + END


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Wire:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def begin(self, path: str, *headers: str) -> None:
        """Send the head of a form."""
        lines = (f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Type: multipart/form-data; boundary={BOUNDARY}")
        self.send("\r\n".join([*lines, *headers, "", ""]).encode())

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._socket.sendall(data)

    def send_chunk(self, data: bytes) -> None:
        """Send a part of a body whose length was not told."""
        self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def has_answer(self, within: float = 0.0) -> bool:
        """Whether something has come back, or comes back in so many seconds."""
        return bool(select.select([self._socket], [], [], within)[0])

    def answer(self) -> Answer:
        """Wait for the next answer, be it final or not."""
        with self._socket.makefile("rb") as file:
            status = int(file.readline().split()[1])
            headers = {}
            while line := file.readline().decode("latin-1").strip():
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            return Answer(status, headers, file.read(int(headers.get("content-length", "0"))))
