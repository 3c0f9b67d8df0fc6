"""The commands that switch a collection to another encoder and back, as they would have to be typed."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from lookalike.catalogue.records import CollectionRecord, EncoderRequest
from lookalike.index.planner import DEFAULT_RECALL
from lookalike.options import MEBIBYTE, Places

PROGRAM = ("python", "-m", "indexer")


@dataclass(frozen=True, slots=True)
class Switch:
    """``rebuild`` makes the new snapshot beside the one that answers, ``back`` returns, ``stay`` returns for good.

    ``keep`` is how many snapshots stay, the one to go back to among them.
    """

    rebuild: str
    verify: str
    back: str
    stay: str
    keep: int

    def text(self, before: str, after: str) -> str:
        """What to do, step by step."""
        return "\n".join(
            [
                f"To switch to {after}; {before} goes on answering until the new snapshot is whole:",
                f"  {self.rebuild}",
                f"  {self.verify}",
                f"To go back to {before} at once, until the next index run (the last {self.keep} snapshots are kept):",
                f"  {self.back}",
                "and to stay with it, which encodes everything again:",
                f"  {self.stay}",
            ]
        )

    def fields(self) -> dict[str, str]:
        """For a program."""
        return {"rebuild": self.rebuild, "verify": self.verify, "back": self.back, "stay": self.stay}


def switch_of(record: CollectionRecord, before: EncoderRequest, after: EncoderRequest, places: Places) -> Switch:
    """The commands for a collection with its own source and settings.

    A database's URL may have a password in it: the commands take it from its environment variable.
    """
    where = ["--collection", record.name, *_places(places)]
    index = ["index", record.source.location, *where]

    def typed(*words: str) -> str:
        database = "" if places.database_url is None else ' --database "$LOOKALIKE_DATABASE_URL"'
        return shlex.join([*PROGRAM, *words]) + database

    return Switch(
        rebuild=typed(*index, *_encoder(after), *_settings(record), "--reencode"),
        verify=typed("verify", *where),
        back=typed("rollback", *where),
        stay=typed(*index, *_encoder(before), *_settings(record), "--reencode"),
        keep=record.settings.keep,
    )


def _places(places: Places) -> list[str]:
    found = ["--data", str(places.data)]
    return found if places.encoders is None else [*found, "--encoders-dir", str(places.encoders)]


def _encoder(request: EncoderRequest) -> list[str]:
    found = ["--encoder", request.name]
    found += [] if request.fusion is None else ["--fusion", request.fusion]
    return found if request.input_size is None else [*found, "--input-size", str(request.input_size)]


def _settings(record: CollectionRecord) -> list[str]:
    """All of them: a run by hand that leaves one out goes back to the program's own."""
    kept = record.settings
    root = [] if record.source.root is None else ["--images-root", record.source.root]
    limits = ["--max-megabytes", str(kept.max_bytes // MEBIBYTE), "--max-megapixels", str(kept.max_pixels // 1_000_000)]
    index = [] if kept.target_recall == DEFAULT_RECALL else ["--recall", f"{kept.target_recall:g}"]
    index += [] if kept.memory is None else ["--memory", f"{kept.memory / 1e9:.9g}"]
    return [*root, "--engine", kept.engine, *index, "--keep", str(kept.keep), *limits]
