"""Clusters are what was drawn, with names that tell them apart, and become a column that is filtered by."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike.catalogue.live_changes import LiveChange
from lookalike.collection.pins import roll_back
from lookalike.errors import (
    CollectionPinnedError,
    ColumnConflictError,
    FilterInvalidError,
    MetadataInvalidError,
    VectorsInvalidError,
)
from lookalike.insights import kmeans, subset
from lookalike.insights.clusters import Clustering
from lookalike.wiring import INDEX_TYPES
from tests.helpers.drawn_collection import directions, drawn_collection
from tests.helpers.shop_collection import Shop

COUNTS = (20, 12, 8)


def keys_of(clustering: Clustering) -> list[set[str]]:
    return [{item.key for item in clustering.members(cluster)} for cluster in clustering.clusters]


def drawn_keys() -> list[set[str]]:
    ends = np.cumsum(COUNTS).tolist()
    return [{f"{number:03d}" for number in range(start, end)} for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def test_clusters_are_those_that_were_drawn_the_largest_first(shop: Shop) -> None:
    vectors = directions(COUNTS)
    collection = drawn_collection(shop, vectors)
    for clustering in (collection.clusters(3), collection.clusters()):
        assert keys_of(clustering) == drawn_keys()
        assert [cluster.name for cluster in clustering.clusters] == ["cluster 1", "cluster 2", "cluster 3"]
        assert (clustering.count, clustering.named_by) == (40, None)
    assert collection.clusters().is_count_chosen
    assert not collection.clusters(3).is_count_chosen


def test_the_representative_is_the_item_nearest_to_the_mean_and_members_follow_by_nearness(shop: Shop) -> None:
    vectors = directions(COUNTS)
    clustering = drawn_collection(shop, vectors).clusters(3)
    first = clustering.clusters[0]
    mean = vectors[:20].astype(np.float64).mean(axis=0)
    cosines = vectors[:20] @ (mean / np.linalg.norm(mean))
    order = [f"{number:03d}" for number in np.argsort(-cosines, kind="stable")]
    assert first.representative.key == order[0]
    assert [item.key for item in clustering.members(first)] == order
    assert first.cosines == pytest.approx(np.sort(cosines)[::-1], abs=1e-5)
    assert first.cosine == pytest.approx(cosines.mean(), abs=1e-3)


def test_a_filter_leaves_other_items_out(shop: Shop) -> None:
    collection = drawn_collection(shop, directions(COUNTS), [{"number": number} for number in range(40)])
    clustering = collection.clusters(2, where="number >= 20")
    assert keys_of(clustering) == drawn_keys()[1:]


def test_names_are_values_that_are_commoner_in_a_cluster_than_elsewhere(shop: Shop) -> None:
    tags = [["photo", "mug"]] * 20 + [["photo", "shoe", "red"]] * 12 + [["photo", "shoe"]] * 8
    collection = drawn_collection(shop, directions(COUNTS), [{"auto_tags": tag} for tag in tags])
    clustering = collection.clusters(3)
    assert clustering.named_by == "auto_tags"
    assert [cluster.name for cluster in clustering.clusters] == ["mug", "red / shoe", "shoe"]
    (value, *_) = clustering.clusters[2].values
    assert (value.value, value.share) == ("shoe", 1.0)
    assert value.lift == pytest.approx(40 / 20)
    assert all(value.value != "photo" for cluster in clustering.clusters for value in cluster.values)


def test_names_come_from_a_column_that_is_given_and_from_folders(shop: Shop) -> None:
    metadata = [{"auto_tags": ["thing"], "colour": colour} for colour in ["red"] * 20 + ["blue"] * 12 + ["blue"] * 8]
    folders = ["mugs"] * 20 + ["left"] * 12 + ["right"] * 8
    keys = [f"{folder}/{number}.jpg" for number, folder in enumerate(folders)]
    collection = drawn_collection(shop, directions(COUNTS), metadata, keys=keys)
    by_colour = collection.clusters(3, name_by="colour")
    assert [cluster.name for cluster in by_colour.clusters] == ["red", "blue", "blue 2"]
    by_folder = collection.clusters(3, names_from_folders=True)
    assert [cluster.name for cluster in by_folder.clusters] == ["mugs", "left", "right"]
    assert by_folder.named_by == "folder names"
    with pytest.raises(FilterInvalidError, match=r"name_by: no item has a value in the column 'color' \(there are: au"):
        collection.clusters(name_by="color")
    with pytest.raises(FilterInvalidError, match="name_by: a column and the names of folders exclude"):
        collection.clusters(name_by="colour", names_from_folders=True)


@pytest.mark.parametrize("count", [0, -1, 1001])
def test_a_count_that_cannot_be_is_refused(shop: Shop, count: int) -> None:
    with pytest.raises(FilterInvalidError, match="count: 1 to 1000 clusters are possible, got"):
        drawn_collection(shop, directions((3,))).clusters(count)


def test_few_and_equal_and_no_items_have_clusters_too(shop: Shop) -> None:
    assert drawn_collection(shop, directions((0,))).clusters().clusters == ()
    same = drawn_collection(shop, np.repeat(directions((1,)), 9, axis=0))
    assert [cluster.size for cluster in same.clusters().clusters] == [9]
    assert [cluster.size for cluster in same.clusters(4).clusters] == [9], "there is one vector"


def test_one_item_is_one_cluster_named_by_its_commonest_value(shop: Shop) -> None:
    (cluster,) = drawn_collection(shop, directions((1,)), [{"label": "mug"}]).clusters().clusters
    assert (cluster.name, cluster.size, cluster.representative.key) == ("mug", 1, "000")


def test_many_items_are_fitted_to_a_sample_and_read_in_blocks(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lookalike.insights.clusters.MAX_FITTED", 20)
    monkeypatch.setattr(subset, "BLOCK", 7)
    collection = drawn_collection(shop, directions(COUNTS))
    assert keys_of(collection.clusters(3)) == drawn_keys()


def test_a_vector_that_is_not_finite_is_told_with_its_item(shop: Shop) -> None:
    collection = drawn_collection(shop, directions(COUNTS))
    vector = collection.vector("005").copy()
    vector[2] = np.nan
    collection.change_items([LiveChange("005", collection.item("005").draft, vector)])
    with pytest.raises(VectorsInvalidError, match="the vector of '005' has numbers that are not finite"):
        collection.with_live_changes().clusters(3)


def test_the_silhouette_is_that_of_all_pairs() -> None:
    vectors, labels = directions((5, 4, 1), spread=0.5), np.repeat([0, 1, 2], (5, 4, 1))
    distances = 1 - vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    values = []
    for own in range(10):
        others = {label: [distances[own, other] for other in range(10) if labels[other] == label and other != own]
                  for label in range(3)}  # fmt: skip
        inner = others.pop(int(labels[own]))
        if not inner:
            values.append(0.0)
            continue
        near = min(float(np.mean(row)) for row in others.values())
        values.append((near - np.mean(inner)) / max(near, float(np.mean(inner))))
    assert kmeans.silhouette(vectors, labels) == pytest.approx(np.mean(values), abs=1e-6)
    assert kmeans.silhouette(vectors, np.zeros(10, np.int64)) == 0.0


@pytest.mark.parametrize("group_count", [2, 3, 5, 8])
def test_the_number_of_well_separated_groups_is_found(group_count: int) -> None:
    assert kmeans.choose_count(directions((30,) * group_count, spread=0.05)) == group_count


def test_a_column_of_clusters_is_filtered_by_at_once(shop: Shop) -> None:
    collection = drawn_collection(shop, directions(COUNTS), [{"label": "a"}] * 20 + [{"label": "b"}] * 20)
    clustering = collection.clusters(3)
    written = collection.write_clusters(clustering, "group")
    assert (written.changed, written.unchanged, written.missed) == (40, 0, 0)
    now = collection.with_live_changes()
    assert now.count("group = a") == 20
    assert now.count('group = "b 2"') == 8
    assert {hit.metadata["group"] for hit in now.similar("001", 5, where="group = a")} == {"a"}
    assert now.item("001").metadata == {"label": "a", "group": "a"}, "other columns stay"


def test_a_column_with_values_is_written_only_if_that_is_agreed_to(shop: Shop) -> None:
    collection = drawn_collection(shop, directions(COUNTS), [{"label": "a", "number": 5}] + [{}] * 39)
    clustering = collection.clusters(3)
    with pytest.raises(ColumnConflictError, match=r"1 item has a value in the column 'number' already.*--replace"):
        collection.write_clusters(clustering, "number")
    assert collection.write_clusters(clustering, "number", as_number=True, replace=True).changed == 40
    now = collection.with_live_changes()
    assert [now.count(f"number = {number}") for number in (1, 2, 3)] == list(COUNTS)
    again = now.write_clusters(now.clusters(3), "number", as_number=True, replace=True)
    assert (again.changed, again.unchanged) == (0, 40)


def test_what_others_changed_meanwhile_stays(shop: Shop) -> None:
    collection = drawn_collection(shop, directions(COUNTS))
    clustering = collection.clusters(3)
    collection.change_items([LiveChange("003")])
    written = collection.write_clusters(clustering, "group")
    assert (written.changed, written.missed) == (39, 1)
    assert len(collection.with_live_changes()) == 39


def test_a_column_that_cannot_be_written_is_refused(shop: Shop) -> None:
    collection = drawn_collection(shop, directions(COUNTS))
    clustering = collection.clusters(3)
    with pytest.raises(FilterInvalidError, match="write: '' cannot name a column"):
        collection.write_clusters(clustering, "")
    collection.configure(columns={"group": "number"})
    with pytest.raises(MetadataInvalidError, match="group"):
        collection.write_clusters(clustering, "group")
    assert collection.write_clusters(clustering, "group", as_number=True).changed == 40


def test_a_pinned_collection_is_not_written_to(shop: Shop) -> None:
    collection = drawn_collection(shop, directions(COUNTS))
    drawn_collection(shop, directions(COUNTS), keys=[f"x{number}" for number in range(40)])
    roll_back(shop.layout, shop.catalogue, INDEX_TYPES)
    with pytest.raises(CollectionPinnedError):
        collection.write_clusters(collection.clusters(3), "group")
