"""The installed wheel's programs as processes of their own, and what they say on stderr."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

from tests.conftest import USERS_RUNTIME

PATIENCE = 120.0
"""Seconds after which a test gives up waiting; nothing is expected to take as long, even on a busy machine."""
T = TypeVar("T")


def eventually(look: Callable[[], T], what: str) -> T:
    """What ``look`` gives as soon as it is something true."""
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError(f"this did not happen: {what}")


@dataclass(frozen=True)
class Program:
    """The Python of an environment with the wheel in it; it runs in ``cwd`` and sees nothing of the checkout."""

    python: Path
    cwd: Path

    def environment(self, **extra: str) -> dict[str, str]:
        """This process's environment without what would configure the program, but for what runs encoders."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LOOKALIKE_", "PYTHON", "XDG_")) and name != "PORT"
        }
        told = {"OMP_NUM_THREADS": "1", "HOME": str(self.cwd), "LOOKALIKE_RUNTIME": USERS_RUNTIME}
        return {**kept, **told, **extra}

    def run(self, *arguments: str | Path, **extra: str) -> subprocess.CompletedProcess[str]:
        """``python`` with these arguments, to its end."""
        return subprocess.run(
            [str(self.python), *map(str, arguments)],
            cwd=self.cwd,
            env=self.environment(**extra),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def index(self, source: Path, collection: str, data: Path) -> dict[str, Any]:
        """The answer of ``python -m indexer index``, which must go well."""
        ended = self.run("-m", "indexer", "index", source, "-c", collection, "--data", data, "--json")
        assert ended.returncode == 0, ended.stderr
        answer: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
        return answer

    def serve(self, log: Path, *arguments: str | Path, cwd: Path | None = None, **extra: str) -> Served:
        """``python -m service`` with these arguments, listening, but perhaps not ready yet."""
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                [str(self.python), "-m", "service", *map(str, arguments)],
                cwd=cwd or self.cwd,
                env=self.environment(**extra),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )
        served = Served(process, log)
        try:
            served.wait_until_it_listens()
        except BaseException:
            served.kill()
            raise
        return served


class Served:
    """A service that runs."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log
        # Every request has a connection of its own: one that is kept may be closed just as it is used again.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._client = httpx.Client(limits=limits, timeout=PATIENCE, trust_env=False)
        self.port = 0

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> list[dict[str, Any]]:
        """The whole lines that it has logged, each of which must be a JSON object."""
        text = self._log.read_text(encoding="utf-8")
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def events(self, event: str) -> list[dict[str, Any]]:
        """Its log lines of one kind."""
        return [line for line in self.log if line["event"] == event]

    def until(self, look: Callable[[], T], what: str) -> T:
        """What ``look`` gives as soon as it is something true, unless the service fails meanwhile."""

        def found() -> T:
            assert self._process.poll() is None, self._log.read_text(encoding="utf-8")
            self.must_be_well()
            return look()

        return eventually(found, what)

    def must_be_well(self) -> None:
        """There is no stack trace in its log."""
        for line in self.log:
            assert "exception" not in line, line

    def wait_until_it_listens(self) -> None:
        """Learn its port from its log."""

        def port() -> int:
            return next((int(found[1]) for line in self.log if (found := _LISTENING.match(line["event"]))), 0)

        self.port = self.until(port, "the service listens")

    def wait_until_ready(self) -> None:
        """Wait until it can answer."""
        self.until(lambda: self.get("/ready").status_code == 200, "the service is ready")

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """The answer to a GET."""
        return self._client.get(self.url + path, headers=headers)

    def post(self, path: str, headers: Mapping[str, str] | None = None, **pictures: bytes | Path) -> httpx.Response:
        """The answer to a form with these files."""
        contents = {name: file.read_bytes() if isinstance(file, Path) else file for name, file in pictures.items()}
        files = {name: ("query.jpg", content) for name, content in contents.items()}
        return self._client.post(self.url + path, headers=headers, files=files)

    def in_flight(self) -> int:
        """How much it is working on, as /health says."""
        count: int = self.get("/health").json()["in_flight"]
        return count

    def uploading(self) -> int:
        """How many bytes of bodies it holds or awaits, as /health says."""
        count: int = self.get("/health").json()["uploading"]
        return count

    def abandoned(self) -> float:
        """Requests whose client left, as /metrics says."""
        (line,) = re.findall(r"^lookalike_abandoned_total (\S+)$", self.get("/metrics").text, re.MULTILINE)
        return float(line)

    def memory(self) -> int:
        """Bytes of memory that are its own at this moment."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        (kibibytes,) = re.findall(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
        return int(kibibytes) * 1024

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def ended(self) -> int:
        """Its exit code, once it has one."""
        return self._process.wait(PATIENCE)

    def stop(self) -> None:
        """Ask it to stop; that must be a good end, without a stack trace anywhere in its log."""
        try:
            self.tell(signal.SIGTERM)
            assert self.ended() == 0
            self.must_be_well()
        finally:
            self.kill()

    def kill(self) -> None:
        """End it, whatever it does."""
        self._client.close()
        self._process.kill()
        self._process.wait()


_LISTENING = re.compile(r"Uvicorn running on http://[\d.]+:(\d+)")
