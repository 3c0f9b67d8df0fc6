"""What the events of a job's process say: how far it is, its answer, and why it failed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from service.http.problems import STATUS

_CLI_WORDS = re.compile(r"(?:run )?`python -m indexer (?P<command>[^`]*)`|--(?P<flag>[a-z]+(?:-[a-z]+)*)\b")
_FLAG = re.compile(r"--([a-z]+(?:-[a-z]+)*)\b")
_REJECTED = 3
GOOD_CODES = (0, _REJECTED)
"""Exit codes of a command that did its work; with the second one, some files could not be used."""


class JobEvents:
    """Collects the events of one process.

    ``hidden`` has words for paths of the server, ``options`` the fields of the job by the flags that stand for them.
    """

    def __init__(self, collection: str, hidden: Mapping[str, str], options: Mapping[str, str]) -> None:
        self._prefix = re.compile(rf"{re.escape(collection)}[:,] ")
        self._hidden = hidden
        self._options = options
        self.progress: dict[str, Any] = {}
        self.answer: dict[str, Any] = {}
        self.report_path: str | None = None
        self._error: dict[str, Any] | None = None

    def take(self, event: Mapping[str, Any]) -> None:
        """Take the next event in."""
        match event.get("event"):
            case "progress":
                self.progress = {
                    "stage": self._prefix.sub("", str(event["stage"]), count=1),
                    "done": event["done"],
                    "total": event["total"] or None,
                    "rate": event["rate"],
                    "seconds_left": event["eta_s"],
                    "rejected": event.get("rejected_codes") or self.progress.get("rejected", {}),
                }
            case "report":
                self.report_path = str(event["path"])
            case "answer":
                self.answer = {name: value for name, value in event.items() if name != "event"} | self.answer
            case "summary":  # a short form of an answer that may be too long to come through
                self.answer |= {name: value for name, value in event.items() if name != "event"}
            case "error":
                self._error = dict(event)

    @property
    def error_code(self) -> str | None:
        """The code of the error that ended the command, if it said one that is known."""
        code = None if self._error is None else self._error.get("code")
        return code if code in STATUS else None

    def problem(self) -> dict[str, Any] | None:
        """Why the command failed, as a code and a sentence for who sent the job; None if it did not say."""
        if self._error is None or self.error_code is None:
            return None
        return {"code": self.error_code, "detail": self.translate(str(self._error.get("message", "")))}

    def translate(self, message: str) -> str:
        """A message of the command without paths of the server, and with options of a job in place of its flags."""
        for path in sorted(self._hidden, key=len, reverse=True):
            message = message.replace(path, self._hidden[path])
        return _CLI_WORDS.sub(self._translate_words, message)

    def _translate_words(self, words: re.Match[str]) -> str:
        """A flag as the job's field; a command that differs from the job by agreements as the job sent again."""
        if words["command"] is None:
            return self._options.get(words["flag"], words[0])
        fields = [self._options.get(flag, "") for flag in _FLAG.findall(words["command"])]
        agreements = [field for field in fields if "=" in field]
        return f"send the job again with {' and '.join(agreements)}" if agreements else words[0]
