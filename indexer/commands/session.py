"""What every command needs: folders, database and reporter, made of four flags that are declared here."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from indexer.commands.options import DEFAULT_DATA, DatabaseOption, DataOption, EncodersOption, JsonOption
from indexer.console.reporter import HumanReporter, JsonReporter, Reporter
from lookalike.api import Collection
from lookalike.catalogue.records import NO_SOURCE
from lookalike.catalogue.repository import Catalogue
from lookalike.collection.layout import CollectionLayout
from lookalike.options import ImageLimits, Places
from lookalike.sources.base import Source
from lookalike.wiring import open_catalogue, open_origin

EXIT_FAILED, EXIT_REJECTED, EXIT_STALE, EXIT_DIFFERENT, EXIT_SHRUNK, EXIT_INTERRUPTED = 1, 3, 3, 4, 5, 130
"""Exit codes, besides 0 (success) and 2 (wrong usage)."""


@dataclass(frozen=True, slots=True)
class Session:
    """The folders and the database of a command, and its reporter."""

    places: Places
    reporter: Reporter

    @contextmanager
    def catalogue(self, collection: str | None = None) -> Iterator[Catalogue]:
        """A context with the catalogue; with a collection named, it is not created if it does not exist."""
        catalogue = open_catalogue(self.places, collection=collection)
        try:
            yield catalogue
        finally:
            catalogue.close()

    def has_no_data(self) -> bool:
        """Whether there cannot be a collection yet: no data folder, and no database elsewhere."""
        return self.places.database_url is None and not self.places.data.is_dir()

    def collection(
        self,
        name: str,
        *,
        generation: int | None = None,
        limits: ImageLimits | None = None,
        whole: bool = False,
        live: bool = False,
    ) -> Collection:
        """An open collection: its current snapshot, or the one of a generation; ``whole`` reads every byte of it.

        With ``live`` it has the changes since, too.
        """
        places = self.places
        collection = Collection.open(
            places.data,
            name,
            generation=generation,
            database_url=places.database_url,
            encoders_dir=places.encoders_dir,
            limits=limits,
            whole=whole,
        )
        if not live:
            collection.leave_out_live_changes()
        return collection

    @contextmanager
    def source(self, name: str) -> Iterator[Source]:
        """A context with the open source of a collection."""
        with self.catalogue(name) as catalogue:
            origin = catalogue.collection(name).source
        source = open_origin(origin, self.layout(name))
        if origin.kind != NO_SOURCE:
            source.open()
        try:
            yield source
        finally:
            source.close()

    def layout(self, name: str) -> CollectionLayout:
        """A collection's folder."""
        return CollectionLayout.of(self.places.collections_dir, name)


def make_reporter(json: bool) -> Reporter:
    """The reporter for JSON lines or for text."""
    return JsonReporter() if json else HumanReporter()


_PARAMETERS = {
    name: inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
    for name, annotation, default in (
        ("data", DataOption, DEFAULT_DATA),
        ("database", DatabaseOption, None),
        ("encoders_dir", EncodersOption, None),
        ("json", JsonOption, False),
    )
}


def with_session(*flags: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator that adds these flags to a command, and calls it with the Session made of them as first argument.

    ``flags`` are some of ``data``, ``database`` and ``encoders_dir``; every command has ``json``.
    """
    session_parameters = [_PARAMETERS[name] for name in (*flags, "json")]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(command, include_extras=True)
        own = list(inspect.signature(command).parameters.values())[1:]
        own = [parameter.replace(kind=parameter.KEYWORD_ONLY, annotation=hints[parameter.name]) for parameter in own]

        def run(**arguments: Any) -> None:
            values = {
                parameter.name: arguments.pop(parameter.name, parameter.default) for parameter in session_parameters
            }
            data: Path = values.get("data", DEFAULT_DATA)
            places = Places(data, values.get("database"), values.get("encoders_dir"))
            command(Session(places, make_reporter(values["json"])), **arguments)

        run.__name__, run.__doc__, run.__module__ = command.__name__, command.__doc__, command.__module__
        run.__signature__ = inspect.Signature([*own, *session_parameters])  # type: ignore[attr-defined]  # what typer reads
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *session_parameters)}
        return run

    return decorate


with_collections = with_session("data", "database", "encoders_dir")
"""The decorator of commands that work with collections."""
