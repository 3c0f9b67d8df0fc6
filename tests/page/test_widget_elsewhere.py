"""The widget on a page of another origin than the service's, which names that origin, or does not."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.page.shop import Shop, starting
from tests.page.test_widget import PAGE, element, told
from tests.page.visitor import DESKTOP, Windows

DECODED = "async (image) => { await image.decode(); return image.naturalWidth }"


@dataclass
class OtherSite:
    """The shop's own server, whose one page is ``html``.

    It is a real one: browsers keep pages of the internet, as which a pretended one counts, from asking this machine.
    """

    port: int
    html: str = ""


@pytest.fixture(scope="module")
def site() -> Iterator[OtherSite]:
    """The server of a shop."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the server's own name
            body = opened.html.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    opened = OtherSite(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield opened
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def service_address(shop: Shop, site: OtherSite) -> Iterator[str]:
    """The service below a path, open to the shop's origin."""
    settings = {"LOOKALIKE_CORS_ORIGINS": f"http://localhost:{site.port}", "LOOKALIKE_ROOT_PATH": "/images"}
    with starting(shop.data, shop.data.parent / "encoders", **settings) as service:
        yield f"{service.ready()}images"


def open_page(windows: Windows, site: OtherSite, address: str, host: str = "localhost", **attributes: str) -> Page:
    """The page of a shop at its own origin, with the widget of the service in it."""
    site.html = PAGE.replace("/widget.js", f"{address}/widget.js").replace("BODY", element(k="3", **attributes))
    page = windows.tab(**DESKTOP)
    page.goto(f"http://{host}:{site.port}/")
    return page


@pytest.mark.parametrize("key", [{}, {"api_key": "any-key-will-do"}], ids=["without a key", "with a key"])
def test_a_shop_that_the_service_names_sees_its_items_and_their_pictures(
    windows: Windows, site: OtherSite, service_address: str, key: dict[str, str]
) -> None:
    page = open_page(windows, site, service_address, href="/p/{key}", **key)
    (results,) = told(page, "results")
    images = page.get_by_role("img")
    expect(images).to_have_count(3)
    for image in images.all():
        expect(image).to_have_attribute("src", re.compile("."))
        assert image.evaluate(DECODED) > 0
    links = page.get_by_role("link").evaluate_all("(links) => links.map((link) => link.href)")
    assert len(results["keys"]) == 3
    assert all(link.startswith(f"http://localhost:{site.port}/p/") for link in links)
    page.close()


def test_another_site_sees_nothing(windows: Windows, site: OtherSite, service_address: str) -> None:
    page = open_page(windows, site, service_address, host="127.0.0.1")
    assert told(page, "error") == [{"name": "error", "code": "unreachable", "status": 0}]
    expect(page.locator("lookalike-similar")).to_be_hidden()
    page.close()
