"""Named colours of the synthetic products, and arithmetic on colours.

The names go into titles and into the ``colour`` column, so that they can be filtered by; the values are muted, as
in catalogue photographs.
"""

from __future__ import annotations

import random

Colour = tuple[int, int, int]

PALETTE: dict[str, Colour] = {
    "ivory": (240, 232, 214),
    "sand": (216, 194, 158),
    "ochre": (204, 146, 48),
    "mustard": (226, 182, 56),
    "orange": (228, 118, 48),
    "coral": (238, 120, 104),
    "red": (196, 48, 48),
    "burgundy": (124, 34, 52),
    "blush": (238, 186, 182),
    "pink": (226, 104, 146),
    "plum": (108, 52, 104),
    "lavender": (170, 154, 214),
    "navy": (38, 54, 98),
    "cobalt": (46, 88, 184),
    "sky blue": (122, 182, 226),
    "teal": (28, 124, 128),
    "mint": (152, 214, 188),
    "sage": (150, 170, 138),
    "olive": (114, 116, 56),
    "forest green": (38, 92, 64),
    "chocolate": (96, 60, 44),
    "camel": (186, 136, 88),
    "grey": (150, 152, 156),
    "charcoal": (62, 64, 70),
}

WHITE: Colour = (250, 248, 244)
INK: Colour = (40, 40, 46)
STEEL: Colour = (190, 194, 200)
BRASS: Colour = (206, 168, 92)
LEATHER: Colour = (142, 90, 54)
OAK: Colour = (198, 152, 102)
WALNUT: Colour = (112, 74, 50)
RUBBER: Colour = (236, 234, 228)
GUM: Colour = (190, 140, 90)
LEAF: Colour = (72, 132, 76)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """``first`` mixed with ``share`` (0 to 1) of ``second``."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def lighter(colour: Colour, share: float = 0.25) -> Colour:
    """``colour`` moved towards white."""
    return mix(colour, (255, 255, 255), share)


def darker(colour: Colour, share: float = 0.25) -> Colour:
    """``colour`` moved towards a cool near-black."""
    return mix(colour, (18, 18, 30), share)


def luminance(colour: Colour) -> float:
    """Relative brightness in [0, 1] by the Rec. 709 weights, on the values as stored."""
    red, green, blue = colour
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255


def contrasting_colour(colour: Colour, rng: random.Random) -> Colour:
    """A palette colour that stands out on ``colour``: mostly by brightness, sometimes white."""
    if luminance(colour) < 0.55 and rng.random() < 0.4:
        return WHITE
    own_luminance = luminance(colour)
    candidates = [
        candidate
        for candidate in PALETTE.values()
        if abs(luminance(candidate) - own_luminance) > 0.22
        and sum(abs(a - b) for a, b in zip(candidate, colour, strict=True)) > 150
    ]
    return rng.choice(candidates)
