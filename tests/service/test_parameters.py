"""Query parameters: every route refuses those that it does not have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Mount

from lookalike.options import Places
from service.app import create_app
from service.http import field_errors
from service.http.strict_route import StrictRoute
from service.routes import page
from service.settings import Settings
from tests.service.harness import Service, item_path

APP = create_app(Settings(Places(Path("nowhere"))))
PAGES = {"/", "/docs", "/favicon.ico", "/widget.js"}
ROUTES = [route for route in APP.routes if isinstance(route, StrictRoute)]


def request(service: Service, route: StrictRoute, query: str) -> Any:
    """A request to a route of the shop, without a body."""
    path = route.path.replace("{name}", "shop").replace("{key:path}", "plain-0")
    (method,) = route.methods or {"GET"}
    return service.request(method, f"{path}?{query}")


def test_all_routes_but_the_pages_for_browsers_are_strict() -> None:
    assert len(ROUTES) == 61
    others = {getattr(route, "path", "") for route in APP.routes if not isinstance(route, StrictRoute)}
    assert others == PAGES | {"/static", "/docs/assets"}
    assert {route.path for route in APP.routes if isinstance(route, Mount)} == {"/static", "/docs/assets"}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.name}")
def test_an_unknown_parameter_is_refused_and_those_that_exist_are_named(service: Service, route: StrictRoute) -> None:
    refused = request(service, route, "colour=red")
    assert (refused.status_code, refused.json()["code"]) == (422, "field-invalid")
    assert refused.headers["content-type"] == "application/problem+json"
    (error,) = refused.json()["errors"]
    assert (error["field"], error["code"]) == ("colour", "extra-forbidden")
    if route.parameter_names:
        assert error["message"] == f"is unknown; the parameters are {', '.join(route.parameter_names)}"
    else:
        assert error["message"] == "is unknown; this path has no parameters"
    for name in route.parameter_names:
        (close,) = request(service, route, f"{name}x=1").json()["errors"]
        assert close["message"].startswith(f"is unknown; did you mean {name}? the parameters are ")
        repeated = request(service, route, f"{name}=1&{name}=1").json()
        assert [(error["field"], error["code"]) for error in repeated["errors"]] == [(name, "repeated")]


def test_the_parameters_are_those_of_the_document() -> None:
    assert {
        f"{' '.join(route.methods or ())} {route.path}": route.parameter_names
        for route in ROUTES
        if route.parameter_names
    } == {
        "GET /collections/{name}/items/{key:path}/similar": [
            *("k", "min_score", "threshold", "tiers", "text", "text_match", "text_weight"),
            *("filter", "fallback", "group_by", "group_size", "stack", "group_score"),
            *("dedupe", "exclude_keys", "diversity", "boost", "like_keys", "unlike_keys", "include_liked"),
            *("facets", "cursor"),
        ],
        "GET /collections/{name}/facets": ["names", "filter", "limit"],
        "GET /collections/{name}/duplicates": ["limit", "cursor", "kind"],
        "GET /collections/{name}/duplicates/difference": ["first", "second"],
        "GET /collections/{name}/items": [
            *("limit", "cursor", "filter", "order_by", "order", "keys", "sample", "vectors", "group_by", "stack"),
        ],
        "DELETE /collections/{name}/items": ["filter", "at_most", "dry_run"],
        "DELETE /collections/{name}": ["confirm"],
        "GET /collections/{name}/items/{key:path}/thumbnail": ["size"],
        "POST /cosine_similarity_score": ["model_name"],
        "GET /jobs": ["limit", "cursor", "state"],
        "GET /collections/{name}/jobs": ["limit", "cursor", "state"],
        "GET /jobs/{job_id}/report": ["format"],
        "POST /uploads": ["filename"],
        "GET /collections/{name}/map": ["field", "groups", "limit"],
    }


def test_a_field_of_the_form_in_the_query_string_is_told_where_it_belongs(service: Service) -> None:
    (error,) = service.post("/search?k=2", data={"key": "plain-0"}).json()["errors"]
    assert error == {
        "field": "k",
        "code": "extra-forbidden",
        "message": "is a field of the form; send it in the body, not in the query string",
    }


def test_parameters_that_exist_are_taken_and_their_limits_told(service: Service) -> None:
    path = item_path("plain-0", "similar")
    assert len(service.get(f"{path}?k=2&min_score=-1").json()["results"]) == 2
    errors = service.get(f"{path}?k=0&min_score=2&threshold=half&tiers=perhaps").json()["errors"]
    assert {error["field"]: error["message"] for error in errors} == {
        "k": "must be at least 1",
        "min_score": "must be at most 1",
        "threshold": "must be a number",
        "tiers": "must be true or false",
    }
    (limit,) = service.get("/collections/shop/items?limit=501").json()["errors"]
    assert (limit["field"], limit["message"]) == ("limit", "must be at most 500")


@pytest.mark.parametrize("path", ["/", "/docs", "/favicon.ico", "/static/reference.js", "/docs/assets/swagger-ui.css"])
def test_pages_for_browsers_take_what_links_and_caches_add(service: Service, path: str) -> None:
    assert service.get(f"{path}?v=2&utm_source=mail").status_code == 200


def test_the_requests_of_the_page_have_no_other_parameters() -> None:
    scripts = [path.read_text(encoding="utf-8") for path in (page.STATIC / "js").rglob("*.js")]
    assert sum("?size=" in script for script in scripts) == 3
    assert sum("/jobs?limit=" in script for script in scripts) == 1


def test_no_sentence_of_the_validation_library_is_passed_on() -> None:
    strange = {"type": "url_scheme", "loc": ("k",), "msg": "URL scheme should be 'http'", "ctx": {}}
    assert field_errors.validation_problems([strange], {}, kind="field") == [
        {"field": "k", "code": "url-scheme", "message": "is not valid"}
    ]
