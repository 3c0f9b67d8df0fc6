"""Somebody who looks at the page with a browser, and notices what should never happen on it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Route, expect

DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 860}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
PATIENCE_MS = 30_000
"""How long a visitor waits for anything; a machine that does much else has kept a click waiting for ten seconds."""

_TRANSFER = """(files) => {
  const transfer = new DataTransfer();
  for (const [name, type, data] of files) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type }));
  }
  return transfer;
}"""

Named = tuple[str, str, bytes]
"""Name, media type and bytes of a file."""


def jpeg(data: bytes, name: str = "mine.jpg") -> Named:
    """A JPEG as a person has it in a folder."""
    return name, "image/jpeg", data


class Windows:
    """Browser windows by what they look like. They stay open, for to open one takes longer than a test in it."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: dict[str, BrowserContext] = {}

    def tab(self, **options: Any) -> Page:
        """A new tab in a window with these options; what a tab remembers no other tab knows."""
        name = json.dumps(options, sort_keys=True)
        if name not in self._contexts:
            self._contexts[name] = self._browser.new_context(**options)
            self._contexts[name].set_default_timeout(PATIENCE_MS)
        return self._contexts[name].new_page()


@dataclass
class Visitor:
    """Opens pages of one service; ``check`` fails if one of them misbehaved."""

    windows: Windows
    address: str
    forgiven: list[str] = field(default_factory=list)
    _complaints: list[str] = field(default_factory=list)
    _tabs: list[Page] = field(default_factory=list)

    def open(self, place: str = "", *, clock: bool = False, **options: Any) -> Page:
        """A tab at a place of the page, such as ``#/compare``; with ``clock`` the test sets its time."""
        page = self.windows.tab(**{**DESKTOP, "locale": "en-GB", **options})
        self._tabs.append(page)
        if clock:
            page.clock.install()
        page.on("console", self._read)
        page.on("pageerror", lambda error: self._complain(f"uncaught: {error}"))
        page.on("request", lambda request: self._look_at(request.url))
        page.goto(self.address + place)
        return page

    def forgive(self, text: str) -> None:
        """Complaints of the browser that contain this text are what the test is about."""
        self.forgiven.append(text)

    def forgive_failures(self) -> None:
        """The browser may note requests that did not work."""
        self.forgive("Failed to load resource")

    def _read(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._complain(message.text)

    def _look_at(self, url: str) -> None:
        if not url.startswith((self.address, "blob:", "data:")):
            self._complain(f"a request left the origin: {url}")

    def _complain(self, text: str) -> None:
        self._complaints.append(text)

    def close(self) -> None:
        """Close everything that was opened."""
        for page in self._tabs:
            page.close()

    def check(self) -> None:
        """No request to anywhere else, no error or warning in the console, no broken content policy."""
        assert [text for text in self._complaints if not any(part in text for part in self.forgiven)] == []


def drop(page: Page, *files: Named, on: str = "body") -> None:
    """Drop files on an element, as the browser reports it."""
    page.dispatch_event(on, "drop", {"dataTransfer": _transfer(page, files)})


def paste(page: Page, *files: Named) -> None:
    """Paste files where the focus is."""
    page.evaluate(
        """(clipboardData) => document.activeElement.dispatchEvent(
             new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }))""",
        _transfer(page, files),
    )


def _transfer(page: Page, files: tuple[Named, ...]) -> Any:
    encoded = [[name, kind, base64.b64encode(data).decode()] for name, kind, data in files]
    return page.evaluate_handle(_TRANSFER, encoded)


def cards(page: Page) -> Locator:
    """The results that are shown."""
    return page.locator(".results .card:visible")


def shown_keys(page: Page) -> list[str]:
    """Keys of the results that are shown, in their order."""
    keys: list[str] = cards(page).evaluate_all("(cards) => cards.map((card) => card.dataset.key)")
    return keys


def first_card(page: Page, key: str) -> Locator:
    """The first result, once it is the one with this key."""
    card = cards(page).first
    expect(card).to_have_attribute("data-key", key)
    return card


def answer_problem(route: Route, status: int, code: str, detail: str, **headers: str) -> None:
    """Answer a request as the service words its problems."""
    body = {"type": "about:blank", "title": code, "status": status, "detail": detail, "code": code, "errors": []}
    route.fulfill(
        status=status,
        body=json.dumps({**body, "instance": "/", "request_id": "a-request-id"}),
        headers={"Content-Type": "application/problem+json", **headers},
    )
