"""Self-contained HTML pages from templates, with embedded pictures."""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lookalike.errors import DataPathError
from lookalike.images import thumbnail
from lookalike.storage import disk_errors, write_atomically

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).resolve().parent / "templates"


def render(template: str, **values: object) -> str:
    """Render ``templates/<template>``; text is escaped, charts pass through ``| safe``."""
    return _environment().get_template(template).render(**values)


def check_place(path: Path) -> None:
    """Raise DataPathError unless a file can be written to ``path``; called before a long run."""
    if not path.absolute().parent.is_dir():
        raise DataPathError(f"{path} cannot be written: its folder does not exist; create it first", subject=str(path))
    if path.is_dir():
        raise DataPathError(f"{path} cannot be written: it is a folder; name a file", subject=str(path))


def write_page(path: Path, html: str) -> None:
    """Write a page atomically; raises DataPathError and DiskFullError."""
    with disk_errors(path):
        write_atomically(path, html.encode())


def picture(rgb: npt.NDArray[np.uint8], side: int = 160) -> str:
    """A ``data:`` URI of ``rgb`` (h, w, 3) as a JPEG that fits into ``side`` × ``side`` pixels."""
    return f"data:image/jpeg;base64,{base64.b64encode(thumbnail(rgb, side)).decode()}"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["decimal"] = lambda value, places=3: f"{value:.{places}f}"
    environment.filters["percent"] = lambda value, places=1: f"{100 * value:.{places}f} %"
    return environment
