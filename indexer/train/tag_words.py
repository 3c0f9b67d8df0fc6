"""The words of tags: a plain word for each class of ImageNet, and for the more general things that are worth saying.

Classes are synsets of WordNet 3.0, as timm lists them; words and the tree above them come of WordNet's file of nouns.
Which of the general things are worth saying is chosen here: "dog" and "vehicle" are, "instrumentality" is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from lookalike.encoder.torchvision_shim import ensure_torchvision
from lookalike.errors import SourceNotFoundError

LICENCE = (
    "Words and tree: WordNet 3.0, Copyright 2006 by Princeton University. All rights reserved. Used under the "
    "WordNet License: permission to use, copy, modify and distribute this software and database and its "
    "documentation for any purpose and without fee or royalty is granted, provided that this notice appears on all "
    'copies. THIS SOFTWARE AND DATABASE IS PROVIDED "AS IS" AND PRINCETON UNIVERSITY MAKES NO REPRESENTATIONS OR '
    "WARRANTIES, EXPRESS OR IMPLIED. BY WAY OF EXAMPLE, BUT NOT LIMITATION, PRINCETON UNIVERSITY MAKES NO "
    "REPRESENTATIONS OR WARRANTIES OF MERCHANT- ABILITY OR FITNESS FOR ANY PARTICULAR PURPOSE OR THAT THE USE OF "
    "THE LICENSED SOFTWARE, DATABASE OR DOCUMENTATION WILL NOT INFRINGE ANY THIRD PARTY PATENTS, COPYRIGHTS, "
    "TRADEMARKS OR OTHER RIGHTS. The name of Princeton University or Princeton may not be used in advertising or "
    "publicity pertaining to distribution of the software and/or database. Title to copyright in this software, "
    "database and any associated documentation shall at all times remain with Princeton University and LICENSEE "
    "agrees to preserve same."
)

PLAIN_WORDS = {
    "n02704792": "amphibious vehicle",
    "n02113186": "Cardigan corgi",
    "n02012849": "crane (bird)",
    "n03126707": "crane (machine)",
    "n02101556": "clumber spaniel",
    "n02504013": "Indian elephant",
    "n01871265": "tusked elephant",
    "n03345487": "fire engine",
    "n02747177": "trash can",
    "n02892201": "memorial plaque",
    "n02910353": "buckle",
    "n03017168": "gong or chime",
    "n03041632": "cleaver",
    "n03207743": "dishcloth",
    "n03337140": "filing cabinet",
    "n03483316": "hair dryer",
    "n03595614": "T-shirt",
    "n03594734": "jeans",
    "n02992529": "mobile phone",
    "n03697007": "sawmill",
    "n03763968": "military uniform",
    "n03777754": "modem",
    "n03786901": "mortar",
    "n03930630": "pickup truck",
    "n03954731": "carpenter's plane",
    "n03991062": "flowerpot",
    "n04118776": "ruler",
    "n04141076": "saxophone",
    "n04153751": "screw",
    "n04243546": "slot machine",
    "n04286575": "spotlight",
    "n04296562": "stage",
    "n04350905": "suit",
    "n04367480": "mop",
    "n04372370": "light switch",
    "n04399382": "teddy bear",
    "n04065272": "recreational vehicle",
    "n04554684": "washing machine",
    "n04517823": "vacuum cleaner",
    "n04592741": "wing",
    "n02814533": "station wagon",
    "n02814860": "lighthouse",
    "n02930766": "taxi",
    "n04037443": "racing car",
    "n02835271": "tandem bicycle",
    "n02791270": "barbershop",
    "n04336792": "stretcher",
    "n06359193": "website",
    "n07697537": "hot dog",
    "n07615774": "ice lolly",
    "n07714571": "cabbage",
    "n07742313": "green apple",
    "n07930864": "cup",
    "n07579787": "plate of food",
    "n09193705": "alpine mountain",
    "n12620546": "rose hip",
    "n12768682": "horse chestnut",
    "n02916936": "bulletproof vest",
    "n02917067": "bullet train",
    "n03000247": "chain mail",
    "n03676483": "lipstick",
    "n03733131": "maypole",
    "n04008634": "missile",
    "n04209133": "shower cap",
    "n15075141": "toilet paper",
    "n02342885": "hamster",
    "n03947888": "pirate ship",
    "n04447861": "toilet seat",
    "n04039381": "racket",
    "n04487081": "trolleybus",
    "n03095699": "container ship",
    "n03673027": "ocean liner",
    "n03788365": "mosquito net",
    "n02823428": "beer bottle",
    "n03983396": "soda bottle",
    "n02776631": "bakery",
    "n04371774": "swing",
    "n03250847": "drumstick",
}
"""Words of classes whose first name in WordNet is not the plain one, or is that of another class too."""

SAME_THINGS = {
    "sunglasses": ("n04355933", "n04356056"),
    "laptop": ("n03642806", "n03832673"),
    "swimsuit": ("n03710637", "n03710721"),
    "missile": ("n03773504", "n04008634"),
    "monitor": ("n03782006", "n04152593"),
    "bathtub": ("n02808440", "n04493381"),
    "corn": ("n12144580", "n13133613"),
    "cassette player": ("n02979186", "n04392985"),
}
"""Classes whose pictures show the same thing: they are one word, and their probabilities are added."""

GENERAL_THINGS = {
    "animal": "n00015388", "mammal": "n01861778", "dog": "n02084071", "hound": "n02087551", "terrier": "n02092468",
    "spaniel": "n02101108", "retriever": "n02099029", "setter": "n02100399", "sheepdog": "n02104523",
    "schnauzer": "n02096756", "poodle": "n02113335", "corgi": "n02112826", "sled dog": "n02109811", "wolf": "n02114100",
    "fox": "n02118333", "cat": "n02121808", "big cat": "n02127808", "feline": "n02120997", "bear": "n02131653",
    "primate": "n02469914", "monkey": "n02484322", "ape": "n02470325", "lemur": "n02496913", "elephant": "n02503517",
    "rodent": "n02329401", "rabbit": "n02324045", "hoofed animal": "n02370806", "antelope": "n02419796",
    "whale": "n02062744", "marsupial": "n01874434", "bird": "n01503061", "parrot": "n01816887", "duck": "n01846331",
    "finch": "n01529672", "grouse": "n01795088", "bird of prey": "n01604330", "heron": "n02008041",
    "stork": "n02002075", "wading bird": "n02000954", "seabird": "n02021795", "reptile": "n01661091",
    "snake": "n01726692", "viper": "n01752165", "lizard": "n01674464", "turtle": "n01662784",
    "crocodilian": "n01696633", "amphibian": "n01627424", "frog": "n01639765", "salamander": "n01629276",
    "fish": "n02512053", "shark": "n01482330", "ray": "n01495701", "insect": "n02159955", "beetle": "n02164464",
    "butterfly": "n02274259", "dragonfly or damselfly": "n02268148", "spider": "n01772222", "crab": "n01976957",
    "lobster": "n01982650", "crustacean": "n01974773", "mollusk": "n01940736", "coral or sea anemone": "n01914163",
    "vehicle": "n04524313", "motor vehicle": "n03791235", "car": "n02958343", "truck": "n04490091", "bus": "n02924116",
    "van": "n04520170", "bicycle": "n02834778", "locomotive": "n03684823", "aircraft": "n02686568",
    "watercraft": "n04530566", "boat": "n02858304", "ship": "n04194289", "sailing vessel": "n04128837",
    "warship": "n04552696", "sled": "n04235291", "cart": "n02970849",
    "military vehicle": "n03764276", "building": "n02913152", "place of worship": "n03953416", "bridge": "n02898711",
    "fence": "n03327234", "shop": "n04202417", "furniture": "n03405725",
    "chair": "n03001627", "table": "n04379243", "cabinet": "n02933112", "lamp": "n03636248", "baby bed": "n02766320",
    "musical instrument": "n03800933", "stringed instrument": "n04338517", "guitar": "n03467517",
    "bowed string instrument": "n02880546", "wind instrument": "n04586932", "brass instrument": "n02891788",
    "woodwind": "n04598582", "piano": "n03928116", "keyboard instrument": "n03614532",
    "percussion instrument": "n03915437", "clothing": "n03051540", "garment": "n03419014", "skirt": "n04230808",
    "sweater": "n04370048", "coat": "n03057021", "hat": "n03497657", "headgear": "n03502509",
    "footwear": "n03380867", "shoe": "n04199027", "necktie": "n03815615", "scarf": "n04143897", "helmet": "n03513137",
    "armor": "n02739668", "bag": "n02773037", "bottle": "n02876657", "jug": "n03603722",
    "drinking glass": "n03438257", "bowl": "n02880940", "box": "n02883344", "basket": "n02801938",
    "cookware": "n03101986", "cooking pot": "n03990474",
    "kitchen appliance": "n03620052", "home appliance": "n03528263", "oven": "n03862676", "tool": "n04451818",
    "knife": "n03623556", "weapon": "n04565375", "gun": "n03467984", "firearm": "n03343853", "lock": "n03682487",
    "ball": "n02778669", "sports equipment": "n04285146", "clock": "n03046257",
    "timepiece": "n04437953", "camera": "n02942699", "computer": "n03082979", "keyboard": "n03614007",
    "telephone": "n04401088", "electronic equipment": "n03278248",
    "pen": "n03906997", "towel": "n04459362", "curtain": "n03151077",
    "makeup": "n03714235", "toiletry": "n04447443", "fruit": "n07705931",
    "citrus fruit": "n07747055", "vegetable": "n07707451", "squash": "n07715561", "bread": "n07679356",
    "sandwich": "n07695965", "dessert": "n07609840", "drink": "n07881800", "fungus": "n12992868",
    "flower": "n11669921", "mountain": "n09359803", "shore": "n09433442", "person": "n00007846",
}  # fmt: skip
"""Things above the classes that are worth saying, each with its synset."""

ALSO = {"table": ("n03201208",), "lamp": ("n04380533", "n03637318")}
NOT = {
    "food": ("n07930864", "n07802026", "n07565083"),
    "drink": ("n07930864",),
    "bag": ("n04235860",),
    "sports equipment": ("n03445924",),
    "lamp": ("n02948072", "n03590841"),
    "computer": ("n04238763", "n06359193"),
    "timepiece": ("n03891332",),
    "clothing": ("n04162706", "n03623198"),
    "vehicle": ("n03773504", "n04008634", "n04204347", "n03776460"),
    "building": ("n03529860", "n02727426"),
    "ball": ("n04023962",),
}
"""Classes that WordNet does not have under a thing, or has, and pictures say otherwise: the class "cup", in WordNet a
kind of punch, shows cups."""

FOOD = ("n00021265", "n07555863", "n07881800")
"""Synsets under any of which there is food or drink; WordNet has no one above them that is not matter."""


@dataclass(frozen=True)
class Synset:
    """A meaning: its words, the first the most usual one, and the synsets right above it."""

    words: tuple[str, ...]
    above: tuple[str, ...]


def read_nouns(path: Path) -> dict[str, Synset]:
    """The synsets of WordNet's file ``data.noun`` (see wndb(5WN)) by "n" and their offset.

    Raises SourceNotFoundError without the file.
    """
    if not path.is_file():
        message = (
            f"there is no WordNet at {path}: name the file data.noun of WordNet 3.0 (Debian's wordnet-base has it)"
        )
        raise SourceNotFoundError(message, subject=str(path))
    synsets = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):  # the licence
            continue
        fields = line.partition(" | ")[0].split()
        word_count = int(fields[3], 16)
        words = tuple(fields[4 + 2 * place].replace("_", " ") for place in range(word_count))
        pointers = fields[4 + 2 * word_count :]
        above = [
            f"n{pointers[2 + 4 * place]}"
            for place in range(int(pointers[0]))
            if pointers[1 + 4 * place] in {"@", "@i"} and pointers[3 + 4 * place] == "n"
        ]
        synsets[f"n{fields[0]}"] = Synset(words, tuple(above))
    return synsets


def class_synsets() -> list[str]:
    """The synsets of the thousand classes, in the order of a published classifier's outputs."""
    ensure_torchvision()  # or timm cannot be imported
    return resources.files("timm.data._info").joinpath("imagenet_synsets.txt").read_text(encoding="utf-8").split()


def make_words(classes: Iterable[str], synsets: Mapping[str, Synset]) -> dict[str, object]:
    """The file of words: each with its classes' numbers, the specific words first, then the general ones."""
    numbers = {synset: number for number, synset in enumerate(classes)}
    merged = {synset: word for word, members in SAME_THINGS.items() for synset in members}
    specific: dict[str, list[int]] = {}
    for synset, number in numbers.items():
        word = merged.get(synset) or PLAIN_WORDS.get(synset) or synsets[synset].words[0]
        specific.setdefault(word, []).append(number)
    places = {synset: _all_above(synset, synsets) for synset in numbers}
    things = {**{word: (thing,) for word, thing in GENERAL_THINGS.items()}, "food": FOOD}
    general = {
        word: [
            number
            for synset, number in numbers.items()
            if synset not in NOT.get(word, ()) and (places[synset].intersection(above) or synset in ALSO.get(word, ()))
        ]
        for word, above in things.items()
    }
    return {"licence": LICENCE, "classes": len(numbers), "specific": specific, "general": general}


def write_words(nouns: Path, path: Path) -> None:
    """Write the file of words; raises SourceNotFoundError without WordNet's file."""
    text = json.dumps(make_words(class_synsets(), read_nouns(nouns)), separators=(",", ":"), ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _all_above(synset: str, synsets: Mapping[str, Synset]) -> set[str]:
    above: set[str] = set()
    open_synsets = [synset]
    while open_synsets:
        for other in synsets[open_synsets.pop()].above:
            if other not in above:
                above.add(other)
                open_synsets.append(other)
    return above
