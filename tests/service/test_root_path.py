"""Below a path of a proxy, which takes the path off or does not: what is answered leads back below it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest

from lookalike.images import encode_png
from lookalike.options import Places
from lookalike.testing import make_picture
from service.app import create_app
from service.settings import Settings, SettingsError, read_root_path
from tests.service.conftest import HARD_KEYS, Shop
from tests.service.harness import Service, item_path, serving, without_times

ROOT = "/shop/images"
PICTURE = encode_png(make_picture(1))
LINK = re.compile(r"""(?:href|src|url)\s*[=:(]\s*["']([^"'#]+)["'#]""")


@pytest.fixture(scope="module")
def below(shop: Shop) -> Iterator[Service]:
    """The shop below a path."""
    with serving(shop.data, root_path=ROOT) as running:
        yield running


@pytest.mark.parametrize("sent", ["", ROOT], ids=["taken off", "as it came"])
class TestBothKindsOfProxies:
    """Requests as they come from a proxy that takes the path off, and from one that does not."""

    def test_items_with_every_kind_of_key_are_there(self, below: Service, sent: str) -> None:
        for key in HARD_KEYS:
            answer = below.get(sent + item_path(key))
            assert (answer.status_code, answer.json()["key"]) == (200, key)
            assert answer.json()["image_url"] == ROOT + item_path(key, "image")
            assert answer.json()["thumbnail_url"] == ROOT + item_path(key, "thumbnail")

    def test_answers_are_those_without_a_path_but_for_their_links(
        self, below: Service, service: Service, sent: str
    ) -> None:
        asked = {"data": {"k": "3"}, "files": {"image": PICTURE}}
        answer, plain = below.post(f"{sent}/search", **asked), service.post("/search", **asked)
        for result in plain.json()["results"]:
            assert not result["image_url"].startswith(ROOT)
        expected = plain.text.replace('"/collections/', f'"{ROOT}/collections/')
        assert answer.status_code == 200
        assert without_times(answer.json())["results"] == without_times(json.loads(expected))["results"]
        for result in answer.json()["results"]:
            assert below.get(result["image_url"]).status_code == 200

    def test_every_link_of_the_page_and_the_reference_leads_below_the_path(self, below: Service, sent: str) -> None:
        seen = 0
        for path in ("/", "/docs"):
            page = below.get(sent + path)
            assert page.status_code == 200
            for link in LINK.findall(page.text):
                address = urljoin(f"http://localhost{ROOT}{path}", link)
                assert address.startswith(f"http://localhost{ROOT}/"), link
                assert below.get(sent + address.removeprefix(f"http://localhost{ROOT}")).status_code == 200, link
                seen += 1
        assert seen > 60

    def test_problems_name_the_path_that_the_client_sees(self, below: Service, sent: str) -> None:
        for path, status in (("/nowhere", 404), ("/collections/none", 404), ("/collections?" + "a&" * 64, 422)):
            refused = below.get(sent + path)
            assert (refused.status_code, refused.json()["instance"]) == (status, ROOT + path.partition("?")[0])

    def test_the_document_names_the_path(self, below: Service, sent: str) -> None:
        document = below.get(f"{sent}/openapi.json").json()
        assert document["servers"] == [{"url": ROOT}]
        assert "/search" in document["paths"]

    def test_health_and_head_are_answered(self, below: Service, sent: str) -> None:
        assert below.get(f"{sent}/ready").status_code == 200
        assert below.request("HEAD", sent + item_path(HARD_KEYS[0], "image")).status_code == 200


def test_the_path_itself_leads_to_the_page(below: Service) -> None:
    answer = below.get(f"{ROOT}?x=1")
    assert (answer.status_code, answer.headers["location"]) == (308, f"{ROOT}/?x=1")
    assert "x-request-id" in answer.headers
    assert below.get(f"{ROOT}/").headers["content-type"].startswith("text/html")


def test_what_only_begins_like_the_path_is_not_below_it(below: Service) -> None:
    for path in (f"{ROOT}-2/health", f"{ROOT}{ROOT}/health", "/shop/health", f"{ROOT}//health"):
        assert below.get(path).status_code == 404, path


def test_without_a_path_nothing_is_said_of_one(service: Service) -> None:
    assert "servers" not in service.get("/openapi.json").json()
    assert service.get(f"{ROOT}/health").status_code == 404


def test_scripts_and_styles_name_no_file_from_the_root_of_the_site() -> None:
    files = Path(__file__).resolve().parents[2] / "service/static"
    names = [path for kind in ("js", "css", "html") for path in files.rglob(f"*.{kind}")]
    assert len(names) > 50
    for path in names:
        text = path.read_text(encoding="utf-8")
        rooted = re.findall(
            r"""["'`(](/(?:static|docs|collections|search|compare|health|ready|version|encoders)\b[^"'`)]*)""", text
        )
        assert rooted == [], path


@pytest.mark.parametrize(("word", "path"), [("", ""), ("/", ""), ("/images", "/images"), (" /a/b-c/ ", "/a/b-c")])
def test_a_path_is_read_with_or_without_a_slash_at_its_end(word: str, path: str) -> None:
    assert read_root_path(word) == path


@pytest.mark.parametrize(
    "word", ["images", "https://a.example/images", "/a//b", "/..", "/a/../b", "/a b", "/%2F", "/é"]
)
def test_what_is_no_path_does_not_start(word: str) -> None:
    with pytest.raises(SettingsError, match="is no path to be below"):
        read_root_path(word)


@pytest.mark.parametrize("word", ["/search", "/collections", "/docs/images", "/static"])
def test_a_path_that_is_the_services_own_does_not_start(word: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="a path of the service itself"):
        create_app(Settings(Places(tmp_path), root_path=word))
