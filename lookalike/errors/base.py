"""The root of the tree of errors."""

from __future__ import annotations

from typing import ClassVar


class LookalikeError(Exception):
    """Base of every error below. Only leaves are raised, and only they define ``code``; ``subject`` is the topic."""

    code: ClassVar[str]

    def __init__(self, message: str, *, subject: str | None = None) -> None:
        super().__init__(message)
        self.message, self.subject = message, subject

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message[:200] + '...' * (len(self.message) > 200)!r})"  # ``str`` has all


def coded_errors(root: type[LookalikeError] = LookalikeError) -> list[type[LookalikeError]]:
    """All error classes below ``root`` with a code of their own, in the order of the tree."""
    return [kind for child in root.__subclasses__() for kind in [child] * ("code" in vars(child)) + coded_errors(child)]
