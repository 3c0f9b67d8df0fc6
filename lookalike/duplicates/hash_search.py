"""All pairs of hashes that differ in few bits, without comparing each with each.

Two hashes that differ in few bits are equal in one of their parts: with 16 parts of 16 bits certainly if fewer than 16
bits differ, and with a probability of nine in ten for 31 (multi-index hashing, by sorting instead of hash tables). The
parts are as short as the number of hashes allows, so that small collections miss next to nothing. FAISS's
`IndexBinaryMultiHash` took longer than its own scan of all, 1.2 ms a hash at 200 000.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from lookalike.duplicates.perceptual_hash import BITS, HASH_BYTES, Hashes

Rows = npt.NDArray[np.int64]

_PART_BITS = (8, 10, 12, 14, 16)
_PER_BUCKET = 16
"""Hashes with one value of a part, on average; sets how many bits a part has."""
_MAX_BUCKET = 256
"""Hashes with one value of a part that a query is compared with: skies and pages of text share many."""
_PAIRS_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class NearHashes:
    """Pairs: rows of the queries, rows of the stored hashes, and in how many bits the two differ; each (k,) int64."""

    query_rows: Rows
    stored_rows: Rows
    distances: Rows


def find_near_hashes(stored: Hashes, queries: Hashes, max_distance: int) -> Iterator[NearHashes]:
    """Pairs of (m, 32) ``queries`` and (n, 32) ``stored`` that differ in at most ``max_distance`` bits, in blocks.

    A pair may come in several blocks. Memory does not grow with the number of pairs.
    """
    if not len(stored) or not len(queries):
        return
    part_bits = next((bits for bits in _PART_BITS if len(stored) <= _PER_BUCKET << bits), _PART_BITS[-1])
    stored_words, query_words = _words(stored), _words(queries)
    for start in range(0, BITS - part_bits + 1, part_bits):
        buckets = _Buckets.of(_part(stored, start, part_bits), 1 << part_bits)
        for query_rows, stored_rows in buckets.pairs(_part(queries, start, part_bits)):
            differing = np.bitwise_count(query_words[query_rows] ^ stored_words[stored_rows])
            distances = differing.sum(axis=1, dtype=np.int64)
            is_near = distances <= max_distance
            if is_near.any():
                yield NearHashes(query_rows[is_near], stored_rows[is_near], distances[is_near])


@dataclass(frozen=True, slots=True)
class _Buckets:
    """Rows ordered by the value of a part; for each value the place of its first row, and how many there are."""

    order: Rows
    firsts: Rows
    counts: Rows

    @classmethod
    def of(cls, parts: Rows, values: int) -> Self:
        order = np.argsort(parts, kind="stable")
        edges = np.searchsorted(parts[order], np.arange(values + 1))
        return cls(order, edges[:-1], np.minimum(np.diff(edges), _MAX_BUCKET))

    def pairs(self, query_parts: Rows) -> Iterator[tuple[Rows, Rows]]:
        """Each query with each row in its bucket, about ``_PAIRS_AT_ONCE`` at a time."""
        ends = np.cumsum(self.counts[query_parts])
        first = 0
        while first < len(query_parts):
            before = int(ends[first - 1]) if first else 0
            last = max(first + 1, int(np.searchsorted(ends, before + _PAIRS_AT_ONCE, "right")))
            counts = self.counts[query_parts[first:last]]
            total = int(counts.sum())
            within = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
            places = np.repeat(self.firsts[query_parts[first:last]], counts) + within
            yield np.repeat(np.arange(first, last), counts), self.order[places]
            first = last


def _words(hashes: Hashes) -> npt.NDArray[np.uint64]:
    return np.ascontiguousarray(hashes).view(np.uint64).reshape(-1, HASH_BYTES // 8)


def _part(hashes: Hashes, start: int, length: int) -> Rows:
    """``length`` bits of each hash from bit ``start`` on, as a number."""
    first, last = start // 8, (start + length - 1) // 8
    number = np.zeros(len(hashes), np.int64)
    for column in range(first, last + 1):
        number = (number << 8) | hashes[:, column]
    return (number >> (8 * (last + 1) - start - length)) & ((1 << length) - 1)
