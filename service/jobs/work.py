"""What the code of a kind of jobs gets to see of one job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
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
    ended, however it did, and must leave what is needed to run it again; ``discard`` when a success has been stored.
    """

    arguments: list[str]
    hidden: Mapping[str, str] = field(default_factory=dict)
    settle: Callable[[], None] | None = None
    discard: Callable[[], None] | None = None


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
        try:
            with closing(open_catalogue(self.settings.places, collection=self.collection)) as catalogue:
                return catalogue.collection(self.collection)
        except CollectionNotFoundError:
            return None

    def require_collection(self) -> CollectionRecord:
        """The same; raises CollectionNotFoundError, in words for the client of the service."""
        record = self.find_record()
        if record is None:
            raise CollectionNotFoundError(f"no collection is called {self.collection!r}", subject="collection")
        return record
