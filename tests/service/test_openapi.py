"""The pages about the service are those that it would write, and every route is described."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from lookalike.duplicates.report import Action, DuplicateGroup, DuplicateReport, GroupKind, Member
from lookalike.duplicates.stored_report import FILE, store_report
from lookalike.duplicates.subjects import subjects_of
from lookalike.images import encode_png
from lookalike.testing import make_picture
from lookalike.tiers import Tier
from service.routes import (
    calibrations,
    check,
    collection_changes,
    collections,
    compare,
    duplicates,
    filtered_changes,
    item_changes,
    items,
    jobs,
    operations,
    search,
    snapshots,
    uploads,
)
from service.routes import map as map_routes
from tests.service.conftest import Shop
from tests.service.harness import Service, serving
from tools.docs.service_pages import DOCS, PAGES

PICTURE = encode_png(make_picture(1))
FORMS: dict[str, dict[str, Any]] = {
    "/search": {"files": {"image": PICTURE}},
    "/search/batch": {"files": {"image": PICTURE}},
    "/collections/{name}/search": {"data": {"key": "plain-0", "facets": "colour"}},
    "/collections/{name}/facets": {"params": {"names": "colour,price"}},
    "/recommend": {"data": {"like": "plain-0"}},
    "/collections/{name}/recommend": {"data": {"k": "3", "facets": "colour"}},
    "/compare": {"files": {"image_a": PICTURE, "image_b": PICTURE}},
    "/cosine_similarity_score": {"files": {"image_1": PICTURE, "image_2": PICTURE}},
    "/embed": {"files": {"image": PICTURE}},
    "/tags": {"files": {"image": PICTURE}},
    "/collections/{name}/check": {"files": {"image": PICTURE}},
    "/collections/{name}/duplicates/decisions": {
        "data": {"key": ["plain-0", "plain-1"], "decision": "duplicates-after-all"}
    },
    "/collections/{name}/duplicates/difference": {"params": {"first": "plain-0", "second": "plain-1"}},
}


PREPARED = {"/collections/{name}/calibration", "/collections/{name}/map"}
"""Paths that only a calibrated collection has, or one with a map: see ``test_calibrated`` and ``test_map``."""


@pytest.fixture(scope="module")
def document(service: Service) -> dict[str, Any]:
    loaded_document: dict[str, Any] = service.get("/openapi.json").json()
    return loaded_document


def operations_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every operation under its method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


@pytest.mark.parametrize("name", PAGES)
def test_a_written_page_is_current(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"


def test_every_route_is_in_the_document(document: dict[str, Any]) -> None:
    modules = (
        *(calibrations, check, collection_changes, collections, compare, duplicates, filtered_changes, item_changes),
        *(items, jobs, map_routes, operations, search, snapshots, uploads),
    )
    routes = {
        (method, route.path.replace(":path", ""))
        for module in modules
        for route in module.router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    assert len(routes) == 60
    assert {tuple(name.split(" ")) for name in operations_of(document)} == routes


def test_everything_that_the_document_refers_to_is_in_it(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    names = set(re.findall(r'"\$ref": "([^"]*)"', text))
    assert len(names) > 20
    assert names <= {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert "$defs" not in text


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does(document: dict[str, Any]) -> None:
    operations = operations_of(document)
    names = [operation["operationId"] for operation in operations.values()]
    assert len(set(names)) == len(names)
    for path, operation in operations.items():
        assert operation["operationId"].isidentifier(), path
        assert "__" not in operation["operationId"], "made up by the framework"
        assert len(operation["description"].split()) > 1, path
        assert operation["tags"], path
        assert "default" in operation["responses"], path
        assert "422" not in operation["responses"], "problems have one shape"


def test_every_field_that_can_be_sent_is_described(document: dict[str, Any]) -> None:
    count = 0
    for path, operation in operations_of(document).items():
        fields = {parameter["name"]: parameter for parameter in operation.get("parameters", [])}
        for content in operation.get("requestBody", {}).get("content", {}).values():
            if content["schema"].get("format") == "binary":
                continue  # the body is the picture
            assert content["schema"]["additionalProperties"] is False
            fields |= content["schema"]["properties"]
        for name, field in fields.items():
            schema = field.get("schema", field)
            assert field.get("description") or any(choice.get("description") for choice in schema.get("anyOf", [])), (
                f"{path}: {name}"
            )
        count += len(fields)
    assert count > 40


def test_every_form_may_be_sent_in_json_and_in_other_kinds_where_they_can_hold_it(document: dict[str, Any]) -> None:
    parts, urlencoded = {"multipart/form-data", "application/json"}, {"application/x-www-form-urlencoded"}
    picture = {"image/*", "application/octet-stream"}
    kinds = {
        path: set(operation["requestBody"]["content"])
        for path, operation in operations_of(document).items()
        if "requestBody" in operation
    }
    assert kinds == {
        "POST /search": parts | urlencoded | picture,
        "POST /recommend": parts | urlencoded | picture,
        "POST /collections/{name}/recommend": parts | urlencoded | picture,
        "POST /compare": parts | urlencoded,
        "POST /search/batch": parts | picture,
        "POST /cosine_similarity_score": parts,
        "POST /embed": parts | picture,
        "POST /tags": parts | picture,
        "POST /collections/{name}/check": parts | picture,
        "POST /collections/{name}/duplicates/decisions": parts | urlencoded,
        "POST /collections/{name}/search": parts | urlencoded | picture,
        "POST /collections/{name}/items": parts | urlencoded,
        "PUT /collections/{name}": parts | urlencoded,
        "PATCH /collections/{name}": parts | urlencoded,
        "PUT /collections/{name}/pin": parts | urlencoded,
        "PUT /collections/{name}/items/{key}": parts | urlencoded | picture,
        "PATCH /collections/{name}/items/{key}": parts | urlencoded,
        "PATCH /collections/{name}/items": parts | urlencoded,
        "POST /collections/{name}/jobs": parts | urlencoded,
        "POST /uploads": {"application/offset+octet-stream"},
        "POST /uploads/{upload_id}": {"application/offset+octet-stream"},
        "PATCH /uploads/{upload_id}": {"application/offset+octet-stream"},
        "PUT /uploads/{filename}": {"application/offset+octet-stream"},
    }


def test_the_document_has_the_types_of_values_in_json(document: dict[str, Any]) -> None:
    operation = document["paths"]["/search"]["post"]["requestBody"]["content"]
    fields = operation["application/json"]["schema"]["properties"]
    in_parts = operation["multipart/form-data"]["schema"]["properties"]
    assert set(fields) == set(in_parts)
    assert [choice.get("type") for choice in fields["filter"]["anyOf"][0]["anyOf"]] == ["string", "object"]
    assert fields["box"]["anyOf"][0]["type"] == "array"
    assert in_parts["box"]["anyOf"][0]["type"] == "string"
    picture = {"$ref": "#/components/schemas/JsonPicture"}
    assert fields["image"]["anyOf"][0] == picture
    assert fields["image"]["anyOf"][1]["items"] == picture
    assert document["components"]["schemas"]["JsonPicture"]["anyOf"][0]["contentEncoding"] == "base64"
    compare = document["paths"]["/compare"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert compare["properties"]["image_a"]["$ref"] == "#/components/schemas/JsonPictureOrKey"
    assert "x-in-json" not in json.dumps(document)


def test_the_document_has_the_shape_of_a_job_s_events(document: dict[str, Any]) -> None:
    content = document["paths"]["/jobs/{job_id}/events"]["get"]["responses"]["200"]["content"]["text/event-stream"]
    assert set(content["itemSchema"]["properties"]) == {"data", "id", "retry"}
    data = content["itemSchema"]["properties"]["data"]
    assert (data["contentMediaType"], data["contentSchema"]) == (
        "application/json",
        {"$ref": "#/components/schemas/JobAnswer"},
    )
    assert "JobAnswer" in document["components"]["schemas"]


def _read_nothing(_location: str, _limit: int) -> bytes:
    return b""


@pytest.fixture
def report(service: Service, shop: Shop) -> Iterator[None]:
    """A report on duplicates in the shop, for one test."""
    snapshot = service.services.snapshots.current("shop")
    assert snapshot is not None
    items = [snapshot.collection.item(key).draft for key in ("plain-0", "plain-1")]
    keep, drop = subjects_of(items, snapshot.collection.origin.path_of, _read_nothing, owner="shop")
    members = (Member(keep, Action.KEEP, None, "kept"), Member(drop, Action.DROP, Tier.NEAR_DUPLICATE, "a copy"))
    folder = shop.data / "collections/shop"
    group = DuplicateGroup(GroupKind.COPIES, members)
    store_report(folder, DuplicateReport((group,), len(shop.keys), ()), snapshot.generation)
    yield
    (folder / FILE).unlink()


@pytest.mark.usefixtures("report")
def test_answers_have_the_fields_that_the_document_promises(service: Service, document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    compared = 0
    for name, operation in operations_of(document).items():
        method, path = name.split(" ")
        content = operation["responses"].get("200", {}).get("content", {})
        answer = content.get("application/json", {}).get("schema", {})
        is_described = not answer.keys().isdisjoint({"$ref", "anyOf"})
        if not is_described or set(operation["tags"]) & {"changes", "jobs", "uploads"} or path in PREPARED:
            continue
        url = path.replace("{name}", "shop").replace("{key}", "plain-0")
        response = service.request(method, url, **FORMS.get(path, {}))
        assert response.status_code == 200, name
        _compare(response.json(), answer, schemas, name)
        compared += 1
    assert compared == 25


def test_changes_have_the_answers_that_the_document_promises(tmp_path: Path, document: dict[str, Any]) -> None:
    item = "/collections/{name}/items/{key}"
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("PUT", "/collections/{name}", {"data": {"encoder": "bundled"}}),
        ("PUT", item, {"files": {"image": ("a.png", PICTURE)}}),
        ("PATCH", item, {"data": {"metadata": '{"n": 1}'}}),
        ("POST", "/collections/{name}/items", {"data": {"changes": '[{"op": "delete", "key": "no-such"}]'}}),
        ("PATCH", "/collections/{name}/items", {"data": {"filter": "key exists", "metadata": '{"n": 2}'}}),
        ("DELETE", "/collections/{name}/items", {"params": {"filter": "n = 1"}}),
        ("POST", "/collections/{name}/fold", {}),
        ("DELETE", item, {}),
        ("PATCH", "/collections/{name}", {"data": {"columns": '{"price": "number"}'}}),
        ("PUT", "/collections/{name}/pin", {"data": {"snapshot": "1"}}),
        ("DELETE", "/collections/{name}/pin", {}),
        ("DELETE", "/collections/{name}", {"params": {"confirm": "own"}}),
        ("POST", "/collections/{name}/restore", {}),
    ]
    operations = operations_of(document)
    assert {f"{method} {path}" for method, path, _ in requests} == {
        name for name, operation in operations.items() if "changes" in operation["tags"]
    }
    with serving(tmp_path) as service:
        for method, path, options in requests:
            url = path.replace("{name}", "own").replace("{key}", "a")
            response = service.request(method, url, **options)
            assert response.is_success, f"{method} {path}: {response.text}"
            answer = operations[f"{method} {path}"]["responses"]["200"]["content"]["application/json"]["schema"]
            _compare(response.json(), answer, document["components"]["schemas"], f"{method} {path}")


def test_jobs_and_uploads_have_the_answers_that_the_document_promises(tmp_path: Path, document: dict[str, Any]) -> None:
    job, upload = "/jobs/{job_id}", "/uploads/{upload_id}"
    requests: list[tuple[str, str, int, dict[str, Any]]] = [
        ("POST", "/uploads", 201, {"content": b"x"}),
        ("PUT", "/uploads/{filename}", 201, {"content": b"x"}),
        ("GET", upload, 200, {}),
        ("POST", "/collections/{name}/jobs", 202, {"data": {"kind": "evaluate"}}),
        ("GET", "/collections/{name}/jobs", 200, {}),
        ("GET", "/jobs", 200, {}),
        ("GET", job, 200, {}),
        ("DELETE", job, 200, {}),
        ("POST", job + "/cancel", 200, {}),
    ]
    operations = operations_of(document)
    with serving(tmp_path, max_jobs=0) as service:
        service.request("PUT", "/collections/own", data={"encoder": "bundled"})
        made: dict[str, str] = {}
        for method, path, status, options in requests:
            url = path.format(name="own", filename="a.zip", job_id=made.get("job"), upload_id=made.get("upload"))
            response = service.request(method, url, **options)
            assert response.status_code == status, f"{method} {path}: {response.text}"
            if "location" in response.headers:
                made[response.headers["location"].split("/")[1].rstrip("s")] = response.json()["id"]
            answer = operations[f"{method} {path}"]["responses"][str(status)]["content"]["application/json"]["schema"]
            _compare(response.json(), answer, document["components"]["schemas"], f"{method} {path}")


def test_an_answer_of_several_collections_has_the_fields_that_the_document_promises(
    service: Service, document: dict[str, Any]
) -> None:
    schemas = document["components"]["schemas"]
    fields = {"collections": "shop", "rank_by": "score", "facets": "colour", "filter": "colour = red"}
    response = service.search(PICTURE, **fields)
    assert response.status_code == 200, response.text
    promised = document["paths"]["/search"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    _compare(response.json(), promised["anyOf"][1], schemas, "POST /search")
    (hit,) = response.json()["results"]
    _compare(hit, {"$ref": "#/components/schemas/CollectionHitAnswer"}, schemas, "POST /search")


def _compare(value: Any, schema: dict[str, Any], schemas: dict[str, Any], where: str) -> None:
    """Fail unless objects have exactly the properties of their schema, at every depth."""
    if "anyOf" in schema:
        schema = next((choice for choice in schema["anyOf"] if "$ref" in choice), {})
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if isinstance(value, list):
        for number, inner in enumerate(value):
            _compare(inner, schema.get("items", {}), schemas, f"{where}[{number}]")
    elif isinstance(value, dict) and "properties" in schema:
        assert set(value) == set(schema["properties"]), where
        for name, inner in value.items():
            _compare(inner, schema["properties"][name], schemas, f"{where}.{name}")


def test_the_reference_and_all_it_needs_come_from_this_machine(service: Service) -> None:
    page = service.get("/docs")
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "default-src 'self'" in page.headers["content-security-policy"]
    for path in ("docs/assets/swagger-ui.css", "docs/assets/swagger-ui-bundle.js", "static/reference.js"):
        assert f'"{path}"' in page.text
        assert service.get(f"/{path}").status_code == 200


def test_a_method_that_a_path_does_not_have_is_told_which_it_has(service: Service, document: dict[str, Any]) -> None:
    patterns = [
        (re.sub(r"{\w+}", "[^/]+", path.replace("{key}", ".+")), {method.upper() for method in methods})
        for path, methods in document["paths"].items()
    ]
    for path in document["paths"]:
        url = path.replace("{name}", "shop").replace("{key}", "plain-0")
        refused = service.request("TRACE", url)
        assert (refused.status_code, refused.json()["code"]) == (405, "method-not-allowed"), path
        allowed = {method.strip() for method in refused.headers["Allow"].split(",")}
        expected = [methods for pattern, methods in patterns if re.fullmatch(pattern, url)]
        assert allowed == set().union(*expected), path
