"""How the service is set up: by flags, by variables, and what it refuses to start with."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lookalike.options import ImageLimits, Places
from service import cli
from service.app import create_app
from service.settings import ApiKeys, Grant, Scope, Settings, SettingsError, default_hosts, read_keys

READ, WRITE = "reading-is-all-i-may-do", "writing-and-reading-is-mine"


class Start:
    """``python -m service`` up to the point where it would listen."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.settings: list[Settings] = []
        self.logs: list[tuple[str, bool]] = []
        monkeypatch.setattr(cli, "_run", self._run)
        monkeypatch.chdir(folder)

    def __call__(self, *arguments: str, **variables: str) -> Result:
        return CliRunner().invoke(cli.app, ["--port", "0", *arguments], env=dict(variables))

    def _run(self, settings: Settings, level: str, *, as_json: bool) -> None:
        self.settings.append(settings)
        self.logs.append((level, as_json))


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Start:
    return Start(monkeypatch, tmp_path)


def test_without_flags_only_this_machine_is_served(start: Start) -> None:
    assert start().exit_code == 0
    (settings,) = start.settings
    assert (settings.host, settings.places.data, len(settings.keys)) == ("127.0.0.1", Path("data"), 0)
    assert set(settings.allowed_hosts) == {"localhost", "127.0.0.1", "[::1]", "::1"}
    assert settings.limits == ImageLimits(), "the limits of index, so that every indexed picture can be searched with"
    assert (settings.capacity, settings.request_timeout, settings.upload_timeout) == (64, 30.0, 30.0)
    assert start.logs == [("info", True)], "JSON where there is no terminal"


def test_variables_do_what_flags_do(start: Start, tmp_path: Path) -> None:
    by_flag = start(
        *("--data", "d", "--max-megabytes", "2", "--max-megapixels", "3", "--max-in-flight", "8"),
        *("--request-timeout", "1.5", "--upload-timeout", "2.5", "--encoders-kept", "1", "--decoders", "5"),
        *("--api-keys", f"read:{READ}", "--allowed-hosts", "a.example, b.example", "--database", "sqlite:///x.db"),
        *("--encoders-dir", "e", "--log-level", "error", "--log-format", "text"),
        *("--cors-origins", "https://shop.example,http://localhost:3000", "--root-path", "/images/"),
        *("--allow-sources", "/a", "--allow-sources", "/b", "--max-upload-megabytes", "7", "--max-jobs", "2"),
    )
    by_variable = start(
        LOOKALIKE_DATA="d",
        LOOKALIKE_MAX_MEGABYTES="2",
        LOOKALIKE_MAX_MEGAPIXELS="3",
        LOOKALIKE_MAX_IN_FLIGHT="8",
        LOOKALIKE_REQUEST_TIMEOUT="1.5",
        LOOKALIKE_UPLOAD_TIMEOUT="2.5",
        LOOKALIKE_ENCODERS_KEPT="1",
        LOOKALIKE_DECODERS="5",
        LOOKALIKE_API_KEYS=f"read:{READ}",
        LOOKALIKE_ALLOWED_HOSTS="a.example, b.example",
        LOOKALIKE_DATABASE_URL="sqlite:///x.db",
        LOOKALIKE_ENCODERS_DIR="e",
        LOOKALIKE_LOG_LEVEL="error",
        LOOKALIKE_LOG_FORMAT="text",
        LOOKALIKE_CORS_ORIGINS="https://shop.example,http://localhost:3000",
        LOOKALIKE_ROOT_PATH="/images/",
        LOOKALIKE_ALLOW_SOURCES="/a:/b",
        LOOKALIKE_MAX_UPLOAD_MEGABYTES="7",
        LOOKALIKE_MAX_JOBS="2",
    )
    assert (by_flag.exit_code, by_variable.exit_code) == (0, 0)
    by_flags, by_variables = start.settings
    assert by_flags == by_variables
    assert by_flags.places == Places(Path("d"), "sqlite:///x.db", Path("e"))
    assert (by_flags.limits.max_bytes, by_flags.limits.max_pixels, by_flags.capacity) == (2 * 1024 * 1024, 3_000_000, 8)
    assert (by_flags.request_timeout, by_flags.upload_timeout, by_flags.encoders_kept, by_flags.decoders) == (
        1.5,
        2.5,
        1,
        5,
    )
    assert by_flags.allowed_hosts == ("a.example", "b.example")
    assert by_flags.cors_origins == ("https://shop.example", "http://localhost:3000")
    assert by_flags.root_path == "/images"
    assert by_flags.allow_sources == (Path("/a"), Path("/b"))
    assert (by_flags.max_upload_bytes, by_flags.max_jobs) == (7 * 1024 * 1024, 2)
    assert start.logs == [("error", False)] * 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["--host", "0.0.0.0"],
        ["--host", "::"],
        ["--host", "192.0.2.7"],
        ["--host", "shop.example.org"],
        ["--api-keys", "admin:" + READ],
        ["--api-keys", READ],
        ["--api-keys", "read:short"],
        ["--api-keys", "read:sixteen letters and a space"],
        ["--api-keys", "read:schlüssel-mit-umlaut"],
        ["--api-keys", "read@:" + READ],
        ["--api-keys", "read@*:" + READ],
        ["--api-keys", "read@mugs+:" + READ],
        ["--api-keys", "read@Mugs:" + READ],
        ["--api-keys", "read@m*gs:" + READ],
        ["--api-keys", "read@mugs;shop:" + READ],
        ["--api-keys", "admin@mugs:" + READ],
        ["--api-keys", f"read:{READ},write:{READ}"],
        ["--api-keys", f"read:{READ},read@mugs:{READ}"],
        ["--cors-origins", "*"],
        ["--cors-origins", "https://shop.example/page"],
        ["--root-path", "images"],
        ["--api-keys-file", "no-such-file"],
        ["--api-keys-file", "comments-alone"],
    ],
)
def test_what_would_be_unsafe_does_not_start(start: Start, tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "comments-alone").write_text("# read:this-is-no-key-at-all\n\n")
    refused = start(*arguments)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("error: ")
    assert refused.stderr.count("\n") == 1, "one sentence"
    assert start.settings == []
    for key in (READ, "short", "sixteen"):
        assert key not in refused.stderr


def test_other_machines_are_served_with_a_key_or_when_asked_for_plainly(start: Start) -> None:
    assert start("--host", "0.0.0.0", "--api-keys", f"write:{WRITE}").exit_code == 0
    assert start("--host", "0.0.0.0", "--allow-anonymous").exit_code == 0
    assert [settings.allowed_hosts for settings in start.settings] == [(), ()]


def test_the_application_itself_refuses_what_is_unsafe(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no API key"):
        create_app(Settings(Places(tmp_path), host="0.0.0.0"))


def test_keys_come_from_a_flag_and_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# of the shop\n\n  write:{WRITE}  \n")
    keys = read_keys(f" read:{READ} ,", file)
    assert (keys.grant(READ), keys.grant(WRITE), len(keys)) == (Grant(Scope.READ), Grant(Scope.WRITE), 2)
    for wrong in ("", READ[:-1], f"read:{READ}", f" {READ}", READ.upper(), "ключ", "\udc80"):
        assert keys.grant(wrong) is None


def test_a_key_can_be_for_some_collections(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"write@mugs:{WRITE}\n")
    keys = read_keys(f"read@mugs+shop-*:{READ},read:with@sign:and-more,write@mugs:{WRITE}", file)
    grant = keys.grant(READ)
    assert grant is not None
    assert grant.scope is Scope.READ
    names = ("mugs", "shop-", "shop-a", "shop", "mugs-2", "mug", "", "a-mugs")
    assert [grant.access.covers(name) for name in names] == [True, True, True, *[False] * 5]
    assert keys.grant("with@sign:and-more") == Grant(Scope.READ), "what stands before the first colon is no key"
    writer = keys.grant(WRITE)
    assert writer is not None
    assert (writer.scope, writer.access.patterns, len(keys)) == (Scope.WRITE, ("mugs",), 3)


def test_hosts_are_limited_where_a_browser_could_be_led_astray() -> None:
    keys = ApiKeys.parse([f"read:{READ}"])
    for host in ("127.0.0.1", "localhost", "::1", "127.8.9.1"):
        assert "localhost" in default_hosts(host, ApiKeys())
        assert default_hosts(host, keys) == ()
    assert default_hosts("0.0.0.0", ApiKeys()) == ()
