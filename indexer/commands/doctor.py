"""``doctor``: checks of the installation and the data folder, with what to do where one fails."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import typer

from indexer.commands.session import EXIT_FAILED, Session, with_collections
from indexer.console.units import size
from lookalike.api import Encoder
from lookalike.collection.snapshot import open_snapshot
from lookalike.errors import LookalikeError, OperatorError
from lookalike.storage import disk_errors


class Note(str):
    """What a check found where lookalike works and something beside it does not."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Check:
    """A check: its name, and the function that returns what it found in words, or raises LookalikeError."""

    name: str
    run: Callable[[Session], str]


@with_collections
def doctor(
    session: Session,
) -> None:
    """Check packages, operator, encoder, data folder, catalogue and snapshots; exits with 1 if anything is wrong.

    A line begins with ok, with BAD, or with note where lookalike works and something beside it does not.
    """
    failure_count = 0
    for check in CHECKS:
        try:
            words = check.run(session)
            mark = "note" if isinstance(words, Note) else "ok"
        except LookalikeError as error:
            words, mark = error.message, "BAD"
            failure_count += 1
        session.reporter.answer(f"{mark:<4} {check.name}: {words}", check=check.name, ok=mark != "BAD", says=words)
    if failure_count:
        raise typer.Exit(EXIT_FAILED)


def _packages(_session: Session) -> str:
    names = (
        "lookalike",
        "torch",
        "torchvision",
        "timm",
        "openvino",
        "onnxruntime",
        "faiss-cpu",
        "sqlalchemy",
        "pillow",
        "numpy",
    )
    return ", ".join(f"{name} {version(name)}" for name in names)


def _torchvision(_session: Session) -> str:
    from lookalike.encoder.torchvision_shim import torchvision_status

    status = torchvision_status()
    return status.text if status.works_everywhere else Note(status.text)


def _operator(_session: Session) -> str:
    from lookalike.encoder.network.operators import operator_status, require_operator

    require_operator()
    return f"compiled, {operator_status().path}"


def _libraries(_session: Session) -> str:
    from lookalike.images import describe_resize_library
    from lookalike.index.hnsw_graph import graph_search_status

    statuses = {"resizing": describe_resize_library(), "graph search": graph_search_status()}
    words = "; ".join(f"{task}: {status}" for task, status in statuses.items())
    if not all(status.startswith("compiled") for status in statuses.values()):
        raise OperatorError(f"{words}; run `make install` to compile them here")
    return words


def _encoder(_session: Session) -> str:
    encoder = Encoder.load()
    picture = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    first, second = encoder.encode([picture, picture.copy()])
    network = f"{encoder.spec.backbone}, {encoder.spec.dimension} numbers, {encoder.runtime}"
    return f"{network}; self-score {first @ second:.4f}"


def _data(session: Session) -> str:
    folder = session.places.data
    if not folder.exists():
        return f"{folder} does not exist yet; the first index makes it"
    with disk_errors(folder), tempfile.TemporaryFile(dir=folder):
        free = shutil.disk_usage(folder).free
    return f"{folder.absolute()} can be written, {size(free)} free"


def _memory(_session: Session) -> str:
    pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return f"{os.cpu_count()} cores, {size(pages * page)}"


def _snapshots(session: Session) -> str:
    if not session.places.has_catalogue:
        return "no collection yet"
    with session.catalogue() as catalogue:
        records = catalogue.collections()
    words = []
    for record in records:
        layout = session.layout(record.name)
        current = layout.current_or_none()
        if current is None:
            words.append(f"{record.name} (nothing published yet)")
        else:
            snapshot = open_snapshot(layout, current)
            words.append(f"{record.name} ({snapshot.manifest.count} pictures, checksums good)")
    return ", ".join(words) or "no collection yet"


CHECKS = (
    Check("machine", _memory),
    Check("packages", _packages),
    Check("torchvision", _torchvision),
    Check("operator", _operator),
    Check("libraries", _libraries),
    Check("encoder", _encoder),
    Check("data folder", _data),
    Check("collections", _snapshots),
)
