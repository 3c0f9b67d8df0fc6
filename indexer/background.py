"""A command that another program started: it gives way to others, and ends with the program that started it."""

from __future__ import annotations

import os
import signal
import sys
import threading

NICENESS = 10


def run_in_background() -> None:
    """Lower this process's priority, and end it when its standard input is closed, as it is when the parent dies.

    Whatever a command writes survives being ended at any moment, so it is ended at once.
    """
    os.nice(NICENESS)
    threading.Thread(target=_wait_for_end_of_input, name="parent", daemon=True).start()


def _wait_for_end_of_input() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
