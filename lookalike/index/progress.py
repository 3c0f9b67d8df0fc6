"""Progress of work whose steps are counted as they are done."""

from __future__ import annotations

from collections.abc import Callable

from lookalike.index.base import ProgressCallback


def count_steps(progress: ProgressCallback, stage: str, total: int) -> Callable[[int], None]:
    """What is called with how many more of the ``total`` steps are done, and calls ``progress`` with their sum."""
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        progress(stage, done, total)

    return advance
