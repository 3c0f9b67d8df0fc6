"""Commands of ``python -m indexer`` in processes of their own: how they are started, heard and stopped.

The environment is without what would change their work.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from lookalike.options import Places
from lookalike.usage import PREFIX
from lookalike.wiring import preferred_runtime

_LONGEST_LINE = 8 << 20
"""Bytes of an event: the answer of a command about a large collection may be longer, and is then left out."""
_STDERR_BYTES = 8192
"""Bytes of the last that a command says to people, which the log gets if it fails without an error event."""
_READ_BYTES = 1 << 16
_STOP_SECONDS = 10.0
"""Seconds that a process has to end before it is killed."""


def indexer_command(*arguments: str) -> list[str]:
    """The command line; ``--background`` lets the process give way, and end with this one."""
    return [sys.executable, "-m", "indexer", "--background", *arguments]


def indexer_environment(places: Places) -> dict[str, str]:
    """The environment: the address of the database goes by it, as it may have a password in it, and others see flags.

    The service's own variables are left out: keys are nobody else's business, and some are flags of the indexer too.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    environment[f"{PREFIX}RUNTIME"] = preferred_runtime().value
    if places.database_url is not None:
        environment[f"{PREFIX}DATABASE_URL"] = places.database_url
    if places.encoders is not None:
        environment[f"{PREFIX}ENCODERS_DIR"] = str(places.encoders)
    return environment


class IndexerProcess:
    """A running command; made by ``start``. It ends with this process, as its standard input is closed then."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._last_words = b""
        self._stderr_task = asyncio.create_task(self._read_stderr())

    @classmethod
    async def start(cls, command: Sequence[str], environment: Mapping[str, str]) -> IndexerProcess:
        """Start a command that writes JSON lines to stdout; raises OSError."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(environment),
            start_new_session=True,  # decoders have processes of their own, which are stopped with it
        )
        return cls(process)

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Its events until it ends its output; lines that are none, or too long, are left out."""
        stdout = self._process.stdout
        assert stdout is not None
        line, is_too_long = bytearray(), False
        while piece := await stdout.read(_READ_BYTES):
            *ends, rest = piece.split(b"\n")
            for end in ends:
                if not is_too_long and (event := _parse(bytes(line + end))) is not None:
                    yield event
                line.clear()
                is_too_long = False
            if len(line) + len(rest) > _LONGEST_LINE:
                line.clear()
                is_too_long = True
            if not is_too_long:
                line += rest

    async def wait(self) -> int:
        """Its exit code, negative for a signal."""
        await self._stderr_task
        return await self._process.wait()

    async def stop(self) -> None:
        """End it with all that it started: what it has stored is found again by the next run."""
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._process.wait()
        self._stderr_task.cancel()
        await asyncio.gather(self._stderr_task, return_exceptions=True)

    @property
    def last_words(self) -> str:
        """The last line that it said to people."""
        return " ".join(self._last_words.decode(errors="replace").strip().splitlines()[-1:])

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    async def _read_stderr(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        while piece := await stderr.read(_READ_BYTES):
            self._last_words = (self._last_words + piece)[-_STDERR_BYTES:]


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
