"""What may happen to a small shop while somebody reads it page by page, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

COUNT = 7
"""Items at the beginning, with the numbers from 0 as their keys."""
LARGE_PRICE = 4
"""From which on a price passes the filter."""
KEYS = st.integers(0, COUNT + 2).map(str)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.integers(0, 2 * LARGE_PRICE - 1)),
        st.tuples(st.just("delete"), KEYS, st.just(0)),
        st.tuples(st.just("refresh"), st.just(""), st.just(0)),
        st.tuples(st.just("page"), st.just(""), st.integers(1, 4)),
    ),
    max_size=25,
)
"""Each step: what is done, the key, and the price or the number of items on the page."""
