"""Archives that were uploaded and indexed: they are sources of their collection, and lie in its folder.

An archive is called by the SHA-256 of its content. One that a newer upload has replaced stays as long as there are
snapshots from before, so that a rollback to one of them can be mended with the archive that it was made of.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from contextlib import suppress
from pathlib import Path

import msgspec

from lookalike.collection.layout import CollectionLayout
from lookalike.storage import disk_errors, sha256_file, sync_folder, write_atomically

_LOG = logging.getLogger(__name__)
_REPLACED = "replaced.json"
"""By the name of an archive the first snapshot that was made of a later one."""
_DIGITS = 32


class StoredSources:
    """The archives of one collection; for the process that runs a job of it."""

    def __init__(self, layout: CollectionLayout) -> None:
        self._layout = layout
        self._folder = layout.uploaded_sources.absolute()

    def put(self, upload: Path) -> Path:
        """Where the upload lies among them; it also stays where it is. Raises DiskFullError and DataPathError."""
        with disk_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            stored = self._folder / f"{sha256_file(upload)[:_DIGITS]}{upload.suffix}"
            if not stored.exists():
                _link(upload, stored)
                sync_folder(self._folder)
        return stored

    def settle(self, used: Path, *, current: str | None) -> None:
        """Remove what no longer is needed after a run over the archive ``used``, whether it went well or not.

        ``current`` is the collection's source after the run. Of a collection that was deleted meanwhile nothing is left
        to remove.
        """
        if not self._folder.is_dir():
            return
        generations = self._layout.complete_generations()
        with disk_errors(self._folder):
            replaced = self._read_replaced()
            others = {path.name for path in self._folder.iterdir()} - {_REPLACED, Path(current or "").name}
            # Where the list is damaged, an earlier snapshot may have been made of the archive of a failed run, too.
            former = others if replaced is None else others - {used.name}
            replaced = {name: generation for name, generation in (replaced or {}).items() if name in others}
            if generations:
                replaced = dict.fromkeys(former, generations[-1]) | replaced
            if used.name in others and used.name not in replaced:
                used.unlink(missing_ok=True)
            for name, generation in list(replaced.items()):
                if generations and generations[0] >= generation:
                    (self._folder / name).unlink(missing_ok=True)
                    del replaced[name]
            write_atomically(self._folder / _REPLACED, json.dumps(replaced).encode())
            if not any(path.name != _REPLACED for path in self._folder.iterdir()):
                shutil.rmtree(self._folder)
                with suppress(OSError):  # there is more in it, unless the collection never came to be
                    self._layout.root.rmdir()

    def _read_replaced(self) -> dict[str, int] | None:
        """The list of replaced archives; None for one that is damaged."""
        path = self._folder / _REPLACED
        try:
            return msgspec.json.decode(path.read_bytes(), type=dict[str, int])
        except FileNotFoundError:
            return {}
        except msgspec.DecodeError as error:
            consequence = "archives stay as long as there are snapshots from before now"
            _LOG.warning("list damaged", extra={"file": str(path), "why": str(error), "consequence": consequence})
            return None


def _link(upload: Path, stored: Path) -> None:
    """A second name costs nothing; a file system without them gets a copy."""
    try:
        os.link(upload, stored)
    except OSError:
        temporary = stored.with_suffix(".tmp")
        shutil.copyfile(upload, temporary)
        temporary.replace(stored)
