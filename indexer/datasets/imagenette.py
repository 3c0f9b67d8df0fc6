"""Download of public data sets."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.error import URLError

from lookalike.encoder.torchvision_shim import ensure_torchvision
from lookalike.errors import DownloadError

IMAGENETTE_FOLDERS = {"full": "imagenette2", "320px": "imagenette2-320", "160px": "imagenette2-160"}


def fetch_imagenette(folder: Path, size: str) -> Path:
    """Download Imagenette (10 classes of ImageNet) with torchvision's data set class; returns its folder.

    An existing folder is left as it is. Raises DownloadError with advice if the download fails.
    """
    target = folder / IMAGENETTE_FOLDERS[size]
    if target.is_dir():
        return target
    ensure_torchvision()
    from torchvision.datasets import Imagenette

    # Renamed when it is complete, so that an interrupted download is not taken for the data set.
    partial = folder / f".{target.name}.part"
    try:
        partial.mkdir(parents=True, exist_ok=True)
        Imagenette(str(partial), split="train", size=size, download=True)
        (partial / target.name).rename(target)
    except (URLError, OSError, RuntimeError) as error:
        address = Imagenette._ARCHIVES[size][0]
        raise DownloadError(
            f"Imagenette could not be fetched: {error}. On a machine without network, fetch {address} elsewhere, "
            f"unpack it into {folder}, and index {target / 'train'}; or draw a corpus with "
            "`python -m indexer sample DIR`",
            subject="imagenette",
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target
