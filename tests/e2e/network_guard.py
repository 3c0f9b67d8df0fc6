"""A program watched: whom it calls beyond this machine, and what it leaves in its user's home."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.e2e import verb_server
from tests.e2e.processes import Program

_SOURCE = Path(__file__).with_suffix(".cpp")
OWN_FOLDER = Path(".cache/lookalike")
"""Where lookalike may write in a home, by its documentation."""


@dataclass(frozen=True)
class WatchedProgram(Program):
    """A program, and all processes that it starts, under ``network_guard.cpp``, in a home of its own.

    Its environment is a bare one: what switches reports off on a server that runs tests must not do so here.
    """

    guard: Path
    home: Path

    def environment(self, **extra: str) -> dict[str, str]:
        """What a process needs to run, and ``extra``; what runs encoders is OpenVINO unless that says otherwise."""
        needed = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        watched = {"HOME": str(self.home), "LD_PRELOAD": str(self.guard), "NETWORK_GUARD_LOG": str(self._log)}
        return {**needed, **watched, "OMP_NUM_THREADS": "1", "LOOKALIKE_RUNTIME": "openvino", **extra}

    def take_traces(self) -> list[str]:
        """Calls beyond this machine, and paths in the home outside ``OWN_FOLDER``, since this was last called."""
        calls = self._log.read_text(encoding="utf-8").splitlines() if self._log.exists() else []
        self._log.unlink(missing_ok=True)
        strays = []
        for path in sorted(self.home.rglob("*"), reverse=True):  # what is in a folder comes before it
            relative = path.relative_to(self.home)
            if not relative.is_relative_to(OWN_FOLDER) and not OWN_FOLDER.is_relative_to(relative):
                strays.append(relative.as_posix())
                if path.is_dir() and not path.is_symlink():
                    path.rmdir()
                else:
                    path.unlink()
        return sorted({*calls, *strays})

    @property
    def _log(self) -> Path:
        return self.guard.with_suffix(".log")


def watch(program: Program, folder: Path) -> WatchedProgram:
    """The same program, watched; the compiled guard, its log and the home are made in ``folder``."""
    guard = folder / "network_guard.so"
    options = ["-std=c++20", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run(["g++", *options, str(_SOURCE), "-o", str(guard)], check=True)
    (folder / "home").mkdir()
    (folder / "work").mkdir()
    return WatchedProgram(program.python, folder / "work", guard, folder / "home")


class VerbServer:
    """A process of ``verb_server.py``."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self._log = log
        self.modules = int(self._read())

    def run(self, arguments: list[str]) -> tuple[int, str]:
        """The exit code of ``python -m indexer`` with these arguments, and what it printed."""
        before = self._log.stat().st_size
        _pipe(self._process.stdin).write(json.dumps(arguments) + "\n")
        _pipe(self._process.stdin).flush()
        code = int(self._read())
        return code, self._log.read_bytes()[before:].decode()

    def _read(self) -> str:
        line = _pipe(self._process.stdout).readline()
        assert line, self._log.read_text(encoding="utf-8")
        return line


@contextmanager
def serve_verbs(program: Program, log: Path) -> Iterator[VerbServer]:
    """A server of verbs in the program's folder and environment, which ends with the block."""
    command = [str(program.python), "-P", str(verb_server.__file__)]
    with (
        log.open("wb") as printed,
        subprocess.Popen(
            command,
            cwd=program.cwd,
            env=program.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=printed,
            text=True,
        ) as process,
    ):
        yield VerbServer(process, log)


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
