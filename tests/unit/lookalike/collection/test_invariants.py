"""What is true of a collection after any sequence of runs, interruptions, rollbacks and re-encodings."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lookalike.catalogue.database import Database
from lookalike.catalogue.repository import Catalogue
from lookalike.collection.layout import CollectionLayout
from tests.helpers.shop_collection import SPEC, Shop, search, vector

PICTURES = st.dictionaries(
    st.sampled_from("abcdefgh"), st.sampled_from(["cat", "dog", "hen", "cow", "pig"]), max_size=8
)
KEEP = 2


class CollectionMachine(RuleBasedStateMachine):
    """A model beside the real thing: what each published generation must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.catalogue = Catalogue(Database.open(f"sqlite:///{self.folder / 'catalogue.db'}"))
        self.shop = Shop(CollectionLayout.of(self.folder / "collections", "shop"), self.catalogue)
        self.published: dict[int, dict[str, str]] = {}
        self.spec = SPEC

    @rule(pictures=PICTURES)
    def index(self, pictures: dict[str, str]) -> None:
        manifest = self.shop.index(pictures, self.spec, keep=KEEP)
        self.published[manifest.generation] = pictures

    @rule(pictures=PICTURES)
    def die_before_publishing(self, pictures: dict[str, str]) -> None:
        with self.shop.run(self.spec, keep=KEEP) as builder:
            self.shop.take(builder, pictures)

    @rule(pictures=PICTURES)
    def die_after_dropping(self, pictures: dict[str, str]) -> None:
        with self.shop.run(self.spec, keep=KEEP) as builder:
            self.shop.take(builder, pictures)
            builder.remove_absent()

    @rule(pictures=PICTURES, number=st.integers(0, 9))
    def change_the_encoder(self, pictures: dict[str, str], number: int) -> None:
        self.spec = replace(SPEC, weights_digest=str(number) * 64)
        manifest = self.shop.index(pictures, self.spec, keep=KEEP, other=True)
        self.published[manifest.generation] = pictures

    @precondition(lambda self: len(self.published) > 1)
    @rule()
    def roll_back(self) -> None:
        self.shop.layout.point_to(self.shop.layout.complete_generations()[0])

    @rule()
    def reopen(self) -> None:
        self.catalogue.close()
        self.shop.catalogue = self.catalogue = Catalogue(Database.open(f"sqlite:///{self.folder / 'catalogue.db'}"))

    @invariant()
    def every_kept_snapshot_is_whole(self) -> None:
        for generation in self.shop.layout.complete_generations():
            pictures = self.published[generation]
            searcher = self.shop.searcher(generation)
            searcher.check_rows()
            assert self.shop.keys(generation) == sorted(pictures)
            for key, content in pictures.items():
                item = searcher.item(key)
                np.testing.assert_allclose(searcher.vector(item.id), vector(content), atol=1e-6)
                first = search(searcher, vector(content), 1)[0]
                assert pictures[first.key] == content, "rank 1 is the picture, or an exact copy of it"

    @invariant()
    def few_snapshots_are_kept_and_the_current_one_is_among_them(self) -> None:
        complete = self.shop.layout.complete_generations()
        assert len(complete) <= KEEP + 1
        if complete:
            assert self.shop.layout.current() in complete

    def teardown(self) -> None:
        self.catalogue.close()
        shutil.rmtree(self.folder)


TestCollection = CollectionMachine.TestCase
TestCollection.settings = settings(
    max_examples=12,
    stateful_step_count=12,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
