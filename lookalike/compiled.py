"""Loads those compiled libraries that use neither Python nor PyTorch: C functions, called by ``ctypes``."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent


@cache
def compiled_library(stem: str) -> tuple[ctypes.CDLL | None, str]:
    """The library whose file begins with ``stem``, and its file's name; or None, and every reason why not."""
    candidates = sorted(path for path in _FOLDER.glob(f"{stem}*") if path.suffix in {".so", ".pyd", ".dylib"})
    reasons = [] if candidates else [f"{_FOLDER} has no {stem} library: it was not compiled"]
    for path in candidates:
        try:
            return ctypes.CDLL(str(path)), path.name
        except OSError as error:
            reasons.append(f"{path}: {error}")
    return None, "; ".join(reasons)
