"""Logs: one JSON object a line (or text on a terminal), each with the request it belongs to.

Nothing of a request's content goes into them: no picture, no file name, no key of an item or of the API.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
_ENCODER = json.JSONEncoder(default=str)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


def configure(level: str, *, as_json: bool) -> None:
    """Send everything that is logged to stderr in one form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # What it says of every request is said better by the service's own line.
    logging.getLogger("uvicorn.access").disabled = True
    for chatty in ("alembic", "faiss", "PIL", "timm", "multipart", "python_multipart", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """What a line says, in order."""
    fields: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "event": record.getMessage(),
    }
    if (current_id := request_id.get()) is not None:
        fields["request_id"] = current_id
    fields |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
    if record.exc_info and record.exc_info[0] is not None:  # asyncio says False where others say None
        fields["exception"] = record.exc_info[0].__name__
        # The message of an exception may quote what was asked; where it was raised is enough to find it.
        fields["where"] = [
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(record.exc_info[2])
        ]
    return fields


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        return _ENCODER.encode(fields_of(record))


class TextFormatter(logging.Formatter):
    """One line for a person."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        fields = fields_of(record)
        head = f"{fields.pop('time')[11:19]} {fields.pop('level'):<7} {fields.pop('event')}"
        return " ".join([head, *(f"{name}={value}" for name, value in fields.items())])
