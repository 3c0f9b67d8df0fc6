"""A browser, and the real service on a small real shop."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright

from tests.conftest import running_on
from tests.page.shop import Shop, make_shop, starting
from tests.page.visitor import PATIENCE_MS, Visitor, Windows

CHROMIUM = "/usr/bin/chromium"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a browser; those of its files do not."""
    for item in items:
        if "windows" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")


@pytest.fixture(scope="module")
def windows() -> Iterator[Windows]:
    """Windows of Debian's Chromium, on no screen.

    For one module: while it is there an event loop runs in this thread, and tests elsewhere start their own.
    """
    if shutil.which(CHROMIUM) is None:
        if os.environ.get("CI"):
            pytest.fail(f"there is no {CHROMIUM}: install Debian's package chromium")
        pytest.skip(f"there is no {CHROMIUM} to look at the page with")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        options = ["--process-per-site", "--in-process-gpu"]  # fewer processes: half of the time is theirs
        if os.geteuid() == 0:
            options.append("--no-sandbox")  # Chromium's own does not run as root, which is what containers are
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield Windows(chromium)
        chromium.close()


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Two collections on disk."""
    with running_on():
        return make_shop(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="session")
def address(shop: Shop) -> Iterator[str]:
    """The service over the shop."""
    with starting(shop.data, shop.data.parent / "encoders") as service:
        found = service.ready()
        # The first explanation loads PyTorch, which on a busy machine takes longer than a test waits for a page.
        fields = {"image_a": "plain-02", "image_b": "plain-05", "collection": "shop", "explain": "true"}
        httpx.post(f"{found}compare", data=fields, timeout=120).raise_for_status()
        yield found


@pytest.fixture
def visitor(windows: Windows, address: str) -> Iterator[Visitor]:
    """Somebody who visits the service."""
    yield from visiting(windows, address)


def visiting(windows: Windows, address: str) -> Iterator[Visitor]:
    """A visitor whose pages are closed and judged after the test."""
    someone = Visitor(windows, address)
    yield someone
    someone.close()
    someone.check()
