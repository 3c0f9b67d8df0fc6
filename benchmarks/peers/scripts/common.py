"""What all scripts share: one command line, one JSON object on stdout, the same clocks."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[3]
MEGABYTE = 1e6


def take_stdout() -> int:
    """Send all that is printed from now on to stderr; a file descriptor of the true stdout comes back.

    Several peers print their progress to stdout, where the answer belongs.
    """
    kept = os.dup(1)
    os.dup2(2, 1)
    return kept


def answer(stdout: int, figures: dict[str, Any]) -> None:
    """Write the one JSON object to the descriptor that ``take_stdout`` gave."""
    sys.stdout.flush()
    os.write(stdout, json.dumps(figures).encode() + b"\n")


def versions(*names: str) -> dict[str, str]:
    """Installed versions by name of the distribution."""
    return {name: importlib.metadata.version(name) for name in names}


def pictures_in(folder: Path) -> list[Path]:
    """The files of a flat folder, sorted."""
    return sorted(path for path in folder.iterdir() if path.is_file())


class Clock:
    """Seconds of wall and of processor, children that have ended included, from its making on."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), _cpu_seconds()

    def figures(self) -> dict[str, float]:
        """``seconds`` and ``cpu_seconds`` so far."""
        return {
            "seconds": round(time.perf_counter() - self._wall, 3),
            "cpu_seconds": round(_cpu_seconds() - self._cpu, 3),
        }


def since_start() -> float:
    """Wall seconds since this process was started."""
    ticks = int(Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def peak_rss_mb() -> float:
    """The most memory that this process or any one of its ended children has held."""
    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(most * 1024 / MEGABYTE, 1)


def resident_mb() -> float:
    """The memory that this process holds now, mapped pages that it has touched included."""
    return _status_mb("VmRSS")


def private_mb() -> float:
    """The part of it that no other process can share: what was not mapped from a file."""
    return _status_mb("RssAnon")


def _status_mb(field: str) -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024 / MEGABYTE
    raise RuntimeError(f"/proc/self/status has no line {field}")


def mend_torchvision() -> None:
    """Make ``import torchvision`` work beside a torch of another build, as the library does for itself."""
    path = REPOSITORY / "lookalike" / "encoder" / "torchvision_shim.py"
    spec = importlib.util.spec_from_file_location("torchvision_shim", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"no module can be made of {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.ensure_torchvision()


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
