"""``python -m service``: flags and environment, and the server."""

from __future__ import annotations

import os
import signal
import socket
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lookalike.options import MEBIBYTE, ImageLimits, Places
from service.memory import few_arenas
from service.settings import Settings, SettingsError, default_hosts, read_keys

app = typer.Typer(add_completion=False, rich_markup_mode=None)
CORES = os.cpu_count() or 1
_GRACE = 10


class LogFormat(StrEnum):
    """How a log line looks."""

    JSON = "json"
    TEXT = "text"


class LogLevel(StrEnum):
    """What is worth a log line."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@app.command()
def serve(
    data: Annotated[
        Path, typer.Option("--data", envvar="LOOKALIKE_DATA", help="Folder of collections and their catalogue.")
    ] = Path("data"),
    host: Annotated[str, typer.Option("--host", envvar="LOOKALIKE_HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option("--port", envvar=["LOOKALIKE_PORT", "PORT"], min=0, max=65535, help="Port; 0 takes a free one."),
    ] = 8000,
    database: Annotated[
        str | None,
        typer.Option(
            "--database",
            envvar="LOOKALIKE_DATABASE_URL",
            help="SQLAlchemy URL of the catalogue. Without it: SQLite in the data folder.",
        ),
    ] = None,
    encoders_dir: Annotated[
        Path | None,
        typer.Option(
            "--encoders-dir",
            envvar="LOOKALIKE_ENCODERS_DIR",
            help="Folder of installed encoder weights. Without it: a folder in your cache.",
        ),
    ] = None,
    api_keys: Annotated[
        str | None,
        typer.Option(
            "--api-keys",
            envvar="LOOKALIKE_API_KEYS",
            help="read:KEY or write:KEY, several separated by commas. Others can see a flag: prefer the variable.",
        ),
    ] = None,
    api_keys_file: Annotated[
        Path | None,
        typer.Option("--api-keys-file", envvar="LOOKALIKE_API_KEYS_FILE", help="File with one of these a line."),
    ] = None,
    allow_anonymous: Annotated[
        bool,
        typer.Option(
            "--allow-anonymous",
            envvar="LOOKALIKE_ALLOW_ANONYMOUS",
            help="Serve other machines without a key: who can reach this one may search and see the pictures.",
        ),
    ] = False,
    allowed_hosts: Annotated[
        str | None,
        typer.Option(
            "--allowed-hosts",
            envvar="LOOKALIKE_ALLOWED_HOSTS",
            help="Names that the Host header may have, separated by commas. Without it: those of this machine if "
            "only it is served and there are no keys, else any.",
        ),
    ] = None,
    max_megabytes: Annotated[
        int, typer.Option("--max-megabytes", envvar="LOOKALIKE_MAX_MEGABYTES", min=1, help="Refuse larger files.")
    ] = 32,
    max_megapixels: Annotated[
        int, typer.Option("--max-megapixels", envvar="LOOKALIKE_MAX_MEGAPIXELS", min=1, help="Refuse larger pictures.")
    ] = 50,
    max_in_flight: Annotated[
        int,
        typer.Option(
            "--max-in-flight", envvar="LOOKALIKE_MAX_IN_FLIGHT", min=4, help="Requests worked on at once; 429 beyond."
        ),
    ] = 64,
    request_timeout: Annotated[
        float,
        typer.Option("--request-timeout", envvar="LOOKALIKE_REQUEST_TIMEOUT", min=0.1, help="Seconds for an answer."),
    ] = 30.0,
    upload_timeout: Annotated[
        float,
        typer.Option("--upload-timeout", envvar="LOOKALIKE_UPLOAD_TIMEOUT", min=0.1, help="Seconds for an upload."),
    ] = 30.0,
    encoders_kept: Annotated[
        int,
        typer.Option(
            "--encoders-kept", envvar="LOOKALIKE_ENCODERS_KEPT", min=1, help="Encoders that stay loaded for /compare."
        ),
    ] = 3,
    decoders: Annotated[
        int, typer.Option("--decoders", envvar="LOOKALIKE_DECODERS", min=1, help="Threads that decode pictures.")
    ] = CORES,
    log_format: Annotated[
        LogFormat | None,
        typer.Option("--log-format", envvar="LOOKALIKE_LOG_FORMAT", help="json, or text; text on a terminal."),
    ] = None,
    log_level: Annotated[
        LogLevel, typer.Option("--log-level", envvar="LOOKALIKE_LOG_LEVEL", help="debug, info, warning or error.")
    ] = LogLevel.INFO,
) -> None:
    """Serve the collections of a data folder: a page and an API."""
    try:
        keys = read_keys(api_keys, api_keys_file)
        hosts = tuple(word.strip() for word in (allowed_hosts or "").split(",") if word.strip())
        settings = Settings(
            places=Places(data, database, encoders_dir),
            host=host,
            port=port,
            keys=keys,
            allow_anonymous=allow_anonymous,
            allowed_hosts=hosts or default_hosts(host, keys),
            limits=ImageLimits(max_megabytes * MEBIBYTE, max_megapixels * 1_000_000),
            capacity=max_in_flight,
            request_timeout=request_timeout,
            upload_timeout=upload_timeout,
            encoders_kept=encoders_kept,
            decoders=decoders,
        )
        settings.check()
        _check_address(host, port)
    except SettingsError as error:
        sys.stderr.write(f"error: {error}\n")
        raise typer.Exit(2) from error
    as_text = log_format is LogFormat.TEXT or (log_format is None and sys.stderr.isatty())
    _run(settings, log_level.value, as_json=not as_text)


def _check_address(host: str, port: int) -> None:
    """Raise SettingsError if nothing can listen there; the server itself would find out after it has loaded all."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {host} port {port}: {error.strerror}; try another --host or --port"
        ) from error


def _run(settings: Settings, level: str, *, as_json: bool) -> None:
    few_arenas()
    import uvicorn

    from service.app import create_app
    from service.logs import configure

    configure(level, as_json=as_json)
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
        backlog=512,
        http="httptools",
        ws="none",
    )
    server = uvicorn.Server(config)
    # Once all is finished uvicorn raises the signal again that stopped it; to be stopped so is a good end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.run()
    if not server.started:
        raise typer.Exit(1)
