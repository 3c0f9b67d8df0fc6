"""How the service is set up: plain values, checked once, before anything is loaded."""

from __future__ import annotations

import hmac
import ipaddress
import re
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from lookalike.options import MEBIBYTE, ImageLimits, Places
from service.access import ALL_COLLECTIONS, CollectionAccess

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]", "::1")
_SHORTEST_KEY = 16
_ROOT_PATH = re.compile(r"(?:/[A-Za-z0-9_.-]+)+")
_WEB_PORTS = {"http": 80, "https": 443}
"""The ports that browsers leave out."""
UPLOAD_BYTES = 32 * MEBIBYTE
"""Memory for uploads, for each request that may be in flight; a larger upload takes the share of others."""


class SettingsError(Exception):
    """The service cannot start like this; the message says what to change."""


class Scope(StrEnum):
    """What a key may do; who may write may also read."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a key may do, and in which collections."""

    scope: Scope
    access: CollectionAccess = ALL_COLLECTIONS

    @classmethod
    def parse(cls, text: str) -> Self:
        """``read``, ``write``, or one of these with the collections it holds for; raises SettingsError."""
        scope, at, patterns = text.partition("@")
        if scope not in set(Scope):
            raise SettingsError(_FORM)
        if patterns == "*":
            raise SettingsError(f"{text}: a key for all collections is written without @, as {scope}:KEY")
        try:
            return cls(Scope(scope), CollectionAccess.parse(patterns) if at else ALL_COLLECTIONS)
        except ValueError as error:
            raise SettingsError(f"an API key names a collection that there cannot be: {error}") from error


_FORM = (
    "an API key is written as read:KEY or write:KEY, or for some collections only as read@mugs+shop-*:KEY or "
    "write@mugs:KEY"
)


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """The keys that are let in, kept as digests only."""

    grants: dict[bytes, Grant] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, words: list[str]) -> ApiKeys:
        """Keys as ``scope:key`` or ``scope@collections:key`` each; raises SettingsError."""
        grants: dict[bytes, Grant] = {}
        for word in words:
            rights, colon, key = word.strip().partition(":")
            if not colon:
                raise SettingsError(_FORM)
            grant = Grant.parse(rights)
            if len(key) < _SHORTEST_KEY or not key.isascii() or any(letter.isspace() for letter in key):
                raise SettingsError(
                    f"an API key has at least {_SHORTEST_KEY} ASCII characters and no space; make one with "
                    '`python -c "import secrets; print(secrets.token_urlsafe(32))"`'
                )
            if grants.setdefault(_digest(key), grant) != grant:
                raise SettingsError(f"one API key is given twice, as {rights} and otherwise: make a key for each")
        return cls(grants)

    def __len__(self) -> int:
        return len(self.grants)

    def grant(self, key: str) -> Grant | None:
        """What a key may do; None for one that is not known. Takes the same time for every wrong key."""
        key_digest = _digest(key)
        key_grant = None
        for digest, grant in self.grants.items():
            if hmac.compare_digest(digest, key_digest):
                key_grant = grant
        return key_grant


@dataclass(frozen=True, slots=True)
class Settings:
    """All that can be set.

    ``capacity`` is the number of permits for work at once; ``request_timeout`` and ``upload_timeout`` are seconds;
    ``encoders_kept`` is how many encoders stay loaded that no collection needs; ``decoders`` is a number of threads.
    ``allowed_hosts`` are names that a Host header may have, empty for any. ``fold_after`` is how many live changes of a
    collection are folded into a snapshot at once, 0 for none; fewer are after ``fold_seconds``. ``cors_origins`` are
    the other sites whose pages may use the service from a browser; ``root_path`` is the path below which clients see
    it, empty or as ``/images``. ``allow_sources`` are folders of this machine that jobs may index, ``max_upload_bytes``
    is the size of an upload, and ``max_jobs`` how many jobs this process runs at once, 0 to leave them to others.
    """

    places: Places
    host: str = "127.0.0.1"
    port: int = 8000
    keys: ApiKeys = field(default_factory=ApiKeys)
    allow_anonymous: bool = False
    allowed_hosts: tuple[str, ...] = LOOPBACK_HOSTS
    limits: ImageLimits = field(default_factory=ImageLimits)
    capacity: int = 64
    request_timeout: float = 30.0
    upload_timeout: float = 30.0
    encoders_kept: int = 3
    decoders: int = 2
    fold_after: int = 1000
    fold_seconds: float = 600.0
    cors_origins: tuple[str, ...] = ()
    root_path: str = ""
    allow_sources: tuple[Path, ...] = ()
    max_upload_bytes: int = 4096 * MEBIBYTE
    max_jobs: int = 1

    def check(self) -> None:
        """Raise SettingsError for what would be unsafe, or cannot work."""
        if not is_loopback(self.host) and not self.keys and not self.allow_anonymous:
            raise SettingsError(
                f"{self.host} can be reached from other machines, and there is no API key: give one "
                "(LOOKALIKE_API_KEYS=read:KEY, or --api-keys-file FILE), or say --allow-anonymous if everyone who can "
                "reach this machine may search and see the pictures"
            )
        try:
            next(self.places.collections_dir.iterdir(), None)
        except FileNotFoundError:
            return  # nothing has been indexed yet
        except OSError as error:
            raise SettingsError(f"the data folder {self.places.data} cannot be read: {error.strerror}") from error


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server at this address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_hosts(words: str | None) -> tuple[str, ...]:
    """The names of a comma-separated text."""
    return tuple(word.strip() for word in (words or "").split(",") if word.strip())


def default_hosts(host: str, keys: ApiKeys) -> tuple[str, ...]:
    """The names a Host header may have: without keys only this machine's, so that no web page can reach in by DNS."""
    return LOOPBACK_HOSTS if is_loopback(host) and not keys else ()


def read_origins(words: str | None) -> tuple[str, ...]:
    """Origins from a comma-separated text, as browsers write them; raises SettingsError."""
    return tuple(dict.fromkeys(_read_origin(word.strip()) for word in (words or "").split(",") if word.strip()))


def _read_origin(word: str) -> str:
    if "*" in word:
        raise SettingsError(
            f"{word} is no origin: name each site whose pages may use this service; a page of any other site that "
            "somebody opens could use it too"
        )
    try:
        address = urlsplit(word.lower())
        port = address.port
    except ValueError as error:
        raise SettingsError(f"{word} is no origin: {error}") from error
    is_plain = not (address.path or address.query or address.fragment or "@" in address.netloc)
    if address.scheme not in _WEB_PORTS or not address.hostname or not is_plain or not word.isascii():
        raise SettingsError(
            f"{word} is no origin: write https://shop.example or http://localhost:3000, without a path, and a name "
            "with other letters than ASCII as xn--..."
        )
    return (
        address.scheme + "://" + address.netloc.removesuffix(f":{port}" if port == _WEB_PORTS[address.scheme] else "")
    )


def read_root_path(word: str) -> str:
    """The path below which clients see the service, without a slash at its end; raises SettingsError."""
    path = word.strip().rstrip("/")
    if path and (_ROOT_PATH.fullmatch(path) is None or ".." in path.split("/")):
        raise SettingsError(f"{word} is no path to be below: write one such as /images, of letters, digits, -, _ and .")
    return path


def read_keys(words: str | None, file: Path | None) -> ApiKeys:
    """Keys from a comma-separated text, a file with one a line, or both; raises SettingsError."""
    entries = [word for word in (words or "").split(",") if word.strip()]
    if file is not None:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"the file of API keys {file} cannot be read: {error}") from error
        entries += [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
        if not entries:
            raise SettingsError(f"the file of API keys {file} has no key in it")
    return ApiKeys.parse(entries)


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogateescape")).digest()
