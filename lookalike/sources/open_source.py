"""`open_source`: which kind of source a path is."""

from __future__ import annotations

from pathlib import Path

from lookalike.errors import SourceNotFoundError, SourceUnsupportedError
from lookalike.filters.declared_columns import NO_COLUMNS, DeclaredColumns
from lookalike.options import SourceOptions
from lookalike.sources.archive import ZipSource
from lookalike.sources.base import Source, printable
from lookalike.sources.files import unreadable_error
from lookalike.sources.folder import FolderSource
from lookalike.sources.manifest import MANIFEST_SUFFIXES, ManifestSource


def open_source(
    location: str | Path,
    *,
    images_root: Path | None = None,
    options: SourceOptions | None = None,
    declared: DeclaredColumns = NO_COLUMNS,
) -> Source:
    """The source at ``location``: a folder, a ``.zip`` file, or a manifest (`MANIFEST_SUFFIXES`).

    ``images_root`` is the folder that a manifest's paths are relative to, by default its own; other sources have
    none. ``options`` say which files are left out, and how names and text are encoded. Values of a manifest that are
    not of the type of their ``declared`` column are left out. Raises `SourceNotFoundError`, `SourceUnsupportedError`,
    and what opening finds: `ArchiveDamagedError`, `ArchiveUnsafeError`, `ManifestError`, `PatternInvalidError`,
    `EntryUnreadableError`.
    """
    path = Path(location)
    source_name = printable(str(path))
    try:
        if not path.exists():
            raise SourceNotFoundError(f"{source_name} does not exist; check the path", subject=source_name)
        is_folder, is_file = path.is_dir(), path.is_file()
    except (OSError, ValueError) as error:
        raise unreadable_error(source_name, error) from error
    if printable(str(path.resolve())) != str(path.resolve()):
        # The catalogue stores the source as text, which could not name this path.
        message = f"{source_name} has a path that is not UTF-8 or has control characters in it; rename the folder"
        raise SourceUnsupportedError(message, subject=source_name)
    suffix = path.suffix.lower()
    if is_file and suffix in MANIFEST_SUFFIXES:
        if images_root is not None and not images_root.is_dir():
            where = printable(str(images_root))
            raise SourceNotFoundError(f"the images' folder {where} does not exist; check the path", subject=where)
        return ManifestSource(path, images_root, options, declared)
    if images_root is not None:
        message = f"{source_name} is no manifest, so an images' folder makes no sense with it; leave it out"
        raise SourceUnsupportedError(message, subject=source_name)
    if is_folder:
        return FolderSource(path, options)
    if is_file and suffix == ".zip":
        return ZipSource(path, options)
    ends = ", ".join(MANIFEST_SUFFIXES[:-1])
    message = f"{source_name} is neither a folder nor a .zip, {ends} or {MANIFEST_SUFFIXES[-1]} file; give one of these"
    raise SourceUnsupportedError(message, subject=source_name)
