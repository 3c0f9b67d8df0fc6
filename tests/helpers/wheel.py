"""The wheel of this checkout, built once for everybody who asks, and again only when a source has changed."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from hashlib import sha256
from pathlib import Path

from lookalike.storage import exclusive_lock
from tests.conftest import REPOSITORY

BUILD = REPOSITORY / "build"
PACKAGES = {"lookalike": "lookalike", "indexer": "indexer", "service": "service", "migrations": "lookalike/migrations"}
"""Folders of the checkout that go into the wheel, and what they are called there."""
_RECIPE = ("Makefile", "README.md", "pyproject.toml", "setup.py")


def packaged() -> dict[str, Path]:
    """The files that belong into the wheel, by their names there; all but the compiled operator and the metadata."""
    return {
        f"{inside}/{path.relative_to(REPOSITORY / folder).as_posix()}": path
        for folder, inside in PACKAGES.items()
        for path in sorted((REPOSITORY / folder).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".so"
    }


def built_wheel() -> Path:
    """The wheel of the checkout as it is now; ``make wheel`` makes it, in one process at a time."""
    stamp = BUILD / "wheel.stamp"
    BUILD.mkdir(exist_ok=True)
    with exclusive_lock(BUILD / "wheel.lock", timeout_s=600.0):
        sources = _digest([*packaged().values(), *_compiled_from(), *(REPOSITORY / name for name in _RECIPE)])
        if not stamp.exists() or stamp.read_text() != sources + _digest(_wheels()):
            _make()
            stamp.write_text(sources + _digest(_wheels()))
        (wheel,) = _wheels()
        return wheel


def install(wheel: Path, folder: Path) -> Path:
    """An environment with the wheel in it; what the wheel needs is taken from this one. Gives its Python.

    This environment holds the checkout itself as well, by way of an import hook that a ``.pth`` file of it sets; a
    mere path in another environment's ``.pth`` file does not bring the hook along.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    there = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    (there / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    options = (
        "--quiet",
        "--no-deps",
        "--no-index",
        "--disable-pip-version-check",
        "--no-cache-dir",
        "--ignore-installed",
    )
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    subprocess.run([*pip, "install", *options, str(wheel)], check=True)
    return python


def _make() -> None:
    # A make that runs these tests is no parent of this one; and the environment they run in is not made anew.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--assume-old=.venv/.installed", f"BIN={Path(sys.executable).parent}", "wheel"]
    made = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    if made.returncode:
        raise AssertionError(f"make wheel failed:\n{made.stdout}\n{made.stderr}")


def _wheels() -> list[Path]:
    return sorted((BUILD / "dist").glob("*.whl"))


def _compiled_from() -> list[Path]:
    return sorted((REPOSITORY / "ext" / "csrc").iterdir())


def _digest(paths: list[Path]) -> str:
    """SHA-256 of files and their names."""
    digest = sha256()
    for path in paths:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(REPOSITORY)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
