"""Paths of the server that jobs may index: those below the folders that the service's operator allows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from service.errors import SourceNotAllowedError


def resolve_allowed(path: str, allowed: Sequence[Path], *, field: str) -> Path:
    """The path without links; raises SourceNotAllowedError unless it exists below a folder that is allowed.

    What does not exist is refused in the same words, so that nobody can find out what there is on the server.
    """
    if not allowed:
        raise SourceNotAllowedError(
            "this service indexes no folders of its own machine: upload a zip, or start it with --allow-sources DIR",
            subject=field,
        )
    try:
        real_path = Path(path).resolve(strict=True)
        is_allowed = any(real_path.is_relative_to(folder.resolve()) for folder in allowed)
    except (OSError, ValueError, RuntimeError):
        is_allowed = False
    if not is_allowed:
        raise SourceNotAllowedError(
            f"{field}: there is nothing at this path below the folders that --allow-sources names", subject=field
        )
    return real_path
