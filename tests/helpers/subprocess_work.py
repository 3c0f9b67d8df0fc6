"""Functions that tests have called in another process."""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path

from lookalike.errors import WeightsInvalidError


def write(path: str, number: int, nothing: None) -> None:
    """Say which process this is, what it was given, and something on the side."""
    sys.stdout.write("a library that talks\n")
    logging.getLogger("lookalike.encoder").warning("%s is full", "the cupboard")
    Path(path).write_text(f"{os.getpid()} {number} {nothing}", encoding="utf-8")


def refuse(path: str) -> None:
    """Raise an error of lookalike's."""
    raise WeightsInvalidError(f"{path} is damaged; fetch it again", subject=path)


def fail() -> None:
    """Raise what a library raises that lacks something."""
    raise ImportError("no such\n   layer")


def die() -> None:
    """End as a process does for which there is no memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def stumble() -> None:
    """Raise what nobody expects."""
    raise KeyError("stage")
