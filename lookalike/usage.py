"""What is said of a command line or an environment that is wrong, by both programs.

Both may run in one environment, and neither knows the flags of the other: so all names of variables are here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

PREFIX = "LOOKALIKE_"
VARIABLES = frozenset(
    PREFIX + name
    for name in (
        "ALLOWED_HOSTS", "ALLOW_ANONYMOUS", "ALLOW_SOURCES", "API_KEYS", "API_KEYS_FILE", "AUTO_TAGS", "BATCH",
        "COLLECTION", "CORS_ORIGINS", "COUNT", "DATA", "DATABASE_URL", "DECODERS", "DIMENSION", "ENCODER",
        "ENCODERS_DIR", "ENCODERS_KEPT", "ENGINE", "FOLD_AFTER", "FOLD_SECONDS", "FUSION", "HOST", "IMAGES_ROOT",
        "INPUT_SIZE", "JSON", "K", "KEEP", "LABEL", "LABELS_FROM_FOLDERS", "LIMIT", "LOG_FORMAT", "LOG_LEVEL",
        "MAX_IN_FLIGHT", "MAX_JOBS", "MAX_MEGABYTES", "MAX_MEGAPIXELS", "MAX_UPLOAD_MEGABYTES", "MEMORY", "MIN_SCORE",
        "NEIGHBOURS", "PORT", "PRECISION", "PREFER_FOLDER", "PRODUCTS", "RECALL", "REQUEST_TIMEOUT", "ROOT_PATH",
        "RUNTIME", "SEED", "SIZE", "SOURCE_ENCODING", "THRESHOLD", "TIER", "UPLOAD_TIMEOUT", "WATCH", "WHERE",
        "WORKERS",
    )
)  # fmt: skip
"""Every variable of a flag of either program."""


def unknown_variables(names: Iterable[str]) -> list[str]:
    """A sentence for each of some variables that begins as ours and is none, with the one that it is close to."""
    sentences = []
    for name in sorted(name for name in names if name.startswith(PREFIX) and name not in VARIABLES):
        known = [variable.removeprefix(PREFIX) for variable in VARIABLES]
        close = difflib.get_close_matches(name.removeprefix(PREFIX), known, n=1, cutoff=0.75)
        question = f"; did you mean {PREFIX}{close[0]}?" if close else ""
        sentences.append(f"the environment variable {name} is unknown and has no effect{question}")
    return sentences


_WORDINGS = (
    (r"Value error, ", ""),
    (r"Input should be a valid integer.*", "must be a whole number"),
    (r"Input should be a valid number.*", "must be a number"),
    (r"Input should be a valid boolean.*", "must be true or false"),
    (r"Input should be greater than or equal to ", "must be at least "),
    (r"Input should be less than or equal to ", "must be at most "),
    (r"Input should be ", "must be "),
)


def plain_message(message: str) -> str:
    """A usage error's message without the words of the library that parsed the value."""
    for pattern, words in _WORDINGS:
        message = re.sub(pattern, words, message)
    return message
