"""Public data sets, fetched by the library that knows where they are."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.error import URLError

from lookalike.encoder.torchvision_shim import ensure_torchvision
from lookalike.errors import DownloadError

IMAGENETTE_FOLDERS = {"full": "imagenette2", "320px": "imagenette2-320", "160px": "imagenette2-160"}


def fetch_imagenette(folder: Path, size: str) -> Path:
    """Download Imagenette (10 classes of ImageNet) through torchvision's own data set class; the folder it lies in.

    One that is there already is left as it is. Raises DownloadError with advice if it cannot be had.
    """
    place = folder / IMAGENETTE_FOLDERS[size]
    if place.is_dir():
        return place
    ensure_torchvision()
    from torchvision.datasets import Imagenette

    # Moved into place when it is whole, so that an interrupted download is not taken for the data set.
    part = folder / f".{place.name}.part"
    try:
        part.mkdir(parents=True, exist_ok=True)
        Imagenette(str(part), split="train", size=size, download=True)
        (part / place.name).rename(place)
    except (URLError, OSError, RuntimeError) as error:
        address = Imagenette._ARCHIVES[size][0]
        raise DownloadError(
            f"Imagenette could not be fetched: {error}. On a machine without network, fetch {address} elsewhere, "
            f"unpack it into {folder}, and index {place / 'train'}; or draw a corpus with "
            "`python -m indexer sample DIR`",
            subject="imagenette",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return place
