"""Work in a process of its own: what it loads and takes in memory is gone when it is done."""

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
_LONGEST = 200
"""How much of an error's words is handed on: what runs networks may say pages."""

EXPECTED = (ImportError, OSError, RuntimeError, ValueError)
"""What work may raise beside a LookalikeError; all of these become a RuntimeError here."""


def run_in_subprocess(work: Callable[..., None], *arguments: str | int | None) -> None:
    """Call a function of a module in another process of this Python, and wait for its end.

    What is logged there as a warning of lookalike's is logged here. A leaf of LookalikeError that the work raises is
    raised here, any other of its errors as RuntimeError in the same words; OSError if there can be no process.
    """
    call = json.dumps([work.__module__, work.__qualname__, list(arguments)])
    # It looks for modules where this one does, in whatever way that came about.
    places = [str(place) for place in sys.path]
    program = f"import sys; sys.path[:] = {places!r}; from {__name__} import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", program, call],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        start_new_session=True,  # a terminal's Ctrl-C is for who waits, who then ends this one
    )
    try:
        report = json.loads(ended.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        last = next(reversed(ended.stderr.split("\n")[:-1]), "")
        raise RuntimeError(f"the process for it ended with status {ended.returncode} {last}".rstrip()) from None
    for words in report["warnings"]:
        _LOG.warning("%s", words)
    if report["error"] is not None:
        raise _error(**report["error"])


def main() -> None:
    """What the other process does: the call that its argument describes; what came of it is its last line."""
    module, name, arguments = json.loads(sys.argv[1])
    error_fields: dict[str, Any] | None = None
    with contextlib.redirect_stdout(sys.stderr), _collected() as warnings:
        try:
            getattr(importlib.import_module(module), name)(*arguments)
        except LookalikeError as error:
            error_fields = {"code": error.code, "words": error.message, "subject": error.subject}
        except EXPECTED as error:
            error_fields = {"code": None, "words": shorten(error), "subject": None}
    sys.stdout.write(f"\n{json.dumps({'error': error_fields, 'warnings': warnings})}\n")


def shorten(error: Exception) -> str:
    """The words of an error in one line that is not long; its class if it has none."""
    return " ".join(str(error).split())[:_LONGEST] or type(error).__name__


def _error(code: str | None, words: str, subject: str | None) -> Exception:
    for kind in coded_errors(LookalikeError):
        if kind.code == code:
            return kind(words, subject=subject)
    return RuntimeError(words)


class _Collecting(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())


@contextlib.contextmanager
def _collected() -> Iterator[list[str]]:
    """The warnings of lookalike's that are logged meanwhile."""
    lines: list[str] = []
    handler, logger = _Collecting(lines), logging.getLogger("lookalike")
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
