"""What is right to say of the pictures of labelled sets: the words that fit each of their labels.

A label names what a picture shows in the set's own way; here it gets the most specific words of the vocabulary that are
right for all its pictures. More general words that include one of them are right too, all others count as wrong. A word
with * is right with all that is below it: of a "crab" any kind of crab, since the label does not say which. Labels for
which the vocabulary has nothing have no words: every tag of theirs is wrong. So the figures are rather too low than too
high: a dalmatian's ball is a wrong tag.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from lookalike.encoder.tags.vocabulary import Vocabulary, read_vocabulary

Mask = npt.NDArray[np.bool_]

_FRUIT = (
    "Anjou Avocado Cantaloupe Conference Galia-Melon Golden-Delicious Honeydew-Melon Kaiser Kiwi Mango Nectarine "
    "Papaya Passion-Fruit Peach Pink-Lady Plum Red-Delicious Royal-Gala Watermelon"
)
_CITRUS = "Lime Red-Grapefruit Satsumas"
_VEGETABLES = (
    "Asparagus Aubergine Carrots Floury-Potato Garlic Leek Red-Beet Solid-Potato Sweet-Potato Yellow-Onion Ginger"
)
_TOMATOES = "Beef-Tomato Regular-Tomato Vine-Tomato"
_PEPPERS = "Green-Bell-Pepper Orange-Bell-Pepper Red-Bell-Pepper Yellow-Bell-Pepper"
_DRINKS = (
    "Alpro-Fresh-Soy-Milk Alpro-Shelf-Soy-Milk Arla-Ecological-Medium-Fat-Milk Arla-Lactose-Medium-Fat-Milk "
    "Arla-Medium-Fat-Milk Arla-Standard-Milk Arla-Sour-Milk Bravo-Apple-Juice Bravo-Orange-Juice "
    "Garant-Ecological-Medium-Fat-Milk Garant-Ecological-Standard-Milk God-Morgon-Apple-Juice God-Morgon-Orange-Juice "
    "God-Morgon-Orange-Red-Grapefruit-Juice God-Morgon-Red-Grapefruit-Juice Oatly-Oat-Milk Tropicana-Apple-Juice "
    "Tropicana-Golden-Grapefruit Tropicana-Juice-Smooth Tropicana-Mandarin-Morning"
)
_OTHER_CARTONS = (
    "Alpro-Blueberry-Soyghurt Alpro-Vanilla-Soyghurt Arla-Ecological-Sour-Cream Arla-Mild-Vanilla-Yoghurt "
    "Arla-Natural-Mild-Low-Fat-Yoghurt Arla-Natural-Yoghurt Arla-Sour-Cream Oatly-Natural-Oatghurt "
    "Valio-Vanilla-Yoghurt Yoggi-Strawberry-Yoghurt Yoggi-Vanilla-Yoghurt"
)
_IN_A_SHOP = ("grocery store",)
"""All pictures of the grocery set were taken in shops, before the shelves."""


def _alike(labels: str, *words: str) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(labels.split(), (*words, *_IN_A_SHOP))


GROCERIES: Mapping[str, tuple[str, ...]] = {
    **_alike(_FRUIT, "fruit"),
    **_alike(_CITRUS, "citrus fruit"),
    **_alike(_VEGETABLES, "vegetable"),
    **_alike(_TOMATOES, "vegetable", "fruit"),
    **_alike(_PEPPERS, "bell pepper"),
    **_alike(_DRINKS, "drink", "carton"),
    **_alike(_OTHER_CARTONS, "food", "carton"),
    **_alike("Granny-Smith", "green apple"),
    **_alike("Banana", "banana"),
    **_alike("Lemon", "lemon"),
    **_alike("Orange", "orange"),
    **_alike("Pineapple", "pineapple"),
    **_alike("Pomegranate", "pomegranate"),
    **_alike("Cabbage", "cabbage"),
    **_alike("Cucumber", "cucumber"),
    **_alike("Zucchini", "zucchini"),
    **_alike("Brown-Cap-Mushroom", "mushroom"),
}

CALTECH: Mapping[str, tuple[str, ...]] = {
    "Leopards": ("leopard",),
    "Motorbikes": ("motor vehicle",),
    "accordion": ("accordion",),
    "airplanes": ("airliner",),
    "ant": ("ant",),
    "barrel": ("barrel", "rain barrel"),
    "bass": ("fish",),
    "beaver": ("beaver",),
    "binocular": ("binoculars",),
    "bonsai": ("flowerpot",),
    "brontosaurus": ("reptile",),
    "butterfly": ("butterfly*",),
    "camera": ("camera*",),
    "cannon": ("cannon",),
    "car_side": ("car*",),
    "ceiling_fan": ("electric fan",),
    "cellphone": ("mobile phone",),
    "chair": ("chair*",),
    "chandelier": ("lamp",),
    "cougar_body": ("cougar",),
    "cougar_face": ("cougar",),
    "crab": ("crab*",),
    "crayfish": ("crayfish",),
    "crocodile": ("crocodilian*",),
    "crocodile_head": ("crocodilian*",),
    "cup": ("cup", "coffee mug"),
    "dalmatian": ("dalmatian",),
    "dolphin": ("whale",),
    "dragonfly": ("dragonfly",),
    "electric_guitar": ("electric guitar",),
    "elephant": ("elephant*", "tusked elephant"),
    "emu": ("bird",),
    "euphonium": ("brass instrument",),
    "ewer": ("pitcher",),
    "ferry": ("boat",),
    "flamingo": ("flamingo",),
    "flamingo_head": ("flamingo",),
    "garfield": ("comic book",),
    "gerenuk": ("antelope",),
    "grand_piano": ("grand piano",),
    "hawksbill": ("turtle",),
    "hedgehog": ("mammal",),
    "helicopter": ("aircraft",),
    "ibis": ("wading bird",),
    "kangaroo": ("marsupial",),
    "ketch": ("sailing vessel",),
    "lamp": ("lamp*",),
    "laptop": ("laptop",),
    "llama": ("llama",),
    "lobster": ("lobster*",),
    "lotus": ("flower",),
    "mandolin": ("stringed instrument",),
    "mayfly": ("insect",),
    "minaret": ("mosque",),
    "nautilus": ("chambered nautilus",),
    "octopus": ("mollusk",),
    "okapi": ("hoofed animal",),
    "pagoda": ("place of worship",),
    "panda": ("giant panda",),
    "pigeon": ("bird",),
    "pizza": ("pizza",),
    "platypus": ("platypus",),
    "revolver": ("revolver",),
    "rhino": ("hoofed animal",),
    "rooster": ("cock",),
    "saxophone": ("saxophone",),
    "schooner": ("schooner",),
    "scorpion": ("scorpion",),
    "sea_horse": ("fish",),
    "snoopy": ("comic book",),
    "soccer_ball": ("soccer ball",),
    "starfish": ("starfish",),
    "stegosaurus": ("reptile",),
    "stop_sign": ("street sign",),
    "strawberry": ("strawberry",),
    "sunflower": ("flower",),
    "tick": ("tick",),
    "trilobite": ("trilobite",),
    "umbrella": ("umbrella",),
    "watch": ("timepiece",),
    "water_lilly": ("flower",),
    "wheelchair": ("chair",),
    "wild_cat": ("feline",),
    "windsor_chair": ("chair",),
    "wrench": ("tool",),
}
"""Labels that are not here have no word: anchor, brain, buddha, dollar_bill, gramophone, headphone, inline_skate,
joshua_tree, menorah, metronome, pyramid, scissors, stapler, yin_yang."""

CLOTHING: Mapping[str, tuple[str, ...]] = {
    "dress": ("garment",),
    "hat": ("hat*",),
    "longsleeve": ("garment",),
    "outwear": ("coat*",),
    "pants": ("garment", "jeans"),
    "shirt": ("garment",),
    "shoes": ("footwear*",),
    "shorts": ("garment",),
    "skirt": ("skirt*",),
    "t-shirt": ("T-shirt",),
}

WORDS_OF_LABELS = {"caltech101": CALTECH, "grocery": GROCERIES, "clothing": CLOTHING}
"""By source of pictures; the labels of the sources of ImageNet are classes themselves."""

IMAGENET_SOURCES = frozenset({"imagenette", "imagenet_sample1000"})


@cache
def right_words(source: str, label: str, classes: tuple[str, ...]) -> Mask | None:
    """Which words (words,) are right for a label; None if it says nothing of what the picture shows.

    ``classes`` are the synsets of the classifier, in the order of its outputs.
    """
    vocabulary = read_vocabulary()
    if source in IMAGENET_SOURCES:
        return _includes(vocabulary, vocabulary.members[:, classes.index(label)] > 0)
    labels = WORDS_OF_LABELS.get(source)
    if labels is None or (source, label) in {("caltech101", "BACKGROUND_Google"), ("clothing", "other")}:
        return None
    return _fitting(vocabulary, labels.get(label, ()))


def _fitting(vocabulary: Vocabulary, words: Sequence[str]) -> Mask:
    right = np.zeros(len(vocabulary.words), np.bool_)
    for word in words:
        (place,) = vocabulary.places([word.removesuffix("*")])
        is_right = np.arange(len(right)) == place
        if word.endswith("*"):
            is_right |= [vocabulary.is_within(other, place) for other in range(len(right))]
        right |= _includes(vocabulary, is_right)
    return right


def _includes(vocabulary: Vocabulary, words: Mask) -> Mask:
    """``words`` (words,) and all general ones that include one of them."""
    general = np.arange(len(words)) >= vocabulary.specific
    chosen = np.flatnonzero(words)
    is_above = np.array(
        [any(vocabulary.is_within(word, other) for word in chosen.tolist()) for other in range(len(words))]
    )
    return np.asarray(words | (general & is_above))
