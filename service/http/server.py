"""The server, which tells the application that it stops before it waits for the last responses."""

from __future__ import annotations

from collections.abc import Callable
from socket import socket

import uvicorn


class StoppingServer(uvicorn.Server):
    """Calls ``on_stop`` when it is about to stop: responses without an end would be waited for in vain."""

    def __init__(self, config: uvicorn.Config, on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_stop = on_stop

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """See uvicorn.Server."""
        self._on_stop()
        await super().shutdown(sockets)
