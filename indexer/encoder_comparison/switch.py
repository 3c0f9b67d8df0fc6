"""The command lines that switch a collection to another encoder and back."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from lookalike.catalogue.records import CollectionRecord
from lookalike.collection.index_command import settings_flags
from lookalike.options import EncoderRequest, Places

PROGRAM = ("python", "-m", "indexer")


@dataclass(frozen=True, slots=True)
class Switch:
    """Command lines: ``rebuild`` makes a new snapshot beside the current one, ``back`` and ``stay`` return to the old.

    ``keep`` is the number of snapshots that are kept, including the one to go back to.
    """

    rebuild: str
    verify: str
    back: str
    stay: str
    keep: int

    def text(self, before: str, after: str) -> str:
        """The steps, for a terminal."""
        return "\n".join(
            [
                f"To switch to {after}; {before} is served until the new snapshot is complete:",
                f"  {self.rebuild}",
                f"  {self.verify}",
                f"To go back to {before} at once, until the next index run (the last {self.keep} snapshots are kept):",
                f"  {self.back}",
                "To return to it for good, which encodes everything again:",
                f"  {self.stay}",
            ]
        )

    def fields(self) -> dict[str, str]:
        """For JSON output."""
        return {"rebuild": self.rebuild, "verify": self.verify, "back": self.back, "stay": self.stay}


def switch_of(record: CollectionRecord, before: EncoderRequest, after: EncoderRequest, places: Places) -> Switch:
    """The command lines for a collection, with its source and settings.

    A database's URL may have a password in it: the commands take it from its environment variable.
    """
    where = ["--collection", record.name, *_place_flags(places)]
    index = ["index", record.source.location, *where]
    settings = [*_source_flags(record), *settings_flags(record.settings)]

    def command_line(*words: str) -> str:
        database = "" if places.database_url is None else ' --database "$LOOKALIKE_DATABASE_URL"'
        return shlex.join([*PROGRAM, *words]) + database

    return Switch(
        rebuild=command_line(*index, *_encoder_flags(after), *settings, "--reencode"),
        verify=command_line("verify", *where),
        back=command_line("rollback", *where),
        stay=command_line(*index, *_encoder_flags(before), *settings, "--reencode"),
        keep=record.settings.keep,
    )


def _place_flags(places: Places) -> list[str]:
    flags = ["--data", str(places.data)]
    return flags if places.encoders is None else [*flags, "--encoders-dir", str(places.encoders)]


def _encoder_flags(request: EncoderRequest) -> list[str]:
    flags = ["--encoder", request.name]
    flags += [] if request.fusion is None else ["--fusion", request.fusion]
    return flags if request.input_size is None else [*flags, "--input-size", str(request.input_size)]


def _source_flags(record: CollectionRecord) -> list[str]:
    return [] if record.source.root is None else ["--images-root", record.source.root]
