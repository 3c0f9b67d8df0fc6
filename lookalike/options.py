"""Options that travel through the library: plain frozen values, checked nowhere but where they are used, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What a picture may cost before it is refused.

    ``max_bytes`` is the size of the encoded file; ``max_pixels`` is width times height as the header announces it,
    checked before pixels are allocated (3 bytes each once decoded). ``max_jpeg2000_pixels`` is the same for JPEG 2000,
    whose decoder takes 37 bytes a pixel.
    """

    max_bytes: int = 64 * MEBIBYTE
    max_pixels: int = 100_000_000
    max_jpeg2000_pixels: int = 40_000_000


def cache_folder() -> Path:
    """The one folder in a user's home that is written to unless another place is named."""
    return Path.home() / ".cache" / "lookalike"


@dataclass(frozen=True, slots=True)
class Places:
    """Where things lie: ``data`` holds collections and, unless ``database_url`` says otherwise, the catalogue.

    ``encoders`` holds installed weights; ``None`` means a folder in the user's cache, shared by all data folders.
    """

    data: Path
    database_url: str | None = None
    encoders: Path | None = None

    @property
    def catalogue(self) -> str | Path:
        """The catalogue: a SQLite file in the data folder, or the database at ``database_url``."""
        return self.database_url or self.data.absolute() / "catalogue.db"

    @property
    def has_catalogue(self) -> bool:
        """Whether there can be anything in the catalogue: false as long as its SQLite file does not exist."""
        return isinstance(self.catalogue, str) or self.catalogue.exists()

    @property
    def encoders_dir(self) -> Path:
        """Folder of installed encoder weights."""
        return self.encoders or cache_folder() / "encoders"

    @property
    def collections_dir(self) -> Path:
        """Folder that holds one folder a collection."""
        return self.data / "collections"


@dataclass(frozen=True, slots=True)
class EncoderRequest:
    """Which encoder: its ``name`` as users write it, and the fusion and input size that replace its own, if any."""

    name: str
    fusion: str | None = None
    input_size: int | None = None


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How a source is read, beside where it is.

    ``exclude`` and ``include`` are patterns in the syntax of .gitignore files, for what is left out and what is taken
    back in. ``encoding`` is that of a manifest's text, or of the names in a zip that do not say theirs, by its Python
    name; None means that it is found out.
    """

    exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    encoding: str | None = None


class RuntimeName(StrEnum):
    """What may run an encoder's network.

    ``auto`` chooses, ``torch`` is the reference, and each other one is the name of a module of
    ``lookalike.encoder.runtimes``, ``NAME_runtime``, with a function ``open_runner``.
    """

    AUTO = "auto"
    TORCH = "torch"
    OPENVINO = "openvino"
    ONNXRUNTIME = "onnxruntime"
