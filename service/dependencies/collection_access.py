"""Which collections a request may see, for what is not below a collection's path: decided in this one place."""

from __future__ import annotations

from fastapi import Request

from service.dependencies.auth import may_read


def may_see_collection(request: Request, name: str) -> bool:
    """Whether a request may see a collection, its jobs included: with any valid key, or where there are no keys."""
    del name  # all keys are for all collections
    return may_read(request)
