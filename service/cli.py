"""``python -m service``: flags and environment, and the server."""

from __future__ import annotations

import os
import signal
import socket
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from lookalike.options import MEBIBYTE, ImageLimits, Places, RuntimeName
from lookalike.usage import plain_message, unknown_variables
from lookalike.wiring import prefer_runtime
from service.process import few_arenas, few_collections
from service.settings import (
    Settings,
    SettingsError,
    default_hosts,
    read_hosts,
    read_keys,
    read_origins,
    read_root_path,
)


class _PlainCommand(TyperCommand):
    """A command whose usage errors are worded plainly."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See click's Command."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = plain_message(error.message)
            raise


app = typer.Typer(add_completion=False, rich_markup_mode=None)
CORES = os.cpu_count() or 1
DEFAULT_LIMITS = ImageLimits()
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


def _flag(name: str, help_text: str, *more: str, **limits: Any) -> Any:
    """An option whose environment variable is named like it; ``more`` are other variables for it."""
    variable = "LOOKALIKE_" + name.upper().replace("-", "_")
    return typer.Option(f"--{name}", envvar=[variable, *more] if more else variable, help=help_text, **limits)


Data = Annotated[Path, _flag("data", "Folder of collections and their catalogue.")]
Host = Annotated[str, _flag("host", "Address to listen on.")]
Port = Annotated[int, _flag("port", "Port; 0 takes a free one.", "PORT", min=0, max=65535)]
Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        envvar="LOOKALIKE_DATABASE_URL",
        help="SQLAlchemy URL of the catalogue. Without it: SQLite in the data folder.",
    ),
]
EncodersDir = Annotated[
    Path | None, _flag("encoders-dir", "Folder of installed encoder weights. Without it: a folder in your cache.")
]
Keys = Annotated[
    str | None,
    _flag(
        "api-keys",
        "read:KEY or write:KEY, several separated by commas; read@mugs+shop-*:KEY is for these collections only. "
        "Others can see a flag: prefer the variable.",
    ),
]
KeysFile = Annotated[Path | None, _flag("api-keys-file", "File with one of these a line.")]
AllowAnonymous = Annotated[
    bool,
    _flag(
        "allow-anonymous",
        "Serve other machines without a key: everyone who can reach this one may search and see the pictures.",
    ),
]
AllowedHosts = Annotated[
    str | None,
    _flag(
        "allowed-hosts",
        "Names that the Host header may have, separated by commas. Without it: those of this machine if only it is "
        "served and there are no keys, else any.",
    ),
]
CorsOrigins = Annotated[
    str | None,
    _flag(
        "cors-origins",
        "Other sites whose pages may use this service from a browser, separated by commas: https://shop.example.",
    ),
]
RootPath = Annotated[
    str,
    _flag("root-path", "Path below which a proxy shows the service, such as /images; with or without it is answered."),
]
MaxMegabytes = Annotated[int, _flag("max-megabytes", "Refuse larger files.", min=1)]
MaxMegapixels = Annotated[int, _flag("max-megapixels", "Refuse larger pictures.", min=1)]
MaxInFlight = Annotated[int, _flag("max-in-flight", "Requests worked on at once; 429 beyond.", min=4)]
RequestTimeout = Annotated[float, _flag("request-timeout", "Seconds for an answer.", min=0.1)]
UploadTimeout = Annotated[float, _flag("upload-timeout", "Seconds for an upload.", min=0.1)]
EncodersKept = Annotated[
    int,
    _flag("encoders-kept", "Encoders that stay loaded besides those of collections.", min=1),
]
Decoders = Annotated[int, _flag("decoders", "Threads that decode pictures.", min=1)]
FoldAfter = Annotated[
    int,
    _flag(
        "fold-after", "Changed items of a collection from which a new snapshot is published; 0: only on demand.", min=0
    ),
]
FoldSeconds = Annotated[
    float, _flag("fold-seconds", "Seconds after which fewer changes are folded into a new snapshot, too.", min=1)
]
AllowSources = Annotated[
    list[Path] | None,
    _flag(
        "allow-sources",
        "Folder of this machine that jobs may index, with all below it; may be repeated, in the variable separated by "
        "colons. Without it: none.",
    ),
]
MaxUploadMegabytes = Annotated[int, _flag("max-upload-megabytes", "Refuse larger uploads of archives.", min=1)]
MaxJobs = Annotated[
    int, _flag("max-jobs", "Jobs that this process runs at once; 0 leaves them to other services.", min=0, max=16)
]
Runtime = Annotated[
    RuntimeName, _flag("runtime", "What runs encoders. auto: the fastest on this machine, measured once.")
]
Format = Annotated[LogFormat | None, _flag("log-format", "json, or text; text on a terminal.")]
Level = Annotated[LogLevel, _flag("log-level", "debug, info, warning or error.")]


@app.command(cls=_PlainCommand)
def serve(
    data: Data = Path("data"),
    host: Host = "127.0.0.1",
    port: Port = 8000,
    database: Database = None,
    encoders_dir: EncodersDir = None,
    api_keys: Keys = None,
    api_keys_file: KeysFile = None,
    allow_anonymous: AllowAnonymous = False,
    allowed_hosts: AllowedHosts = None,
    cors_origins: CorsOrigins = None,
    root_path: RootPath = "",
    max_megabytes: MaxMegabytes = DEFAULT_LIMITS.max_bytes // MEBIBYTE,
    max_megapixels: MaxMegapixels = DEFAULT_LIMITS.max_pixels // 1_000_000,
    max_in_flight: MaxInFlight = 64,
    request_timeout: RequestTimeout = 30.0,
    upload_timeout: UploadTimeout = 30.0,
    encoders_kept: EncodersKept = 3,
    decoders: Decoders = CORES,
    fold_after: FoldAfter = 1000,
    fold_seconds: FoldSeconds = 600.0,
    allow_sources: AllowSources = None,
    max_upload_megabytes: MaxUploadMegabytes = 4096,
    max_jobs: MaxJobs = 1,
    runtime: Runtime = RuntimeName.AUTO,
    log_format: Format = None,
    log_level: Level = LogLevel.INFO,
) -> None:
    """Serve the collections of a data folder: a page and an API."""
    _warn_of_unknown_variables()
    try:
        keys = read_keys(api_keys, api_keys_file)
        settings = Settings(
            places=Places(data, database, encoders_dir),
            host=host,
            port=port,
            keys=keys,
            allow_anonymous=allow_anonymous,
            allowed_hosts=read_hosts(allowed_hosts) or default_hosts(host, keys),
            cors_origins=read_origins(cors_origins),
            root_path=read_root_path(root_path),
            limits=ImageLimits(max_megabytes * MEBIBYTE, max_megapixels * 1_000_000),
            capacity=max_in_flight,
            request_timeout=request_timeout,
            upload_timeout=upload_timeout,
            encoders_kept=encoders_kept,
            decoders=decoders,
            fold_after=fold_after,
            fold_seconds=fold_seconds,
            allow_sources=tuple(allow_sources or ()),
            max_upload_bytes=max_upload_megabytes * MEBIBYTE,
            max_jobs=max_jobs,
        )
        settings.check()
        _check_address(host, port)
    except SettingsError as error:
        raise _exit(error) from error
    prefer_runtime(runtime.value)
    _run(settings, log_level.value, as_json=not _is_text(log_format))


def _warn_of_unknown_variables() -> None:
    for sentence in unknown_variables(os.environ):
        sys.stderr.write(f"warning: {sentence}\n")


def _exit(error: SettingsError) -> typer.Exit:
    sys.stderr.write(f"error: {error}\n")
    return typer.Exit(2)


def _is_text(log_format: LogFormat | None) -> bool:
    return log_format is LogFormat.TEXT or (log_format is None and sys.stderr.isatty())


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
    from service.http.protocol import raise_file_limit
    from service.http.server import StoppingServer
    from service.telemetry.logs import configure

    raise_file_limit()
    configure(level, as_json=as_json)
    application = create_app(settings)
    config = uvicorn.Config(application, host=settings.host, port=settings.port, **server_settings())

    def end_streams() -> None:
        application.state.services.jobs.end_streams()

    server = StoppingServer(config, end_streams)
    few_collections()
    # Once all is finished uvicorn raises the signal again that stopped it; to be stopped so is a good end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.run()
    if not server.started:
        raise typer.Exit(1)


def server_settings() -> dict[str, Any]:
    """How the server is run, apart from where it listens: keyword arguments of ``uvicorn.Config``."""
    from service.http.protocol import BoundedProtocol

    return {
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "timeout_graceful_shutdown": _GRACE,
        "backlog": 512,
        "http": BoundedProtocol,
        "ws": "none",
    }
