"""A snapshot's manifest, the file that completes it: its encoder, its files and their checksums, its index's recall."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Self

from lookalike.encoder.spec import EncoderSpec
from lookalike.index.base import IndexSettings
from lookalike.index.recall import Recall
from lookalike.options import EncoderRequest
from lookalike.short_repr import ShortRepr

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What a file must be: its SHA-256 in hex, its length in bytes, and the SHA-256 of some of it (``sample_file``).

    ``sampled`` is None in snapshots of versions that read every file whole when they opened one.
    """

    sha256: str
    bytes: int
    sampled: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Manifest(ShortRepr):
    """A snapshot's description.

    ``generation`` is the catalogue's: the snapshot's items are the rows visible at it. ``encoder`` is the full spec
    of its vectors and ``encoder_request`` how to load that encoder again. ``engine`` names the index type, ``plan``
    says in words why it was chosen. ``recall`` is None in an empty snapshot. ``files`` maps file name to stamp.
    ``settings`` are the index's search settings, None for an exact one. ``planned`` is the index type that was planned,
    which differs from ``engine`` if it missed ``target_recall``; both are None in snapshots of versions without plans.
    """

    collection: str
    generation: int
    created_at: datetime
    made_by: str
    encoder: EncoderSpec
    encoder_request: EncoderRequest
    engine: str
    plan: list[str]
    count: int
    dimension: int
    recall: Recall | None
    files: dict[str, FileStamp]
    settings: IndexSettings | None = None
    planned: str | None = None
    target_recall: float | None = None

    def to_json(self) -> str:
        """Text of manifest.json."""
        fields = asdict(self) | {
            "format_version": FORMAT_VERSION,
            "created_at": self.created_at.isoformat(),
            "encoder": self.encoder.to_dict(),
        }
        return json.dumps(fields, indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The manifest that ``to_json`` wrote; raises ValueError saying what is wrong with it."""
        try:
            fields = json.loads(text)
            version = fields.pop("format_version")
            if version != FORMAT_VERSION:
                raise ValueError(
                    f"it has format {version}, and this version of lookalike reads format {FORMAT_VERSION}"
                )
            recall = fields.pop("recall")
            settings = fields.pop("settings", None)
            return cls(
                created_at=datetime.fromisoformat(fields.pop("created_at")),
                encoder=EncoderSpec.from_dict(fields.pop("encoder")),
                encoder_request=EncoderRequest(**fields.pop("encoder_request")),
                recall=None if recall is None else Recall(**recall),
                settings=None if settings is None else IndexSettings(**settings),
                files={name: FileStamp(**stamp) for name, stamp in fields.pop("files").items()},
                **fields,
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"a field is missing or of the wrong kind: {error}") from error
