"""Synthetic products: their kinds, colours, patterns and variants, and their titles.

Every choice comes from a generator seeded with the sample's seed and the product's own number, so that a product
is the same whether it is one of 24 or one of 2,000.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image

from indexer.sample.canvas import Canvas
from indexer.sample.kinds import KINDS
from indexer.sample.look import Kind, Look
from indexer.sample.palette import PALETTE, contrasting_colour

MAX_PRODUCTS = len(KINDS) * min(len(PALETTE) * len(kind.patterns) * len(kind.variants) for kind in KINDS)
"""With more, a combination of colour, pattern and variant would repeat within a kind."""

_PLAIN_FIRST = 0.4


@dataclass(frozen=True)
class Product:
    """One synthetic product with its fields in the manifest."""

    product_id: str
    kind: Kind
    colour: str
    pattern: str
    variant: str
    price: str
    seed: str

    @property
    def title(self) -> str:
        """Like "Striped ochre mug, tall"."""
        words = (
            [self.colour, self.kind.noun] if self.pattern == "plain" else [self.pattern, self.colour, self.kind.noun]
        )
        text = " ".join(words)
        return f"{text[0].upper()}{text[1:]}, {self.variant}"

    def rng(self, purpose: str) -> random.Random:
        """A generator that depends on the product and ``purpose`` alone."""
        return random.Random(f"{self.seed}:{purpose}")

    def draw(self) -> Image.Image:
        """The product alone, RGBA on a transparent square."""
        rng = self.rng("look")
        main = PALETTE[self.colour]
        canvas = Canvas()
        self.kind.draw(
            canvas, Look(main, contrasting_colour(main, rng), self.pattern, self.variant, rng.randrange(1000), rng)
        )
        return canvas.render()


@lru_cache(maxsize=64)
def _combinations(kind: Kind, seed: int) -> tuple[tuple[str, str, str], ...]:
    """All (colour, pattern, variant) of a kind in the order in which its products take them, plain ones early."""
    rng = random.Random(f"{seed}:{kind.slug}")
    places = {
        combination: rng.random() * (_PLAIN_FIRST if combination[1] == "plain" else 1)
        for combination in itertools.product(PALETTE, kind.patterns, kind.variants)
    }
    return tuple(sorted(places, key=places.__getitem__))


def invent(number: int, seed: int) -> Product:
    """Product ``number`` (from 0) of the sample with ``seed``; no two have the same title.

    Raises ValueError for a number outside 0 to ``MAX_PRODUCTS`` - 1.
    """
    if not 0 <= number < MAX_PRODUCTS:
        raise ValueError(f"the sample has products 0 to {MAX_PRODUCTS - 1}, not {number}")
    kind = KINDS[number % len(KINDS)]
    turn = number // len(KINDS)
    colour, pattern, variant = _combinations(kind, seed)[turn]
    own_seed = f"{seed}:{kind.slug}:{turn}"
    cheapest, dearest = kind.prices
    price = f"{random.Random(f'{own_seed}:price').randint(cheapest, dearest - 1)}.{'90' if turn % 2 else '50'}"
    return Product(f"{kind.slug}-{turn + 1:03d}", kind, colour, pattern, variant, price, own_seed)
