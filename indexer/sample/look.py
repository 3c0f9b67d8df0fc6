"""Inputs of a kind's drawing function: colours, pattern and variant of one product."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from indexer.sample.canvas import FLAT, Canvas
from indexer.sample.palette import Colour
from indexer.sample.pattern import mark, texture

Pose = Literal["standing", "lying"]


@dataclass(frozen=True)
class Look:
    """One product's appearance. ``rng`` is the product's own and decides every remaining detail."""

    main: Colour
    accent: Colour
    pattern: str
    variant: str
    logo: int
    rng: random.Random

    def cloth(self) -> Image.Image:
        """The product's patterned surface as a full-size texture."""
        return texture(self.pattern, self.main, self.accent, self.rng)

    def jitter(self, value: float, share: float = 0.08) -> float:
        """``value`` changed by up to ``share`` of itself, so that two of a kind differ in shape."""
        return value * self.rng.uniform(1 - share, 1 + share)

    def brand(self, canvas: Canvas, cx: float, cy: float, radius: float) -> None:
        """Put the logo on a plain product; a patterned one has none."""
        if self.pattern == "plain":
            canvas.paint(mark(self.logo, cx, cy, radius), self.accent, FLAT)


@dataclass(frozen=True)
class Kind:
    """A kind of product: its noun, variants, patterns, prices, pose, and drawing function.

    ``variants`` end the title ("tall", "with fern"); ``patterns`` begin it; ``prices`` are the lowest and the highest,
    in euro.
    """

    slug: str
    noun: str
    variants: tuple[str, ...]
    patterns: tuple[str, ...]
    prices: tuple[int, int]
    pose: Pose
    draw: Callable[[Canvas, Look], None]
