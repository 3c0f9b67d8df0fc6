"""The client for programs without an event loop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Unpack

from lookalike.client import calls
from lookalike.client.answers import (
    BatchAnswer,
    ChangeEntry,
    CheckAnswer,
    CollectionsSearchAnswer,
    CompareAnswer,
    DecisionAnswer,
    DuplicateDifferenceAnswer,
    DuplicateGroupAnswer,
    DuplicatesAnswer,
    EmbedAnswer,
    FacetsAnswer,
    FilteredChangesAnswer,
    ItemAnswer,
    ItemChangeAnswer,
    ItemsAnswer,
    ListedItemAnswer,
    SearchAnswer,
)
from lookalike.client.changes import Change, interrupted, number_entries, split_changes
from lookalike.client.collection_answers import (
    EncoderRow,
    HealthAnswer,
    ReadyAnswer,
    VersionAnswer,
)
from lookalike.client.collection_methods import CollectionMethods
from lookalike.client.errors import ClientError
from lookalike.client.job_methods import JobMethods
from lookalike.client.options import (
    CollectionsSearchOptions,
    CompareOptions,
    EmbedOptions,
    Filter,
    FilteredEdit,
    ItemEdit,
    ItemPut,
    KeyAndWeight,
    ListingOptions,
    RecommendOptions,
    RefinementOptions,
    SearchOptions,
    SimilarOptions,
    TagOptions,
    at_cursor,
)
from lookalike.client.pictures import Key, Picture, read_once
from lookalike.client.recommend_answer import RecommendAnswer
from lookalike.client.tag_answers import TagsAnswer


class Client(CollectionMethods, JobMethods):
    """A service, asked over HTTP; to be closed, or used in a ``with``. Threads may share one.

    ``timeout`` is in seconds, ``retries`` how often a request is sent again. Methods are named after the operations of
    docs/api.md, which says what their arguments and answers mean; all raise ``ClientError``.
    """

    def search(
        self,
        image: Picture | Sequence[Picture] | None = None,
        *,
        key: str | None = None,
        collection: str | None = None,
        **options: Unpack[SearchOptions],
    ) -> SearchAnswer:
        """The most similar pictures to a picture, to several of one thing, or to the indexed one of ``key``.

        With the option ``text`` those that have its words: alone, or ranked by both.
        """
        return self._send(calls.search(image, key, collection, options))

    def iter_search(
        self,
        image: Picture | Sequence[Picture] | None = None,
        *,
        key: str | None = None,
        collection: str | None = None,
        **options: Unpack[SearchOptions],
    ) -> Iterator[SearchAnswer]:
        """``search``, page after page of ``k``, until there are no more; the picture is sent with each."""
        pictures = read_once(image)
        yield from self._pages(lambda cursor: calls.search(pictures, key, collection, at_cursor(options, cursor)))

    def search_collections(
        self,
        collections: Sequence[str],
        image: Picture | Sequence[Picture] | None = None,
        *,
        key: str | None = None,
        home: str | None = None,
        **options: Unpack[CollectionsSearchOptions],
    ) -> CollectionsSearchAnswer:
        """``search`` in several collections, by confidence; ``home`` is the one that has the item of ``key``."""
        return self._send(calls.search_collections(collections, image, key, home, options))

    def search_batch(
        self, images: Sequence[Picture], *, collection: str | None = None, **options: Unpack[RefinementOptions]
    ) -> BatchAnswer:
        """``search`` for up to 64 pictures; one that is bad has a problem in its place."""
        return self._send(calls.search_batch(images, collection, options))

    def get_similar_items(self, collection: str, key: str, **options: Unpack[SimilarOptions]) -> SearchAnswer:
        """The most similar items to an indexed one, itself left out."""
        return self._send(calls.get_similar_items(collection, key, options))

    def recommend(
        self,
        like: Sequence[KeyAndWeight] = (),
        unlike: Sequence[KeyAndWeight] = (),
        *,
        image: Picture | Sequence[Picture] | None = None,
        collection: str | None = None,
        **options: Unpack[RecommendOptions],
    ) -> RecommendAnswer:
        """The items that suit liked items and pictures best; representative ones where nothing is liked."""
        return self._send(calls.recommend(like, unlike, image, collection, options))

    def iter_recommend(
        self,
        like: Sequence[KeyAndWeight] = (),
        unlike: Sequence[KeyAndWeight] = (),
        *,
        image: Picture | Sequence[Picture] | None = None,
        collection: str | None = None,
        **options: Unpack[RecommendOptions],
    ) -> Iterator[RecommendAnswer]:
        """``recommend``, page after page of ``k``, until there are no more; the pictures are sent with each."""
        pictures = read_once(image)
        yield from self._pages(
            lambda cursor: calls.recommend(like, unlike, pictures, collection, at_cursor(options, cursor))
        )

    def get_facets(
        self, collection: str, names: Sequence[str], *, filter: Filter | None = None, limit: int | None = None
    ) -> FacetsAnswer:
        """Counts of the values of columns, among all items or those that pass a filter."""
        return self._send(calls.get_facets(collection, names, filter, limit))

    def compare(
        self, image_a: Picture | Key, image_b: Picture | Key, **options: Unpack[CompareOptions]
    ) -> CompareAnswer:
        """How alike two pictures are; ``Key("sku-1")`` is an indexed one of ``collection``."""
        return self._send(calls.compare(image_a, image_b, options))

    def embed(self, image: Picture, **options: Unpack[EmbedOptions]) -> EmbedAnswer:
        """A picture's embedding, of unit length."""
        return self._send(calls.embed(image, options))

    def tag_picture(self, image: Picture, **options: Unpack[TagOptions]) -> TagsAnswer:
        """Words for what a picture shows, from the most specific to the most general; none where nothing is sure."""
        return self._send(calls.tag_picture(image, options))

    def check_picture(
        self, collection: str, image: Picture, *, k: int | None = None, threshold: float | None = None
    ) -> CheckAnswer:
        """Whether a picture is new to a collection, a copy of an indexed one, or similar to one."""
        return self._send(calls.check_picture(collection, image, k, threshold))

    def list_items(
        self, collection: str, *, cursor: str | None = None, **options: Unpack[ListingOptions]
    ) -> ItemsAnswer:
        """A page of the items that pass a filter, in the order in which they came or of a field; or those of keys."""
        return self._send(calls.list_items(collection, cursor, options))

    def iter_items(self, collection: str, **options: Unpack[ListingOptions]) -> Iterator[ListedItemAnswer]:
        """All items that pass a filter; ``limit`` is how many are asked for at a time."""
        for page in self._pages(lambda cursor: calls.list_items(collection, cursor, options)):
            yield from page.items

    def delete_items(
        self, collection: str, filter: Filter, *, at_most: int | None = None, dry_run: bool | None = None
    ) -> FilteredChangesAnswer:
        """Remove all items that pass a filter; with ``dry_run`` only count them."""
        return self._send(calls.delete_items(collection, filter, at_most, dry_run))

    def patch_items(
        self,
        collection: str,
        filter: Filter,
        *,
        at_most: int | None = None,
        dry_run: bool | None = None,
        **edit: Unpack[FilteredEdit],
    ) -> FilteredChangesAnswer:
        """Change columns of the metadata of all items that pass a filter, or their title or product."""
        return self._send(calls.patch_items(collection, filter, at_most, dry_run, edit))

    def get_item(self, collection: str, key: str) -> ItemAnswer:
        """An item's row, with its ETag."""
        return self._send(calls.get_item(collection, key))

    def get_item_image(self, collection: str, key: str) -> bytes:
        """The item's file."""
        return self._send(calls.get_item_image(collection, key))

    def get_item_thumbnail(self, collection: str, key: str, *, size: int | None = None) -> bytes:
        """The item's picture as a small JPEG that fits into a square of ``size`` pixels."""
        return self._send(calls.get_item_thumbnail(collection, key, size))

    def put_item(
        self, collection: str, key: str, image: Picture | None = None, **edit: Unpack[ItemPut]
    ) -> ItemChangeAnswer:
        """Add an item, or replace its picture, its metadata or both; what is left out stays as it is."""
        return self._send(calls.put_item(collection, key, image, edit))

    def patch_item(self, collection: str, key: str, **edit: Unpack[ItemEdit]) -> ItemChangeAnswer:
        """Change columns of an item's metadata (None takes one away), its title or its product."""
        return self._send(calls.patch_item(collection, key, edit))

    def delete_item(self, collection: str, key: str, *, if_match: ItemAnswer | str | None = None) -> ItemChangeAnswer:
        """Remove an item."""
        return self._send(calls.delete_item(collection, key, if_match))

    def change_items(self, collection: str, changes: Iterable[Change]) -> list[ChangeEntry]:
        """Make any number of changes, in batches; what became of each, in their order.

        Raises ChangesInterruptedError where something ends it after some were made.
        """
        results: list[ChangeEntry] = []
        try:
            for batch in split_changes(changes):
                results += number_entries(self._send(calls.change_items(collection, batch)), results)
        except ClientError as error:
            if not results:
                raise
            raise interrupted(error, results) from error
        return results

    def list_duplicates(
        self, collection: str, *, kind: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> DuplicatesAnswer:
        """A page of the groups that the last search for duplicates found."""
        return self._send(calls.list_duplicates(collection, kind, limit, cursor))

    def iter_duplicates(
        self, collection: str, *, kind: str | None = None, limit: int | None = None
    ) -> Iterator[DuplicateGroupAnswer]:
        """All groups of duplicates; ``limit`` is how many are asked for at a time."""
        for page in self._pages(lambda cursor: calls.list_duplicates(collection, kind, limit, cursor)):
            yield from page.groups

    def decide_duplicates(self, collection: str, keys: Sequence[str], decision: str) -> DecisionAnswer:
        """Remember that pictures are ``not-duplicates`` of each other, or ``duplicates-after-all``."""
        return self._send(calls.decide_duplicates(collection, keys, decision))

    def get_duplicate_difference(self, collection: str, first: str, second: str) -> DuplicateDifferenceAnswer:
        """The places where two indexed pictures differ."""
        return self._send(calls.get_duplicate_difference(collection, first, second))

    def list_encoders(self) -> list[EncoderRow]:
        """The encoders that requests can name, and those that can be installed."""
        return list(self._send(calls.list_encoders()).encoders)

    def health(self) -> HealthAnswer:
        """Whether the process runs, and what is wrong with it."""
        return self._send(calls.health())

    def ready(self) -> ReadyAnswer:
        """Whether the service can answer; raises UnavailableError while it is starting."""
        return self._send(calls.ready())

    def version(self) -> VersionAnswer:
        """The versions of the service and of its main dependencies."""
        return self._send(calls.version())

    def metrics(self) -> str:
        """Metrics in Prometheus's text format."""
        return self._send(calls.metrics())
