"""On how many examples the tests of properties try what they say."""

from __future__ import annotations

from hypothesis import settings

THOROUGH = "thorough"
"""The profile of `make test-full`."""


def examples(count: int, *, thorough: int) -> int:
    """The number of examples of a property whose examples are slow: ``thorough`` under the profile of that name."""
    return thorough if settings.get_current_profile_name() == THOROUGH else count
