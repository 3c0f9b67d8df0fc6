"""What the code of a kind of jobs gets to see of one job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lookalike.catalogue.records import CollectionRecord
from lookalike.collection.layout import CollectionLayout
from lookalike.errors import CollectionNotFoundError
from lookalike.wiring import open_catalogue
from service.http.forms import Form
from service.jobs.upload_store import UploadStore
from service.settings import Settings

Options = TypeVar("Options", bound=Form)


@dataclass(frozen=True, slots=True)
class JobCommand:
    """Arguments of ``python -m indexer``, without those that say where the data are.

    ``hidden`` has words for paths of the server, by which messages name them. ``settle`` is called when the command has
    ended, with whether it went well.
    """

    arguments: list[str]
    hidden: Mapping[str, str] = field(default_factory=dict)
    settle: Callable[[bool], None] | None = None


@dataclass(frozen=True, slots=True)
class JobWork:
    """A job's collection and options; ``folder`` is for files of its own."""

    settings: Settings
    uploads: UploadStore
    collection: str
    options: Form
    folder: Path

    def options_as(self, kind: type[Options]) -> Options:
        """The options, which are of this class."""
        if not isinstance(self.options, kind):
            raise TypeError(f"{type(self.options).__name__} are no {kind.__name__}")
        return self.options

    @property
    def layout(self) -> CollectionLayout:
        """Where the collection is; raises CollectionNameError."""
        return CollectionLayout.of(self.settings.places.collections_dir, self.collection)

    def find_record(self) -> CollectionRecord | None:
        """The collection as the catalogue has it; None if there is none. Raises the catalogue's errors."""
        places = self.settings.places
        if places.database_url is None and not (places.data / "catalogue.db").exists():
            return None
        catalogue = open_catalogue(places)
        try:
            records = catalogue.collections()
        finally:
            catalogue.close()
        return next((record for record in records if record.name == self.collection), None)

    def require_collection(self) -> CollectionRecord:
        """The same; raises CollectionNotFoundError."""
        record = self.find_record()
        if record is None:
            raise CollectionNotFoundError(f"no collection is called {self.collection!r}", subject="collection")
        return record
