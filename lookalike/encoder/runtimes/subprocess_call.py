"""Work in a process of its own, whose memory and loaded modules are released when it ends.

Not by ``multiprocessing``: its ``fork`` copies a process with running threads and held locks, which can deadlock in the
child; ``spawn`` and ``forkserver`` import the program's main module again, with all that it loads, and a program that
uses lookalike without ``if __name__ == "__main__"`` would run twice.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

from lookalike.errors import LookalikeError, coded_errors

_LOG = logging.getLogger(__name__)
_MAX_MESSAGE = 200
"""Characters of an error's message that are passed on: that of a runtime may be pages long."""

WORK_ERRORS = (ImportError, OSError, RuntimeError, ValueError)
"""What work may raise besides a LookalikeError; the caller gets each of these as a RuntimeError."""


def run_in_subprocess(work: Callable[..., None], *arguments: str | int | None) -> None:
    """Call a function of a module in another process of this Python, and wait for its end.

    Warnings that lookalike logs there are logged here. A leaf of LookalikeError that the work raises is raised here,
    any other of its errors as RuntimeError with the same message; OSError if no process can be started.
    """
    call = json.dumps([work.__module__, work.__qualname__, list(arguments)])
    # It finds modules where this process does, however its path was set up.
    module_paths = [str(path) for path in sys.path]
    program = f"import sys; sys.path[:] = {module_paths!r}; from {__name__} import main; main()"
    completed = subprocess.run(
        [sys.executable, "-c", program, call],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        start_new_session=True,  # Ctrl-C in a terminal reaches the waiting process only, which then kills this one
    )
    try:
        report = json.loads(completed.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        last_line = next(reversed(completed.stderr.split("\n")[:-1]), "")
        message = f"the process for it ended with status {completed.returncode} {last_line}".rstrip()
        raise RuntimeError(message) from None
    for words in report["warnings"]:
        _LOG.warning("%s", words)
    if report["error"] is not None:
        raise _error(**report["error"])


def main() -> None:
    """Make the call that the process's argument describes, and print its outcome as the last line."""
    module, name, arguments = json.loads(sys.argv[1])
    error_fields: dict[str, Any] | None = None
    with contextlib.redirect_stdout(sys.stderr), _collect_warnings() as warnings:
        try:
            getattr(importlib.import_module(module), name)(*arguments)
        except LookalikeError as error:
            error_fields = {"code": error.code, "words": error.message, "subject": error.subject}
        except WORK_ERRORS as error:
            error_fields = {"code": None, "words": shorten(error), "subject": None}
    sys.stdout.write(f"\n{json.dumps({'error': error_fields, 'warnings': warnings})}\n")


def shorten(error: Exception) -> str:
    """The message of an error in one short line; the name of its class if it has none."""
    return " ".join(str(error).split())[:_MAX_MESSAGE] or type(error).__name__


def _error(code: str | None, words: str, subject: str | None) -> Exception:
    for kind in coded_errors(LookalikeError):
        if kind.code == code:
            return kind(words, subject=subject)
    return RuntimeError(words)


class _WarningHandler(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())


@contextlib.contextmanager
def _collect_warnings() -> Iterator[list[str]]:
    """A context with the warnings that lookalike logs in it."""
    lines: list[str] = []
    handler, logger = _WarningHandler(lines), logging.getLogger("lookalike")
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
