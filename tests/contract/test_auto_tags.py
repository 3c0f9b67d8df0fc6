"""Automatic tags on both databases: how they are stored, found and corrected, and that corrections stay."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from lookalike.catalogue.live_changes import ChangeStatus, LiveChange
from lookalike.catalogue.records import (
    AutoTags,
    CollectionSettings,
    ItemDraft,
    ItemRecord,
    Metadata,
    MetadataValue,
    NewItem,
    SourceRecord,
    TagRequest,
)
from lookalike.catalogue.repository import Catalogue
from lookalike.errors import ColumnConflictError
from lookalike.filters import parse_filter
from lookalike.filters.fields import ElementType
from lookalike.filters.values import ValueType
from lookalike.options import EncoderRequest

SOURCE = SourceRecord("folder", "/pictures")
SETTINGS = CollectionSettings("exact", 3, 1000, 2000, auto_tags=True)
TAGS: dict[int, AutoTags] = {
    1: (("coffee mug", 0.85), ("cup", 0.9)),
    2: (("beagle", 0.81), ("dog", 0.97), ("animal", 0.99)),
    3: (),
}
NUMBERS = itertools.count()


def tagger(vectors: npt.NDArray[np.float32]) -> list[AutoTags]:
    """A picture's content is its vector, and says its tags."""
    return [TAGS[int(vector[0])] for vector in vectors]


def later_tagger(vectors: npt.NDArray[np.float32]) -> list[AutoTags]:
    """Another encoder finds a word more, and one less."""
    return [(("saucer", 0.8), ("cup", 0.91)) for _ in vectors]


class Shop:
    """A collection as far as the catalogue is concerned."""

    def __init__(self, catalogue: Catalogue, settings: CollectionSettings = SETTINGS) -> None:
        self.catalogue = catalogue
        self.name = f"shop-{next(NUMBERS)}"
        self.record = catalogue.start_run(self.name, SOURCE, EncoderRequest("bundled"), settings)
        self.live = catalogue.live_changes(self.record.id)

    def index(self, key: str, content: int, **columns: MetadataValue) -> None:
        before = self.catalogue.live_by_key(self.record.id, [key]).get(key)
        item = NewItem(draft(key, content, columns), vector(content), None if before is None else before.id)
        self.catalogue.store(self.record, 1, "e" * 64, [item], tagger)

    def put(
        self, key: str, content: int, tags: TagRequest | None = None, columns: Metadata | None = None
    ) -> tuple[ChangeStatus, str]:
        change = LiveChange(key, draft(key, content, columns or {}), vector(content), tags=tags)
        (outcome,) = self.live.apply([change], published_generation=1, encoder_digest="e" * 64, tagger=tagger)
        return outcome.status, "" if outcome.problem is None else outcome.problem.message

    def correct(self, key: str, content: int, words: object) -> tuple[ChangeStatus, str]:
        return self.put(key, content, TagRequest(words))

    def item(self, key: str) -> ItemRecord:
        return self.catalogue.live_by_key(self.record.id, [key])[key]

    def words(self, key: str) -> list[str]:
        return [word for word, _ in self.item(key).draft.auto_tags or ()]

    def corrections(self, key: str) -> dict[str, bool]:
        return self.catalogue.tag_store(self.record.id).corrections([key]).get(key, {})


def draft(key: str, content: int, columns: Metadata) -> ItemDraft:
    return ItemDraft(key, f"in/{key}", f"{content:064x}", 1000, 40, 30, "JPEG", metadata=columns)


def vector(content: int) -> npt.NDArray[np.float32]:
    return np.full(4, content, np.float32)


@pytest.fixture
def shop(catalogue: Catalogue) -> Shop:
    return Shop(catalogue)


def test_tags_are_columns_of_the_metadata_and_stand_apart_from_what_a_source_says(shop: Shop) -> None:
    shop.index("a", 2, price=5)
    item = shop.item("a")
    assert item.metadata == {
        "price": 5,
        "auto_tags": ["beagle", "dog", "animal"],
        "auto_tags_confidence": [0.81, 0.97, 0.99],
    }
    assert (item.draft.metadata, item.draft.auto_tags) == ({"price": 5}, TAGS[2])
    confidences = [confidence for _, confidence in item.draft.auto_tags or ()]
    assert confidences == sorted(confidences), "the more general, the surer"


def test_filters_find_tags_with_nothing_new(shop: Shop) -> None:
    for key, content in (("mug", 1), ("dog", 2), ("none", 3)):
        shop.index(key, content)
    ids = np.array([shop.item(key).id for key in ("mug", "dog", "none")])
    filters = shop.catalogue.snapshot_filter(shop.record.id, ids)
    assert filters.mask(parse_filter("auto_tags = dog and not auto_tags_confidence < 0.8")).tolist() == [
        False,
        True,
        False,
    ]
    facet = filters.facets(None, ["auto_tags"], 10)["auto_tags"]
    assert {entry.value: entry.count for entry in facet.values} == {
        "coffee mug": 1,
        "cup": 1,
        "beagle": 1,
        "dog": 1,
        "animal": 1,
    }


def test_filters_know_the_columns_before_anything_has_a_tag(shop: Shop) -> None:
    shop.index("none", 3)
    filters = shop.catalogue.snapshot_filter(shop.record.id, np.array([shop.item("none").id]))
    assert filters.mask(parse_filter("auto_tags = dog", filters.fields)).tolist() == [False]
    assert filters.facets(None, ["auto_tags"], 10)["auto_tags"].values == ()


def test_a_collection_without_the_setting_keeps_a_column_of_that_name(catalogue: Catalogue) -> None:
    shop = Shop(catalogue, CollectionSettings("exact", 3, 1000, 2000))
    assert shop.put("a", 1, columns={"auto_tags": "mine"}) == (ChangeStatus.CREATED, "")
    assert shop.item("a").metadata == {"auto_tags": "mine"}
    with pytest.raises(ColumnConflictError, match=r"1 item has a value of their own there, the first is 'a'"):
        catalogue.collection_store().configure(shop.record.id, {}, auto_tags=True)
    assert not catalogue.collection(shop.name).settings.auto_tags


def test_a_declared_column_of_that_name_is_not_taken_either(catalogue: Catalogue) -> None:
    shop = Shop(catalogue, CollectionSettings("exact", 3, 1000, 2000))
    store = catalogue.collection_store()
    store.configure(shop.record.id, {"auto_tags": ElementType(ValueType.TEXT, in_list=False)})
    with pytest.raises(ColumnConflictError, match="auto_tags is declared as text"):
        store.configure(shop.record.id, {}, auto_tags=True)


def test_metadata_that_name_the_tags_without_correcting_them_are_refused(shop: Shop) -> None:
    status, problem = shop.put("a", 1, columns={"auto_tags_confidence": [1.0]})
    assert status is ChangeStatus.REFUSED
    assert "auto_tags_confidence is made of the picture" in problem


def test_a_correction_stays_when_the_item_is_tagged_again_and_by_another_encoder(shop: Shop) -> None:
    shop.index("a", 1)
    assert shop.correct("a", 1, ["blue mug", "cup"]) == (ChangeStatus.REPLACED, "")
    assert shop.item("a").draft.auto_tags == (("blue mug", 1.0), ("cup", 0.9))
    shop.put("a", 1)
    assert shop.words("a") == ["blue mug", "cup"]
    item = shop.item("a")
    new = NewItem(item.draft, vector(1), item.id, item.source_digest)
    shop.catalogue.store(shop.record, 2, "f" * 64, [new], later_tagger)
    assert shop.words("a") == ["blue mug", "saucer", "cup"]
    assert shop.corrections("a") == {"blue mug": True, "coffee mug": False}


def test_corrections_add_up_and_can_be_taken_back(shop: Shop) -> None:
    shop.index("a", 2)
    shop.correct("a", 2, ["dog", "animal", "pet"])
    shop.correct("a", 2, ["dog", "pet"])
    assert shop.corrections("a") == {"pet": True, "beagle": False, "animal": False}
    shop.correct("a", 2, ["dog", "animal"])
    assert (shop.words("a"), shop.corrections("a")) == (["dog", "animal"], {"beagle": False, "pet": False})
    shop.correct("a", 2, None)
    assert (shop.words("a"), shop.corrections("a")) == (["beagle", "dog", "animal"], {})
    shop.correct("a", 2, [])
    assert shop.words("a") == []
    assert shop.item("a").draft.auto_tags == ()


@pytest.mark.parametrize("words", ["mug", [1], [""], ["x" * 201], ["mug"] * 65, {"mug": 1}])
def test_what_is_no_list_of_words_is_refused_and_nothing_is_remembered(shop: Shop, words: object) -> None:
    shop.index("a", 1)
    status, problem = shop.correct("a", 1, words)
    assert status is ChangeStatus.REFUSED
    assert "auto_tags must be a list of up to 64 words" in problem
    assert (shop.words("a"), shop.corrections("a")) == (["coffee mug", "cup"], {})


def test_a_refused_change_leaves_no_correction(shop: Shop) -> None:
    shop.index("a", 1)
    store = shop.catalogue.collection_store()
    store.configure(shop.record.id, {"price": ElementType(ValueType.NUMBER, in_list=False)})
    status, _ = shop.put("a", 1, TagRequest(["mug"]), {"price": "five"})
    assert (status, shop.corrections("a")) == (ChangeStatus.REFUSED, {})


def test_without_a_tagger_items_keep_the_tags_that_they_have(shop: Shop) -> None:
    """Its encoder may be gone; its metadata can be changed nevertheless."""
    shop.index("a", 2)
    change = LiveChange("a", shop.item("a").draft, vector(2))
    shop.live.apply([change], published_generation=0, encoder_digest="e" * 64)
    assert shop.item("a").draft.auto_tags == TAGS[2]


def test_a_collection_that_is_removed_takes_its_corrections_along(shop: Shop) -> None:
    shop.index("a", 1)
    shop.correct("a", 1, ["mug"])
    shop.catalogue.collection_store().remove(shop.record.id)
    assert shop.corrections("a") == {}


def test_a_change_that_comes_while_all_is_tagged_again_stays_and_so_does_what_the_source_said(shop: Shop) -> None:
    shop.put("sent", 1)
    before = shop.item("sent")
    shop.put("sent", 2)
    stale = NewItem(before.draft, vector(1), before.id, before.source_digest)
    shop.catalogue.store(shop.record, 2, "e" * 64, [stale], tagger)
    now = shop.item("sent")
    assert (shop.words("sent"), now.source_digest) == (["beagle", "dog", "animal"], before.source_digest)


def test_items_that_lack_tags_are_known(shop: Shop) -> None:
    store = shop.catalogue.tag_store(shop.record.id)
    shop.index("a", 3)
    assert (store.has_live(is_tagged=True), store.has_live(is_tagged=False)) == (True, False)
    item = shop.item("a")
    shop.catalogue.store(shop.record, 2, "e" * 64, [NewItem(item.draft, vector(3), item.id)])
    assert shop.item("a").metadata == {}
    assert (store.has_live(is_tagged=True), store.has_live(is_tagged=False)) == (False, True)
    assert [item.key for page in store.live_pages() for item in page] == ["a"]
