"""``python -m indexer``: runs the command line and turns errors into one sentence and an exit code.

0 success, 1 failed, 2 wrong usage, 3 finished but some pictures were rejected (or, for ``verify``, have changed since),
4 ``compare`` found the pictures not similar, 5 a source has lost so much that nothing was published, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lookalike.errors import LookalikeError, SourceShrunkError
from lookalike.usage import unknown_variables

YES = frozenset({"1", "true", "t", "yes", "y", "on"})
ROOT_OPTIONS = frozenset(
    {"--help", "--version", "--runtime", "--background", "--install-completion", "--show-completion"}
)


def with_verb(arguments: list[str], verbs: frozenset[str]) -> list[str]:
    """The arguments with a missing verb filled in: ``reindex`` for no arguments, ``index`` for a path.

    ``encoders list`` is ``encoders``, which lists without a verb of its own.
    """
    is_alone = bool(arguments) and (arguments[0] == "--background" or arguments[0].startswith("--runtime="))
    leading_count = 2 if arguments[:1] == ["--runtime"] else int(is_alone)
    if 0 < leading_count <= len(arguments):  # these come before any verb
        return [*arguments[:leading_count], *with_verb(arguments[leading_count:], verbs)]
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ROOT_OPTIONS):
        return ["reindex", *arguments]
    if arguments[:2] == ["encoders", "list"]:
        return ["encoders", *arguments[2:]]
    if arguments[0] not in verbs | ROOT_OPTIONS and Path(arguments[0]).exists():
        return ["index", *arguments]
    return arguments


def main() -> None:
    """Run, and exit."""
    from indexer.cli import VERBS, app
    from indexer.commands.session import EXIT_FAILED, EXIT_SHRUNK, make_reporter

    arguments = with_verb(sys.argv[1:], frozenset(VERBS))
    reporter = make_reporter("--json" in arguments or os.environ.get("LOOKALIKE_JSON", "") in YES)
    for sentence in unknown_variables(os.environ):
        reporter.say(f"warning: {sentence}")
    try:
        app(args=arguments, prog_name="python -m indexer")
    except LookalikeError as error:
        reporter.say(f"error: {error.message}")
        reporter.event("error", code=error.code, message=error.message, subject=error.subject)
        sys.exit(EXIT_SHRUNK if isinstance(error, SourceShrunkError) else EXIT_FAILED)


if __name__ == "__main__":
    main()
