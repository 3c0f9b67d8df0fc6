"""Why a source, or an entry of it, cannot be read."""

from __future__ import annotations

from lookalike.errors.base import LookalikeError


class SourceError(LookalikeError):
    """A source, or one entry of it, cannot be read: catch it to skip the entry, or to ask for another source."""


class SourceNotFoundError(SourceError):
    """The folder, archive or manifest does not exist."""

    code = "source-not-found"


class SourceEmptyError(SourceError):
    """The source has no files, though the collection filled from it has pictures."""

    code = "source-empty"


class SourceShrunkError(SourceError):
    """The source has lost a whole folder, or more than a tenth of the collection filled from it."""

    code = "source-shrunk"


class SourceUnsupportedError(SourceError):
    """The source is neither a folder, a zip file, nor a manifest."""

    code = "source-unsupported"


class PatternInvalidError(SourceError):
    """A pattern that files are excluded or included by is none."""

    code = "pattern-invalid"


class ArchiveUnsafeError(SourceError):
    """An archive has an unsafe entry: one that leads outside, is a link, or unpacks too large."""

    code = "archive-unsafe"


class ArchiveDamagedError(SourceError):
    """An archive, or an entry of it, is corrupt: it fails its own checks."""

    code = "archive-damaged"


class ManifestError(SourceError):
    """A manifest lacks a column or has a malformed line."""

    code = "manifest-invalid"


class EntryMissingError(SourceError):
    """A manifest row names a file that is not there."""

    code = "entry-missing"


class EntryUnreadableError(SourceError):
    """A file is there but cannot be read (permission, input/output error)."""

    code = "entry-unreadable"


class EntryOutsideError(SourceError):
    """A path or link leaves the folder that it belongs to."""

    code = "entry-outside"


class LabelsMissingError(SourceError):
    """The pictures have no labels, or no two of them share one, so that no result could be correct."""

    code = "labels-missing"


class KeyInvalidError(SourceError):
    """A key is empty, too long, or not text that can be stored (a file name that is not UTF-8)."""

    code = "key-invalid"


class KeyDuplicateError(SourceError):
    """Two entries of one source have the same key."""

    code = "key-duplicate"
