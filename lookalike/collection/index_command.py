"""The command that indexes a collection again, with the source and the settings that it remembers."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from lookalike.catalogue.records import CollectionSettings, SourceRecord
from lookalike.encoder.registry import BUNDLED_INT8
from lookalike.index.planner import DEFAULT_RECALL
from lookalike.options import MEBIBYTE, EncoderRequest, ImageLimits, SourceOptions

DATA_FOLDER = Path("data")
DEFAULT_ENGINE, DEFAULT_KEEP = "auto", 3
"""Defaults of ``index``: flags with their default values are left out of the command."""
MIN_KEEP, MAX_KEEP = 2, 1000
"""How many snapshots may be kept: a reader of the current one must not lose it when the next one is published."""


def check_keep(keep: int) -> int:
    """The number of snapshots to keep; raises ValueError for one that cannot be."""
    if not MIN_KEEP <= keep <= MAX_KEEP:
        raise ValueError(f"keep must be from {MIN_KEEP} to {MAX_KEEP} snapshots, not {keep}")
    return keep


def default_memory() -> int:
    """Bytes that an index may take in a service by default: half of this machine's memory."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def reencode_command(
    name: str,
    source: SourceRecord,
    request: EncoderRequest,
    settings: CollectionSettings,
    data: Path = DATA_FOLDER,
) -> str:
    """The `index_command` that encodes a collection again."""
    return index_command(name, source, request, settings, data, agreement="--reencode")


def index_command(
    name: str,
    source: SourceRecord,
    request: EncoderRequest,
    settings: CollectionSettings,
    data: Path = DATA_FOLDER,
    *,
    agreement: str,
) -> str:
    """``python -m indexer index SOURCE --collection NAME --agreement``, with every flag that differs from its default.

    A database's URL is not among them: it may have a password in it.
    """
    place = () if data == DATA_FOLDER else ("--data", str(data))
    words = index_arguments(name, source, request, settings, place)
    return shlex.join(["python", "-m", "indexer", *words, agreement])


def index_arguments(
    name: str,
    source: SourceRecord,
    request: EncoderRequest,
    settings: CollectionSettings,
    place: Sequence[str] = (),
) -> list[str]:
    """The arguments of that command: verb, source, and flags that differ from the defaults, ``place`` among them."""
    words = ["index", source.location, "--collection", name, *place]
    words += [] if source.root is None else ["--images-root", source.root]
    return words + _encoder_flags(request) + settings_flags(settings)


def _encoder_flags(request: EncoderRequest) -> list[str]:
    if request == EncoderRequest(BUNDLED_INT8):
        return []
    flags = ["--encoder", request.name]
    flags += [] if request.fusion is None else ["--fusion", request.fusion]
    return flags if request.input_size is None else [*flags, "--input-size", str(request.input_size)]


def settings_flags(settings: CollectionSettings) -> list[str]:
    """The flags of ``index`` that keep a collection's settings; none for the defaults."""
    limits = ImageLimits()
    memory = default_memory() if settings.memory is None else settings.memory
    values = (
        ("--engine", settings.engine, DEFAULT_ENGINE),
        ("--recall", f"{settings.target_recall:g}", f"{DEFAULT_RECALL:g}"),
        ("--memory", f"{memory / 1e9:.3g}", f"{default_memory() / 1e9:.3g}"),
        ("--keep", str(settings.keep), str(DEFAULT_KEEP)),
        ("--max-megabytes", str(settings.max_bytes // MEBIBYTE), str(limits.max_bytes // MEBIBYTE)),
        ("--max-megapixels", str(settings.max_pixels // 1_000_000), str(limits.max_pixels // 1_000_000)),
    )
    words = [word for flag, value, default in values if value != default for word in (flag, value)]
    words += ["--auto-tags"] if settings.auto_tags else []
    return words + source_flags(settings.source_options)


def source_flags(options: SourceOptions) -> list[str]:
    """The flags of ``index`` that say how a source is read; none for the defaults."""
    pairs = [("--exclude", pattern) for pattern in options.exclude]
    pairs += [("--include", pattern) for pattern in options.include]
    pairs += [] if options.encoding is None else [("--source-encoding", options.encoding)]
    return [word for pair in pairs for word in pair]
