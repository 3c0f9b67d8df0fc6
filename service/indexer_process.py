"""How the service starts ``python -m indexer``: the command, and an environment without what would change its work."""

from __future__ import annotations

import os
import sys

from lookalike.options import Places
from lookalike.usage import PREFIX
from lookalike.wiring import preferred_runtime


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
