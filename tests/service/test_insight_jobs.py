"""Clusters, outliers and wrong labels as jobs, run by real processes: what they say, leave, and refuse."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from lookalike.images import encode_png
from lookalike.testing import make_picture
from tests.conftest import ShareExports, running_on
from tests.helpers.archives import zip_of
from tests.service.harness import Service, item_path, serving
from tests.service.test_jobs import do, upload

CLASSES, EACH = 3, 8


@pytest.fixture(scope="module", autouse=True)
def users_runtime() -> Iterator[None]:
    """Encoders run as users run them, which starts fastest: each job is a process of its own."""
    with running_on():
        yield


def class_files() -> dict[str, bytes]:
    """Three classes of eight pictures that differ in a stripe; one picture is all but black."""
    files = {}
    for label in range(CLASSES):
        for number in range(EACH):
            picture = np.array(make_picture(label * 10, (160, 120)))
            picture[: 4 + number] = number * 30
            files[f"class-{label}/{number}.png"] = encode_png(picture)
    files["class-0/dark.png"] = encode_png(make_picture(0, (160, 120)) // 8)
    return files


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, share_exports: ShareExports) -> Iterator[Service]:
    """A service with a collection of labelled pictures, one of which is labelled as another class."""
    folder = tmp_path_factory.mktemp("insights")
    share_exports(folder / "data" / "encoders")
    with serving(folder / "data") as running:
        assert do(running, "shop", kind="index", upload=upload(running, zip_of(class_files())))["state"] == "succeeded"
        for key in class_files():
            label = "class-2" if key == "class-1/3.png" else key.partition("/")[0]
            form = {"metadata": f'{{"kind": "{label}"}}'}
            assert running.request("PATCH", item_path(key, collection="shop"), data=form).status_code == 200
        yield running


def rows_of(service: Service, job: dict[str, object]) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = service.get(f"/jobs/{job['id']}/report").json()["rows"]
    return rows


def test_clusters_are_found_reported_and_written_into_a_column(service: Service) -> None:
    job = do(service, "shop", kind="cluster", count=3, name_by="kind", write="group")
    assert job["state"] == "succeeded", job
    assert job["summary"] == {"items": 25, "clusters": 3, "named_by": "kind", "changed": 25}
    rows = rows_of(service, job)
    assert len(rows) == 25
    assert "path" not in rows[0], "paths of the server are nobody's business"
    name = next(row["name"] for row in rows if row["key"] == "class-1/0.png")
    listed = service.get("/collections/shop/items", params={"filter": f'group = "{name}"'}).json()["items"]
    assert {item["key"] for item in listed} == {row["key"] for row in rows if row["name"] == name}
    again = do(service, "shop", kind="cluster", write="group")
    assert (again["state"], again["problem"]["code"], again["problem"]["status"]) == ("failed", "column-conflict", 409)
    assert "25 items have a value in the column 'group'" in again["problem"]["detail"]
    assert "replace=true" in again["problem"]["detail"]


def test_outliers_by_density_and_by_quality(service: Service) -> None:
    job = do(service, "shop", kind="outliers", nearest=5, top=4)
    assert job["state"] == "succeeded", job
    assert (job["summary"]["by"], job["summary"]["items"], job["summary"]["neighbours"]) == ("density", 25, 5)
    assert len(rows_of(service, job)) == 4
    faulty = do(service, "shop", kind="outliers", by="quality")
    assert (faulty["summary"]["pictures"], faulty["summary"]["unreadable"]) == (25, 0)
    assert faulty["summary"]["faults"]["dark"] == 1
    assert [row["key"] for row in rows_of(service, faulty) if row["fault"] == "dark"] == ["class-0/dark.png"]


def test_wrong_labels_are_found_and_a_filter_narrows_where(service: Service) -> None:
    job = do(service, "shop", kind="mislabelled", label="kind")
    assert job["state"] == "succeeded", job
    assert (job["summary"]["items"], job["summary"]["labels"]) == (25, 3)
    found = {row["key"]: row["suggested"] for row in rows_of(service, job)}
    assert found["class-1/3.png"] == "class-1"
    folders = do(service, "shop", kind="mislabelled", labels_from_folders="true", filter="kind in (class-0, class-2)")
    assert folders["summary"]["labels"] == 2


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"kind": "cluster", "count": 0}, "count"),
        ({"kind": "cluster", "name_by": "kind", "names_from_folders": "true"}, "name_by"),
        ({"kind": "cluster", "replace": "true"}, "replace"),
        ({"kind": "outliers", "by": "colour"}, "by"),
        ({"kind": "outliers", "margin": 0.3}, "margin"),
        ({"kind": "mislabelled", "label": "kind", "labels_from_folders": "true"}, "label"),
        ({"kind": "mislabelled", "margin": 5}, "margin"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(service: Service, form: dict[str, object], field: str) -> None:
    response = service.post("/collections/shop/jobs", data=form)
    assert response.status_code == 422, response.text
    assert response.json()["errors"][0]["field"] == field


@pytest.mark.parametrize(
    ("form", "code", "words"),
    [
        ({"kind": "mislabelled", "label": "price"}, "labels-missing", "have no value in the column 'price'"),
        ({"kind": "cluster", "name_by": "price"}, "filter-invalid", "no item has a value in the column 'price'"),
        ({"kind": "outliers", "filter": "price > 3"}, "filter-invalid", "price"),
    ],
)
def test_what_the_collection_does_not_have_fails_the_job(
    service: Service, form: dict[str, object], code: str, words: str
) -> None:
    job = do(service, "shop", **form)
    assert (job["state"], job["problem"]["code"]) == ("failed", code)
    assert words in job["problem"]["detail"]


def test_a_collection_that_there_is_not_is_told(service: Service) -> None:
    for kind in ("cluster", "outliers", "mislabelled"):
        response = service.post("/collections/nothing/jobs", data={"kind": kind})
        assert (response.status_code, response.json()["code"]) == (404, "collection-not-found")
