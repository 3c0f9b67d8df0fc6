"""Work in a search thread that ends soon after its request: threads cannot be cancelled, so it asks between steps."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import TypeVar

from lookalike.catalogue.snapshot_filter import Check
from service.services import Services

T = TypeVar("T")


class WorkEndedError(Exception):
    """Raised in a thread whose request has ended; nobody receives it."""


async def search_with_check(services: Services, work: Callable[[Check], T]) -> T:
    """Run ``work`` in the thread pool for index and catalogue; its argument raises once nobody waits for the result."""
    has_ended = Event()

    def check() -> None:
        if has_ended.is_set():
            raise WorkEndedError

    try:
        return await services.search_in_thread(work, check)
    finally:
        has_ended.set()
