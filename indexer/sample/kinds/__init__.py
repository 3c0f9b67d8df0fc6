"""The kinds of product that the sample draws, one module per family."""

from __future__ import annotations

from indexer.sample.kinds import bags, books, clothing, eyewear, footwear, garden, home, sound, timepieces, vessels
from indexer.sample.look import Kind

KINDS: tuple[Kind, ...] = (
    *footwear.KINDS,
    *vessels.KINDS,
    *bags.KINDS,
    *home.KINDS,
    *garden.KINDS,
    *clothing.KINDS,
    *timepieces.KINDS,
    *eyewear.KINDS,
    *sound.KINDS,
    *books.KINDS,
)
"""All kinds, in the order in which products are dealt out to them."""
